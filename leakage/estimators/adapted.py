"""The pretrained critic, refined on other groups of the very images that it is asked about.

What it learned from simulated ciphers is where training begins, so that far fewer pictures teach
it more. Whether that helps is judged on groups that taught nothing: where it does not, the critic
stays as it was.
"""

import copy
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from leakage.devices import found_device
from leakage.estimate import Estimate
from leakage.estimators import likeness
from leakage.estimators.bounds import ceiling_of
from leakage.estimators.descent import AdamW
from leakage.estimators.pair_critic import PairCritic, PairNetwork
from leakage.estimators.pretrained import (
    FACTORS,
    READ,
    Places,
    Told,
    exchanged,
    load_critic,
    local_bits,
    parts,
    pretrained_mi,
    reservations,
    surely,
    tell,
)
from leakage.estimators.threads import one_thread
from leakage.estimators.towers import LATTICE
from leakage.evidence.intervals import held_out_interval
from leakage.evidence.p_values import combined_p_value, least_p_value
from leakage.evidence.splits import split_by_group

#: Folds of whole groups; each critic learns from all but one.
FOLDS = 3
#: With fewer groups there is too little to learn and to choose by.
FEWEST = 24
#: Of a step: images of as many groups, all pairs of them, at so many places.
TOGETHER, PLACES = 6, 4
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-2
#: Half of the steps are of places of 8 x 8 blocks, as those of JPEG and of block ciphers.
ON_LATTICE = 0.5
#: Of the groups that teach, one part of so many only validates.
VALIDATION_PARTS = 3
#: Steps between looks at validation, and looks without a gain before training ends.
CHECK_EVERY, PATIENCE = 20, 3
#: What counts as a gain, in bits.
GAIN = 0.002
#: Nothing is left to learn when validation is this close to its ceiling, in bits.
NEAR_CEILING = 0.05
#: Pairs of patches that are read at such a look.
READ_VALIDATING = 2048


class _Refined(NamedTuple):
    """A critic, and the score and factor that served best on validation.

    Attributes
    ----------
    column : int
        Of `local_bits`.
    sure : float
        Bits on validation, less their error; 0 if the critic tells nothing.
    steps : int
        Of training; 0 where the critic is as it was.
    """

    critic: PairCritic
    column: int
    sure: float
    steps: int

    @property
    def factor(self) -> tuple[str, float]:
        """Name of the score, and what it is multiplied by."""
        head, factor = divmod(self.column, len(FACTORS))
        return self.critic.heads[head], FACTORS[factor]


class _Images(NamedTuple):
    """What is learned from and judged: checked images, ciphertexts and groups."""

    plain: np.ndarray
    cipher: np.ndarray
    groups: np.ndarray
    patch: int

    def told(
        self, critic: PairCritic, rows: np.ndarray, read: int, rng: np.random.Generator
    ) -> list[Told]:
        """What a critic says of some images."""
        together = [rows[block] for block in parts(self.groups[rows], rng)]
        places = Places.for_parts(self.plain.shape[1:], self.patch, together, rng, read)
        return [tell(critic, self.plain, self.cipher, block, places) for block in together]

    def alike(self, told: list[Told]) -> list[np.ndarray]:
        """Distances of the images and of the ciphertexts of the first parts."""
        some = told[: likeness.MOST_PARTS]
        return [likeness.of_part(self.plain, self.cipher, one.block) for one in some]

    def drawn(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Patches and ciphertexts at random places of different groups, (n, places, P, P) each."""
        names = rng.permutation(np.unique(self.groups[rows]))[:TOGETHER]
        some = [rng.choice(rows[self.groups[rows] == name]) for name in names]
        step = LATTICE if rng.random() < ON_LATTICE else 1
        top, left = (
            rng.integers(0, (side - self.patch) // step + 1, PLACES) * step
            for side in self.plain.shape[1:3]
        )
        channels = self.plain.shape[3] if self.plain.ndim == 4 else 1
        places = Places(rng.integers(0, channels, PLACES), top, left, self.patch)
        return places.cut(self.plain[some]), places.cut(self.cipher[some])


def adapted_mi(
    plain: np.ndarray,
    cipher: np.ndarray,
    groups: np.ndarray,
    *,
    patch: int,
    steps: int,
    permutations: int,
    seed: int,
    device: str,
) -> Estimate:
    """As `leakage.patch_mi` with ``critic="adapted"``, of checked images and groups."""
    count = len(np.unique(groups))
    if count < FEWEST:
        as_it_is = pretrained_mi(
            iter([(plain, cipher, groups)]), patch=patch, permutations=permutations, seed=seed,
            device=device,
        )  # fmt: skip
        flag = f"not adapted: {count} groups are too few to learn from, {FEWEST} are needed"
        return replace(as_it_is, flags=(*as_it_is.flags, flag))
    images = _Images(plain, cipher, groups, patch)
    critic, rng = load_critic().on(found_device(device)), np.random.default_rng(seed)
    fold = split_by_group(groups, FOLDS, rng)

    def learn(taught: np.ndarray) -> _Refined:
        return refined(critic, images, np.flatnonzero(taught), steps, rng)

    with one_thread():
        learned = [learn(fold != t) for t in range(FOLDS)]
        told = [
            images.told(one.critic, np.flatnonzero(fold == t), READ, rng)
            for t, one in enumerate(learned)
        ]
        p_value: float | None = None
        tested: dict[str, Any] = {"reach": 0.0}
        if permutations:
            first = images.told(critic, np.flatnonzero(fold == 0), READ, rng)
            second = learn(fold == 0).critic
            second_told = images.told(second, np.flatnonzero(fold == 1), READ, rng)
            by_earlier = [first, second_told, told[-1]]
            p_value, tested = _independence(images, by_earlier, permutations, rng)
    details = tested | {
        "ceiling": ceiling_of([len(one.block) for some in told for one in some]),
        "exchanged": f"{count} groups",
        "steps": tuple(one.steps for one in learned),
        "factors": tuple(one.factor for one in learned),
    }
    return _estimate(learned, told, p_value, details)


def _estimate(
    learned: list[_Refined],
    told: list[list[Told]],
    p_value: float | None,
    details: dict[str, Any],
) -> Estimate:
    """Bits of all folds, each by the critic, score and factor that the others chose."""
    values = [
        np.concatenate([local_bits(one.patches)[:, best.column] for one in some])
        for some, best in zip(told, learned, strict=True)
    ]
    every = np.concatenate(values)
    bits, low, high = float(every.mean()), None, None
    if any(best.sure > 0 for best in learned):
        fold = np.repeat(np.arange(len(values)), [len(v) for v in values])
        low, high = held_out_interval(bits, every, np.arange(len(every)), fold)
    flags = [*reservations(low, high, details["ceiling"], details["reach"])]
    if not any(details["steps"]):
        flags.append("not adapted: on validation the critic served best as it is")
    return Estimate(
        bits, low, high, p_value, sum(one.patches[:, 0, 0, :, 0].size * len(one.block)
                                      for some in told for one in some),
        f"pretrained critic refined on these pictures, {FOLDS} folds held out", "estimate",
        tuple(flags), details,
    )  # fmt: skip


def _independence(
    images: _Images, folds: list[list[Told]], permutations: int, rng: np.random.Generator
) -> tuple[float, dict[str, Any]]:
    """p-value, and what is behind it: each fold is told by a critic that saw only earlier ones.

    The ciphertexts of a fold are exchanged under a critic that is fixed by then, so that each
    fold's p-value holds whatever the earlier ones were.
    """
    tested = [
        exchanged([one.sums for one in told], permutations, rng, images.alike(told))
        for told in folds
    ]
    telling = [one for one in tested if one.zs.any()]
    details = {
        "reach": least_p_value([1] * len(tested), [1 / one.reach for one in tested]),
        "z": max(float(np.abs(one.zs).max()) for one in tested),
        "p_values": tuple(one.p_value for one in tested),
    }
    if not telling:
        return 1.0, details
    p_values, attainable = zip(*((one.p_value, 1 / one.reach) for one in telling), strict=True)
    return combined_p_value(p_values, np.ones(len(telling)), attainable, rng), details


@torch.enable_grad()
def refined(
    critic: PairCritic, images: _Images, rows: np.ndarray, steps: int, rng: np.random.Generator
) -> _Refined:
    """What some images make of a critic; a part of their groups only says whether that helps."""
    only_validate = split_by_group(images.groups[rows], VALIDATION_PARTS, rng) == 0
    fit, validate = rows[~only_validate], rows[only_validate]
    places = int(rng.integers(2**32))  # the same at every look

    def judged(now: PairCritic, step: int) -> tuple[_Refined, float]:
        told = images.told(now, validate, READ_VALIDATING, np.random.default_rng(places))
        sure = surely(np.concatenate([local_bits(one.patches) for one in told]))
        column = int(sure.argmax())
        most = math.log2(min(len(one.block) for one in told))
        return _Refined(now, column, float(sure[column]), step), most

    best, most = judged(critic, 0)
    network = copy.deepcopy(critic.network).requires_grad_(True)
    learned = list(network.parameters())
    optimizer = AdamW.of(learned, WEIGHT_DECAY)
    stale = 0
    for step in range(1, steps + 1):
        if stale >= PATIENCE or best.sure > most - NEAR_CEILING:
            break
        loss = _loss(network, *images.drawn(fit, rng))
        optimizer.step(torch.autograd.grad(loss, learned), LEARNING_RATE)
        if step % CHECK_EVERY and step < steps:
            continue
        kept = copy.deepcopy(network).requires_grad_(False)
        now, _ = judged(critic._replace(network=kept), step)
        stale = 0 if now.sure > best.sure + GAIN else stale + 1
        best = max(best, now, key=lambda one: one.sure)
    return best


def _loss(network: PairNetwork, plain: torch.Tensor, cipher: torch.Tensor) -> torch.Tensor:
    """InfoNCE in nats, both ways, of patches and ciphertexts (n, places, P, P) place by place."""
    n, places = plain.shape[:2]
    device = network.heads.weight.device
    own = plain.repeat_interleave(n, 0).flatten(0, 1).to(device)
    other = cipher.repeat(n, 1, 1, 1).flatten(0, 1).to(device)
    scores = network(own, other).reshape(n, n, places, -1)
    told = [scores.log_softmax(side).diagonal(dim1=0, dim2=1).mean() for side in (0, 1)]
    return -sum(told)
