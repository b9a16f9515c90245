"""Four views of an audit: pixels, patches, embeddings, identification."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from leakage.attacks.learned import found_among, reidentification_p_value, scored_folds
from leakage.attacks.success import Attack
from leakage.audits.couples import Couples, kinds_of
from leakage.audits.findings import Finding
from leakage.audits.middles import middle
from leakage.audits.sizes import comparable, within_kinds
from leakage.estimate import Estimate, entropy
from leakage.estimators.candidates import FEWEST_ROWS, Samples
from leakage.estimators.certified import certified_mi
from leakage.estimators.critics import linear_critic, whitened
from leakage.estimators.cross_fitting import estimate_mi
from leakage.estimators.learning import earlier_folds, learn
from leakage.estimators.pixels import pixel_mi
from leakage.estimators.swapped_pixels import pixel_swap_p_value
from leakage.evidence.p_values import combined_p_value, sign_flip_p_value
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group
from leakage.pictures.value_counts import value_counts
from leakage.vectors.embeddings import embed_layers, patch_statistics

FEWEST = 20  # independent images, of which whole images are asked
FEWEST_IDENTIFIED = 25  # and of which one is looked for among the others
BLOCK = 16  # side of the patches of the pixel and patch views
CROP = 224  # side of what the network sees of an image, at most
NETWORK = ("stem", "blocks.0", "blocks.4", "head")
COMPONENTS = 32


@dataclass(frozen=True)
class Sample:
    """What the views keep of the pairs: bounded in memory whatever the number of pairs.

    Attributes
    ----------
    plain_blocks, cipher_blocks : ndarray of uint8, shape (B, 16, 16) or (B, 16, 16, 3)
        Random blocks, as many from each pair.
    block_groups : ndarray of int, shape (B,)
        Blocks that share one are not independent: of one source, or of two that are exchanged.
    couples : ndarray of int, shape (B,)
        Images are coupled by two, groups whole, and their blocks are at the same places: an
        exchange of ciphertexts keeps all that depends on the place alone. Label of the couple of
        groups; -1 for images that found no partner.
    partners : ndarray of int, shape (B,)
        Which block is at the same place of the couple's other image; -1 if none.
    plain, cipher : dict of str to ndarray of float32, shape (N, d)
        Vectors of whole pairs, by rung of the ladder.
    groups : ndarray of int, shape (N,)
        Source of each of these.
    kinds : ndarray of int, shape (N,)
        Shape of each. Vectors are standardised within a shape, and only images of one shape change
        places, for a size may tell of an image by itself; shapes that few groups share are left
        out.
    """

    plain_blocks: np.ndarray
    cipher_blocks: np.ndarray
    block_groups: np.ndarray
    couples: np.ndarray
    partners: np.ndarray
    plain: dict[str, np.ndarray]
    cipher: dict[str, np.ndarray]
    groups: np.ndarray
    kinds: np.ndarray

    @property
    def strata(self) -> np.ndarray | None:
        """Shapes within which images change places; None where there is one alone."""
        return self.kinds if len(np.unique(self.kinds)) > 1 else None


class Collector:
    """Gathers a `Sample` from pairs, one at a time.

    Parameters
    ----------
    couples : Couples
        Which images exchange their ciphertexts, groups whole.
    blocks : int
        How many blocks to keep of all of them together.
    groups : ndarray of int, shape (pairs,)
        Source of each pair.
    seed : int
        Of the choice of blocks.
    """

    _BATCH = 32  # images that go through the network together

    def __init__(self, couples: Couples, blocks: int, groups: np.ndarray, seed: int) -> None:
        self._each = max(1, min(256, -(-blocks // len(groups))))
        self._couples = couples
        self._groups, self._rng = groups, np.random.default_rng(seed)
        self._blocks: tuple[list, list] = [], []
        self._owners: list[int] = []  # number of the pair that each block comes from
        self._partners: list[int] = []
        self._waiting: dict[int, tuple[np.ndarray, int]] = {}
        self._direct: tuple[list, list] = [], []
        self._crops: list[tuple[np.ndarray, np.ndarray]] = []
        # the network runs beside whatever else looks at the pairs
        self._thread = ThreadPoolExecutor(1)
        self._deep: list[Future[list[list[np.ndarray]]]] = []
        self._shapes: list[tuple[int, ...]] = []

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Take one pair, uint8 of one shape."""
        high, wide = plain.shape[:2]
        if min(high, wide) >= BLOCK:
            across = wide // BLOCK
            # two images of a couple are looked at in the same places
            partner = int(self._couples.partners[len(self._shapes)])
            first = len(self._owners)
            if partner in self._waiting:
                places, start = self._waiting.pop(partner)
                self._partners += range(start, start + len(places))
                self._partners[start : start + len(places)] = range(first, first + len(places))
            else:
                # blocks that do not overlap, so that no sample counts twice
                places = self._rng.permutation(high // BLOCK * across)[: self._each]
                self._waiting[len(self._shapes)] = places, first
                self._partners += [-1] * len(places)
            corners = [(BLOCK * (p // across), BLOCK * (p % across)) for p in places.tolist()]
            for side, image in zip(self._blocks, (plain, cipher), strict=True):
                side += [image[r : r + BLOCK, c : c + BLOCK].copy() for r, c in corners]
            self._owners += [len(self._shapes)] * len(corners)
        for side, image in zip(self._direct, (plain, cipher), strict=True):
            counts = value_counts(image) / image.size
            side.append((np.sqrt(counts).astype(np.float32), patch_statistics(image[None])[0]))
        at = middle(plain.shape, CROP)
        self._crops.append((plain[at].copy(), cipher[at].copy()))  # nothing else is kept
        self._shapes.append(plain.shape)
        shapes = {crop.shape for crop, _ in self._crops}
        if len(self._crops) == self._BATCH or len(shapes) > 1:
            self._embed(keep_last=len(shapes) > 1)

    def _embed(self, keep_last: bool) -> None:
        last = [self._crops.pop()] if keep_last else []
        if self._crops:
            if self._deep:
                self._deep[-1].result()  # batches that wait would pile up
            plain, cipher = map(np.stack, zip(*self._crops, strict=True))
            self._deep.append(self._thread.submit(_deep_vectors, plain, cipher))
        self._crops = last

    def sample(self) -> Sample:
        """All that was gathered."""
        self._embed(keep_last=False)
        kinds = kinds_of(tuple(self._shapes))
        keep = comparable(kinds, self._groups)
        vectors = []
        with self._thread:
            told = [batch.result() for batch in self._deep]
        for direct, deep in zip(self._direct, zip(*told, strict=True), strict=True):
            found = {
                "histogram": np.stack([d[0] for d in direct]),
                "patch statistics": np.stack([d[1] for d in direct]),
            }
            found |= {
                layer: np.concatenate([part[i] for part in deep]) for i, layer in enumerate(NETWORK)
            }
            vectors.append({rung: within_kinds(v[keep], kinds[keep]) for rung, v in found.items()})
        blocks = [np.stack(side) if side else np.empty((0, BLOCK, BLOCK), np.uint8)
                  for side in self._blocks]  # fmt: skip
        owners, partners = np.array(self._owners, int), np.array(self._partners, int)
        return Sample(
            plain_blocks=blocks[0],
            cipher_blocks=blocks[1],
            block_groups=self._couples.units[owners],
            couples=np.where(partners >= 0, self._couples.units[owners], -1),
            partners=partners,
            plain=vectors[0],
            cipher=vectors[1],
            groups=self._groups[keep],
            kinds=kinds[keep],
        )


def _deep_vectors(plain: np.ndarray, cipher: np.ndarray) -> list[list[np.ndarray]]:
    """Of either side the vectors of each layer."""
    found = [embed_layers(side, NETWORK) for side in (plain, cipher)]
    return [[vectors[layer] for layer in NETWORK] for vectors in found]


def pixel_findings(sample: Sample, permutations: int, seed: int) -> list[Finding]:
    """Information between a sample and its own ciphertext."""
    plain, cipher = sample.plain_blocks, sample.cipher_blocks
    flat = len(plain) < 2 or (plain == plain.flat[0]).all() or (cipher == cipher.flat[0]).all()
    if flat:
        return [Finding("pixel", "single samples", None, "Too few samples, or constant images.",
                        "Give more pairs, or larger ones.")]  # fmt: skip
    e = pixel_mi(plain, cipher, permutations=0)
    p_value = pixel_swap_p_value(
        plain, cipher, sample.partners, sample.couples, permutations=permutations, seed=seed
    )
    whole = entropy(value_counts(plain))
    return [Finding(
        "pixel", "single samples", None,
        f"Of {whole:.4f} bits that a sample holds its ciphertext gives away about "
        f"{min(max(e.bits, 0), whole):.4f} ({e.method}).",
        "Count pairs of plain and cipher values in a table.", p_value,
        replace(e, p_value=p_value), "sample",
    )]  # fmt: skip


def patch_findings(sample: Sample, permutations: int, seed: int) -> list[Finding]:
    """Information between a patch of 16 x 16 pixels and its ciphertext."""
    keep = coupled_blocks(sample, seed)
    if len(np.unique(sample.block_groups[keep])) < 10:
        return [Finding("patch", "neighbourhoods", None, "Fewer than 10 independent couples.",
                        "Give more pairs.")]  # fmt: skip
    x, y = (patch_vectors(blocks[keep]) for blocks in (sample.plain_blocks, sample.cipher_blocks))
    if constant(x) or constant(y):
        return []
    groups, couples = sample.block_groups[keep], sample.couples[keep]
    partners = np.searchsorted(keep, sample.partners[keep])
    p_value = swap_p_value(x, y, groups, couples, partners, permutations, seed)
    e = estimate_mi(x, y, method="canonical", groups=groups, seed=seed, components=COMPONENTS)
    return [Finding(
        "patch", "neighbourhoods", None,
        "Means and spreads of small patches and of their ciphertexts go together.",
        "Compare flat with busy patches of the ciphertext.", p_value,
        replace(e, p_value=p_value), "patch", "Means and spreads of small patches tell nothing.",
    )]  # fmt: skip


def coupled_blocks(sample: Sample, seed: int, most: int = 2000) -> np.ndarray:
    """At most so many random blocks, each with its partner, in order."""
    first = np.flatnonzero(sample.partners > np.arange(len(sample.partners)))
    first = np.random.default_rng(seed).permutation(first)[: most // 2]
    return np.sort(np.concatenate([first, sample.partners[first]]))


def swap_p_value(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    couples: np.ndarray,
    partners: np.ndarray,
    permutations: int,
    seed: int,
    *,
    linear: bool = False,
) -> float:
    """Do blocks fit their own ciphertexts better than those at the same place of another image?

    The critics are those of `leakage.estimate_mi`, each judged on folds after those that trained
    it. If an image tells nothing of its ciphertext the two of a couple may be swapped, whatever
    ciphertexts look like at different places.

    `linear`: of these critics the linear one alone, which is fast and sees what is linear as well.
    """
    x, y, groups = check_samples(x, y, groups, 5)
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, 5, rng)
    samples = Samples.of(x, y, groups, COMPONENTS, seed)
    p_values, weights = [], []
    for rows, later in earlier_folds(fold, groups, FEWEST_ROWS):
        if linear:
            a, b = (whitened(side, rows, COMPONENTS, seed) for side in (x, y))
            critic = linear_critic(a, b, rows)
        else:
            critic = learn(samples, rows, "canonical", rng).detector
        scores = critic.scores(later)
        at = np.arange(len(later))
        gain = scores[at, at] - scores[at, np.searchsorted(later, partners[later])]
        differences = np.bincount(np.unique(couples[later], return_inverse=True)[1], weights=gain)
        p_values.append(sign_flip_p_value(differences, permutations, rng))
        weights.append(np.sqrt(len(rows) * len(later)))
    if not p_values:  # no earlier folds could teach
        return 1.0
    return combined_p_value(p_values, weights, [permutations + 1] * len(p_values), rng)


def embedding_findings(sample: Sample, seed: int) -> list[Finding]:
    """Information between representations of whole images and of their ciphertexts."""
    if not enough(sample):
        few = f"Fewer than {FEWEST} independent images."
        return [Finding("embedding", "whole images", None, few, "Give more pairs.")]
    found = []
    for rung, x in sample.plain.items():
        y = sample.cipher[rung]
        if constant(x) or constant(y):
            continue
        e = rung_estimate(sample, x, y, 999, seed)
        found.append(Finding(
            "embedding", rung, None,
            f"By its {rung} a ciphertext tells something of its image.",
            "Find the directions in which both vary together, on other images.",
            e.p_value, e, "image", f"By its {rung} a ciphertext tells nothing that was seen.",
        ))  # fmt: skip
    return found


def rung_estimate(
    sample: Sample, x: np.ndarray, y: np.ndarray, permutations: int, seed: int
) -> Estimate:
    """Information between vectors of whole images and of their ciphertexts."""
    return estimate_mi(
        x, y, method="canonical", groups=sample.groups, strata=sample.strata, seed=seed,
        components=COMPONENTS, permutations=permutations,
    )  # fmt: skip


def certified_bits(sample: Sample, seed: int) -> float:
    """Largest certified lower bound in bits an image; 95 % for all views together."""
    if not enough(sample):
        return 0.0
    views = [(x, sample.cipher[rung]) for rung, x in sample.plain.items()]
    views = [(x, y) for x, y in views if not constant(x) and not constant(y)]
    confidence = 1 - 0.05 / max(len(views), 1)
    bounds = (
        certified_mi(
            x, y, confidence, method="canonical", groups=sample.groups, seed=seed,
            components=COMPONENTS,
        ).bits
        for x, y in views
    )  # fmt: skip
    return max(bounds, default=0.0)


class Identified(NamedTuple):
    """What came of looking for the image of each ciphertext among some forty."""

    x: np.ndarray  # whole images, as vectors
    y: np.ndarray  # and their ciphertexts
    told: list[tuple[np.ndarray, np.ndarray]]  # of `scored_folds`

    def first(self, count: int) -> Attack | None:
        """How often the own image is among so many first; None where some are among no more."""
        fewest = min(_candidates(groups).min() for _, groups in self.told)
        return found_among(self.told, count) if fewest > count else None

    @property
    def sources(self) -> int:
        """How many independent images are looked for."""
        return sum(len(np.unique(groups)) for _, groups in self.told)


def _candidates(groups: np.ndarray) -> np.ndarray:
    """Of each image of a fold, how many are candidates: itself, and those of other groups."""
    return 1 + (groups[:, None] != groups).sum(1)


def identified(sample: Sample, seed: int) -> Identified | None:
    """Look for the images of ciphertexts; None where images are too few, or all look alike."""
    if len(np.unique(sample.groups)) < FEWEST_IDENTIFIED:
        return None
    x, y = (whole(side) for side in (sample.plain, sample.cipher))
    if constant(x) or constant(y):
        return None
    told = scored_folds(x, y, groups=sample.groups, seed=seed)
    # a large group may fill a fold, where there is nothing to choose from
    told = [(scores, groups) for scores, groups in told if _candidates(groups).min() > 1]
    return Identified(x, y, told) if told else None


def identification_findings(sample: Sample, found: Identified | None, seed: int) -> list[Finding]:
    """Can the image of a ciphertext be found among others, by what was learnt on other images?"""
    if found is None:
        few = len(np.unique(sample.groups)) < FEWEST_IDENTIFIED
        why = (
            "Fewer than 25 independent images." if few
            else "All images or ciphertexts are alike, or most are of one group."
        )  # fmt: skip
        return [Finding("identification", "plaintext among others", None, why,
                        "Give more pairs.")]  # fmt: skip
    best, top = found.first(1), found.first(5)
    assert best is not None  # of the folds that are asked
    among = f", and for {round(top.rate * top.n)} it is among the first five" if top else ""
    p = identification_p_value(sample, found.x, found.y, 9999, seed)
    return [Finding(
        "identification", "plaintext among others", None,
        f"For {round(best.rate * best.n)} of {best.n} ciphertexts {best.success} (by guessing, "
        f"{best.chance * best.n:.0f}){among}.",
        "Rank the images by the learnt critic.", p, None, "image",
    )]  # fmt: skip


def whole(side: dict[str, np.ndarray]) -> np.ndarray:
    """All rungs of an image as one vector, each coordinate standardised."""
    return np.concatenate([_standardised(values) for values in side.values()], axis=1)


def identification_p_value(
    sample: Sample, x: np.ndarray, y: np.ndarray, permutations: int, seed: int
) -> float:
    """p-value of identification, of vectors of whole images and of their ciphertexts."""
    return reidentification_p_value(
        x, y, groups=sample.groups, strata=sample.strata, permutations=permutations, seed=seed
    )


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1)


def patch_vectors(blocks: np.ndarray) -> np.ndarray:
    """Patch statistics and a coarse histogram of every block."""
    flat = blocks.reshape(len(blocks), -1) >> 4
    rows = np.arange(len(blocks))[:, None] * 16 + flat
    counts = np.bincount(rows.ravel(), minlength=16 * len(blocks)).reshape(-1, 16)
    return np.concatenate([patch_statistics(blocks), np.sqrt(counts)], axis=1).astype(np.float32)


def enough(sample: Sample) -> bool:
    """Whether whole images can be asked about."""
    return len(np.unique(sample.groups)) >= FEWEST


def constant(values: np.ndarray) -> bool:
    """Whether all rows are equal."""
    return bool((values == values[0]).all())
