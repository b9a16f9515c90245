"""How much of a leak is spatial: the same estimator before and after space is taken away."""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit  # of Student's distribution, the quantile

from leakage.arguments import check_image_groups, check_one_of, check_pairs, check_seed
from leakage.estimate import Estimate, as_estimate
from leakage.estimators.neighbourhoods import neighbourhood_mi
from leakage.evidence.intervals import clustered_interval, held_out_interval
from leakage.evidence.splits import split_by_group

#: What is taken away: the order of positions, or all that samples of one image have in common.
Scramble = Literal["positions", "images"]
#: Of images, ciphertexts, the group of each, and a seed: bits.
Estimator = Callable[[np.ndarray, np.ndarray, np.ndarray, int], Estimate]

#: Parts of the groups that are left out in turn, and at most, within which images are mixed.
PARTS, MOST_MIXED = 10, 100
#: Groups of such a part at least, so that neighbours come from different images.
FEWEST_MIXED = 4


class SpatialShare(NamedTuple):
    """Bits before and after space was taken away, and what that made.

    Attributes
    ----------
    natural, scrambled : Estimate
        In bits, of the unit that the estimator has.
    difference : Estimate
        The first less the second, each 0 at least, in bits, with its interval by group.
    share : float or None
        The difference over the first; None where that is not clearly above 0.
    """

    natural: Estimate
    scrambled: Estimate
    difference: Estimate
    share: float | None


def _counted(plain: np.ndarray, cipher: np.ndarray, groups: np.ndarray, seed: int) -> Estimate:
    return neighbourhood_mi(plain, cipher, groups=groups, permutations=0, seed=seed)


def spatial_share(
    plain: np.ndarray,
    cipher: np.ndarray,
    *,
    estimator: Estimator | None = None,
    groups: ArrayLike | None = None,
    scramble: Scramble = "positions",
    seed: int = 0,
) -> SpatialShare:
    """What an estimator loses when images and ciphertexts are scrambled alike.

    Scrambling moves each sample together with its ciphertext, so that whatever single samples leak
    stays. What is lost lay between samples. A leak that no scrambling touches has no spatial part
    that this estimator sees.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, of one shape, (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    estimator : callable, optional
        Of plain, cipher, groups of shape (N,) and a seed, to an `Estimate`; by default
        `leakage.neighbourhood_mi`. One whose details hold the ``"influence"`` of each image is run
        twice for scrambled positions; otherwise it is run again with a tenth of the groups, or one
        part of mixed images, left out in turn.
    groups : array_like, shape (N,), optional
        Photograph that each image comes from; without it every image is its own.
    scramble : {"positions", "images"}
        ``"positions"``: one order of all positions, for all images alike, which takes away who is
        whose neighbour. What all samples of an image have in common, one key byte for instance,
        survives that. ``"images"``: every position is dealt out among images anew, so that no two
        neighbours come from one image, which takes away that too; images are mixed within
        parts of four groups or more, and these parts are then the groups.
    seed : int
        Of the scrambling and the estimator.

    Returns
    -------
    SpatialShare
        Its difference is negative where scrambling adds information: far samples of photographs
        differ more than neighbours do.

    Raises
    ------
    ValueError, TypeError
        Images that are no pairs, an unknown word, too few groups.

    Examples
    --------
    >>> from leakage.truth.spatial import shared_key_images
    >>> pairs = shared_key_images(30, size=16, shared="row")
    >>> found = spatial_share(pairs.plain, pairs.cipher)
    >>> found.difference.low > 7, found.share > 0.95
    (True, True)
    """
    check_seed(seed)
    check_one_of("scramble", scramble, get_args(Scramble))
    plain, cipher = check_pairs(plain, cipher)
    labels = check_image_groups(groups, len(plain))
    rng = np.random.default_rng(seed)
    if scramble == "images":
        labels = _parts(labels, FEWEST_MIXED, rng)
        source = _dealt(plain.shape, labels)
        other = _mixed(plain, source), _mixed(cipher, source)
    else:
        order = rng.permutation(plain.shape[1] * plain.shape[2])
        other = reordered(plain, order), reordered(cipher, order)
    run = _counted if estimator is None else partial(_asked, estimator)
    natural = run(plain, cipher, labels, seed)
    scrambled = run(*other, labels, seed)
    bits = _less(natural, scrambled)
    both = [_of_each(e, "influence", len(plain)) for e in (natural, scrambled)]
    folds = [_of_each(e, "fold of each", len(plain)) for e in (natural, scrambled)]
    # of so few parts of mixed images what each teaches differs more than what each says
    if scramble == "positions" and both[0] is not None and both[1] is not None:
        gained = both[0] - both[1]
        left, right = folds
        if left is not None and right is not None and np.array_equal(left, right):
            low, high = held_out_interval(bits, gained, labels, left)
        else:
            low, high = clustered_interval(bits, gained, labels)
    else:
        low, high = _jackknifed(bits, run, (plain, cipher), other, labels, seed, rng)
    name = f"natural less scrambled {scramble}: {natural.method}"
    difference = Estimate(bits, low, high, None, len(plain), name, "estimate")
    clear = natural.bits > 0 if natural.low is None else natural.low > 0
    return SpatialShare(natural, scrambled, difference, bits / natural.bits if clear else None)


def reordered(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Images with their positions in another order, all alike; colours stay together.

    Parameters
    ----------
    images : ndarray, shape (N, H, W) or (N, H, W, 3)
        Not changed.
    order : ndarray of int, shape (H * W,)
        Which position comes to each place, row by row.

    Examples
    --------
    >>> reordered(np.array([[[1, 2], [3, 4]]]), np.array([3, 2, 1, 0])).tolist()
    [[[4, 3], [2, 1]]]
    """
    return images.reshape(len(images), len(order), -1)[:, order].reshape(images.shape)


def _mixed(images: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Images whose positions stay, each from the image that `source` says."""
    flat = images.reshape(*source.shape, -1)
    return flat[source, np.arange(source.shape[1])].reshape(images.shape)


def _dealt(shape: tuple[int, ...], parts: np.ndarray) -> np.ndarray:
    """Of every image and position the image it comes from: not the one of its neighbours."""
    n, height, width = shape[:3]
    shift = (np.arange(height)[:, None] + 2 * np.arange(width)).ravel()
    source = np.empty((n, height * width), np.intp)
    for part in np.unique(parts):
        own = np.flatnonzero(parts == part)
        source[own] = own[(np.arange(len(own))[:, None] + shift) % len(own)]
    return source


def _parts(groups: np.ndarray, fewest: int, rng: np.random.Generator) -> np.ndarray:
    """Parts of whole groups, at most ten, each of so many groups at least."""
    count = len(np.unique(groups))
    parts = min(MOST_MIXED, count // fewest)
    if parts < 5:
        raise ValueError(
            f"{count} groups are too few for five parts of {fewest}; give more images of other "
            "photographs"
        )
    return split_by_group(groups, parts, rng)


def _less(one: Estimate, other: Estimate) -> float:
    """The first less the second, in bits; no information is below 0, whatever an estimate says."""
    return max(one.bits, 0.0) - max(other.bits, 0.0)


def _asked(
    run: Estimator, plain: np.ndarray, cipher: np.ndarray, groups: np.ndarray, seed: int
) -> Estimate:
    """What an estimator of a reader's own gives, if it is one; of copies, which it may change."""
    name = getattr(run, "__name__", type(run).__name__)
    given = run(plain.copy(), cipher.copy(), groups, seed)
    try:
        found = as_estimate(given, len(plain), name)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    if not math.isfinite(found.bits):
        raise ValueError(f"{name} gave {found.bits} bits")
    return found


def _of_each(estimate: Estimate, detail: str, n: int) -> np.ndarray | None:
    given = estimate.details.get(detail)
    return np.array(given) if isinstance(given, tuple) and len(given) == n else None


def _jackknifed(
    bits: float,
    run: Estimator,
    natural: tuple[np.ndarray, np.ndarray],
    mixed: tuple[np.ndarray, np.ndarray],
    groups: np.ndarray,
    seed: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Interval of the difference by leaving out a tenth of the groups in turn (Shao & Wu, 1989)."""
    count = min(PARTS, len(np.unique(groups)))
    part = split_by_group(groups, count, rng)

    def without(held: int) -> float:
        kept = part != held
        return _less(*(run(x[kept], y[kept], groups[kept], seed) for x, y in (natural, mixed)))

    found = np.array([without(held) for held in range(count)])
    error = math.sqrt((count - 1) / count * float(((found - found.mean()) ** 2).sum()))
    half = float(stdtrit(count - 1, 0.975)) * error
    return bits - half, bits + half
