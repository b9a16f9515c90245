"""What every place of an image says of its ciphertext: by counting, or by a critic of patches.

Both score image i and ciphertext j at all places at once. Counting looks at one relation of a
sample and its ciphertext, their XOR or their difference, and learns how much more often each value
occurs in own pairs than in others; summed over a patch that sees clear samples and clear planes
better than a network does. The critic sees what no single sample tells.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import logsumexp

from leakage.estimators.bounds import best_temperature
from leakage.estimators.patches import ImagePairs, learned
from leakage.estimators.towers import Inputs, Pairs, PatchCritic, lattice, parted

#: Who scores places: whichever validation prefers, or one of them by name.
By = Literal["auto", "counting", "critic"]
#: Scores of the images `rows` with the ciphertexts of `rows`, (n, n, rows, columns), in nats.
Scores = Callable[[np.ndarray], np.ndarray]

#: What counting looks at: functions of a sample and a ciphertext's, both uint8.
RELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "XOR": np.bitwise_xor,
    "difference": np.subtract,
}
#: Other images that each image is paired with, to count what unrelated pairs look like.
UNRELATED = 4
#: Pseudo-counts of each value of a relation.
PRIOR = 1.0
#: Factor of scores that tell nothing on validation: a place may still tell something.
SMALL_FACTOR = 0.02
#: Images and places that validate: more would take time and change nothing.
VALIDATED, VALIDATED_PLACES = 40, 64
#: The standard deviation of each place is drawn towards that of all by so many exchanges' worth.
SHRINKAGE = 20.0


class Lattice(NamedTuple):
    """Where patches lie: one every `stride` pixels."""

    patch: int
    stride: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of places."""
        high, wide = ((side - self.patch) // self.stride + 1 for side in (self.height, self.width))
        return high, wide


class PlaceScorer(NamedTuple):
    """A way to score places, its factor chosen on validation, and InfoNCE with it, in bits."""

    name: str
    scores: Scores
    factor: float
    bits: float

    def scaled(self, rows: np.ndarray) -> np.ndarray:
        """As `Scores`, with the factor, or a small one where nothing served."""
        return (self.factor or SMALL_FACTOR) * self.scores(rows)


def summed(values: np.ndarray, at: Lattice) -> np.ndarray:
    """Sums over every patch: (..., H, W[, C]) of floats to (..., rows, columns).

    Examples
    --------
    >>> summed(np.ones((4, 6)), Lattice(2, 2, 4, 6)).tolist()
    [[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]
    """
    total = np.zeros((*values.shape[:-2], at.height + 1, at.width + 1))
    np.cumsum(values, axis=-2, out=total[..., 1:, 1:])
    np.cumsum(total[..., 1:, 1:], axis=-1, out=total[..., 1:, 1:])
    first = total[..., : -at.patch, :]
    rows = total[..., at.patch :, :] - first
    both = rows[..., at.patch :] - rows[..., : -at.patch]
    return both[..., :: at.stride, :: at.stride]


def _counted(
    images: ImagePairs, fit: np.ndarray, relation: str, rng: np.random.Generator
) -> np.ndarray:
    """ln of how much more often each value of a relation occurs in own pairs: (256,)."""
    of = RELATIONS[relation]
    own = np.bincount(of(images.plain[fit], images.cipher[fit]).ravel(), minlength=256)
    other = np.zeros(256)
    for _ in range(UNRELATED):
        order = rng.permutation(len(fit))
        apart = images.groups[fit] != images.groups[fit[order]]
        values = of(images.plain[fit[apart]], images.cipher[fit[order[apart]]])
        other += np.bincount(values.ravel(), minlength=256)
    first, second = own + PRIOR, other + PRIOR
    return np.log(first / first.sum()) - np.log(second / second.sum())


def _counting_scores(
    images: ImagePairs, at: Lattice, relation: str, table: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    of, found = RELATIONS[relation], []
    for image in rows:
        values = table[of(images.plain[image], images.cipher[rows])]
        found.append(summed(values.sum(-1) if values.ndim == 4 else values, at))
    return np.stack(found)


def _critic_scores(critic: PatchCritic, pairs: Pairs, at: Lattice, rows: np.ndarray) -> np.ndarray:
    where = lattice(rows, at.height, at.width, at.patch, at.stride)
    left, right = (side.reshape(len(rows), -1, side.shape[1])
                   for side in critic.features(pairs, where))  # fmt: skip
    scores = np.matmul(left.swapaxes(0, 1), right.transpose(1, 2, 0))  # a matrix a place
    return critic.scale * np.moveaxis(scores, 0, 2).reshape(len(rows), len(rows), *at.shape)


def standardised(scores: Scores, rows: np.ndarray) -> Scores:
    """The scores in standard deviations of pairs that do not belong together."""
    values = scores(rows)
    values = values - values.mean(1, keepdims=True)
    spread = float(values[~np.eye(len(rows), dtype=bool)].std()) or 1.0
    return lambda some: scores(some) / spread


def learn_scorer(
    images: ImagePairs,
    pairs: Pairs | None,
    rows: np.ndarray,
    at: Lattice,
    *,
    inputs: Inputs,
    steps: int,
    by: By,
    rng: np.random.Generator,
) -> PlaceScorer:
    """What the images `rows` teach about places, and which of the ways served best on validation.

    Parameters
    ----------
    images, pairs : ImagePairs, Pairs
        All images, for counting and for the critic; no pairs where `by` is counting.
    rows : ndarray of int
        Numbers of the images that teach and validate.
    at : Lattice
        The places.
    inputs, steps
        Of the critic, as of `patch_mi`.
    by : {"auto", "counting", "critic"}
        Which ways are tried.
    rng : numpy.random.Generator
        Of splits, pairings and crops.
    """
    only_validate = parted(images.groups[rows], rng)
    fit, validate = rows[~only_validate], rows[only_validate]
    _, first = np.unique(images.groups[validate], return_index=True)
    validate = validate[first][:VALIDATED] if len(first) > 1 else validate[:VALIDATED]
    tried: list[tuple[str, Scores]] = []
    if by != "critic":
        for relation in RELATIONS:
            table = _counted(images, fit, relation, rng)
            scores = partial(_counting_scores, images, at, relation, table)
            tried.append((f"counting of the {relation}", standardised(scores, validate)))
    if by != "counting" and pairs is not None:
        critic = learned(pairs, images.groups, rows, inputs, at.patch, steps, rng)
        tried.append(("convolutional critic", partial(_critic_scores, critic, pairs, at)))
    places = np.sort(rng.permutation(at.shape[0] * at.shape[1])[:VALIDATED_PLACES])
    return max(
        (_validated(name, scores, validate, places) for name, scores in tried),
        key=lambda one: one.bits,
    )


def _validated(name: str, scores: Scores, rows: np.ndarray, places: np.ndarray) -> PlaceScorer:
    values = scores(rows).reshape(len(rows), len(rows), -1)
    factor, bits = best_temperature([values[:, :, p] for p in places], "infonce")
    return PlaceScorer(name, scores, factor, bits)


def told(scores: np.ndarray) -> np.ndarray:
    """What each of n ciphertexts tells of its own image, among n: (n, n, ...) to (n, ...), bits.

    Examples
    --------
    >>> told(1e3 * np.eye(4)).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """
    own = np.einsum("ii...->i...", scores)
    return (own - logsumexp(scores, axis=1) + np.log(len(scores))) / np.log(2)


def fewest(level: float) -> int:
    """Arrangements that can tell that something has a chance below `level`."""
    return math.floor(1 / level) + 1


def steadied(variance: np.ndarray, exchanges: int) -> np.ndarray:
    """Standard deviations of places, drawn towards the mean variance over the last two axes."""
    mean = variance.mean((-2, -1), keepdims=True)
    steady = (exchanges * variance + SHRINKAGE * mean) / (exchanges + SHRINKAGE)
    return np.sqrt(np.where(steady > 0, steady, 1.0))


def largest_allowed(null: np.ndarray, level: float) -> float:
    """What the statistic may reach so that it exceeds this with a chance below `level`.

    `null`: the statistic of all other arrangements than the one observed.
    """
    rank = math.ceil(level * (len(null) + 1)) - 1
    return float(np.sort(null)[-rank]) if rank else math.inf
