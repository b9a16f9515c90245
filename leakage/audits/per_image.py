"""What each image's ciphertext has in common with it, beside another image's: for comparisons.

No score is learnt. So an image's score depends on its own pair and on that of its partner alone,
and two schemes on the same images may be exchanged image by image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from leakage.audits.couples import kinds_of
from leakage.audits.pairs import Pairs
from leakage.estimate import entropy
from leakage.evidence.samples import merged
from leakage.pictures.value_counts import value_counts

#: What the scores count, by view: each is that of the own ciphertext less that of another's.
VIEWS = {
    "bit planes": "bits a sample, a bit plane with the same one of the ciphertext",
    "half bytes": "bits a sample, a half byte with the same one of the ciphertext",
    "neighbourhoods": "bits a patch of 8 x 8, by correlated means and spreads",
    "histograms": "1 where the histogram fits better than another ciphertext's, -1 where worse",
}
#: Images that are scored: more of them change nothing in what is found.
MOST = 1000

_PATCH = 8
_SAMPLES = 1 << 20  # of an image that are counted
_BITS = (np.arange(256) >> np.arange(8)[:, None]) & 1


@dataclass(frozen=True)
class ImageScores:
    """Scores of images, so that two schemes on the same images can be compared.

    Attributes
    ----------
    images : tuple of str
        A digest of each image that was scored.
    units : tuple of int
        Images that share one are not independent: of one source, or partners.
    clear : tuple of int
        Bit planes of each image that its ciphertext shows unchanged, as a byte. A plane in which
        the image is constant does not count.
    views : dict of str to tuple of float
        A score an image, by the name of the view; see `VIEWS`.
    numbers : tuple of int
        Which pairs of the audit they are.
    """

    images: tuple[str, ...]
    units: tuple[int, ...]
    clear: tuple[int, ...]
    views: dict[str, tuple[float, ...]]
    numbers: tuple[int, ...]


def image_scores(pairs: Pairs, groups: np.ndarray, most: int = MOST) -> ImageScores:
    """Score each image's own ciphertext beside that of a partner of the same shape.

    Parameters
    ----------
    pairs : Pairs
        Images and ciphertexts.
    groups : ndarray of int, shape (N,)
        Source of each pair; partners are of two sources.
    most : int
        Images that are scored at most, of random sources.

    Returns
    -------
    ImageScores
        Images without a partner of their shape are left out.

    Examples
    --------
    >>> from leakage.audits.pairs import from_arrays
    >>> images = np.random.default_rng(0).integers(0, 256, (6, 32, 32), np.uint8)
    >>> scores = image_scores(from_arrays(images, images), np.arange(6))
    >>> scores.clear, [round(s) for s in scores.views["bit planes"]]
    ((255, 255, 255, 255, 255, 255), [8, 8, 8, 8, 8, 8])
    """
    chosen = list(_partners(pairs, groups, most))
    read = lru_cache(maxsize=2)(pairs.read)  # partners follow each other
    units = _joined(groups, chosen)
    digests, clear, rows = [], [], []
    for own, partner in chosen:
        plain, cipher = read(own)
        digests.append(digest_of(plain))
        clear.append(_clear_planes(plain, cipher))
        rows.append(_scores(plain, cipher, read(partner)[1]))
    table = np.array(rows).reshape(-1, len(VIEWS)).round(6)
    views = {name: tuple(column.tolist()) for name, column in zip(VIEWS, table.T, strict=True)}
    numbers = tuple(own for own, _ in chosen)
    return ImageScores(tuple(digests), units, tuple(clear), views, numbers)


def digest_of(image: np.ndarray) -> str:
    """By which the images of two audits are known to be the same.

    Examples
    --------
    >>> digest_of(np.zeros((8, 8), np.uint8))
    '88939ddc986e59dd'
    """
    return blake2b(image.tobytes(), digest_size=8).hexdigest()


def _partners(pairs: Pairs, groups: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Numbers of images, each with one of another source that has its shape."""
    rng = np.random.default_rng(0)  # the same couples for whoever encrypts the same images
    shapes = kinds_of(pairs.shapes)
    taken = 0
    for shape in range(shapes.max() + 1):
        inside = np.flatnonzero(shapes == shape)
        sources = [inside[groups[inside] == g] for g in rng.permutation(np.unique(groups[inside]))]
        for couple in _couples(sources):
            if taken >= most:
                return
            for members, others in zip(couple, [*couple[1:], couple[0]], strict=True):
                yield from ((int(i), int(others[k % len(others)])) for k, i in enumerate(members))
                taken += len(members)


def _couples(sources: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Sources by two, the last three together where their number is odd; none of one alone."""
    couples = [sources[i : i + 2] for i in range(0, len(sources) - 1, 2)]
    if couples and len(sources) % 2:
        couples[-1] = [*couples[-1], sources[-1]]
    return couples


def _joined(groups: np.ndarray, chosen: list[tuple[int, int]]) -> tuple[int, ...]:
    """Which images belong together when sources stay whole, and partners too."""
    if not chosen:
        return ()
    labels = np.unique(groups, return_inverse=True)[1]
    own, partner = labels[np.array(chosen)].T
    numbers = np.arange(len(own))  # what an image and its partner share
    together = merged(np.concatenate([own, partner]), np.tile(numbers, 2))[: len(own)]
    return tuple(np.unique(together, return_inverse=True)[1].tolist())


def _clear_planes(plain: np.ndarray, cipher: np.ndarray) -> int:
    changed = int(np.bitwise_or.reduce(plain ^ cipher, axis=None))
    varied = int(np.bitwise_or.reduce(plain ^ plain.flat[0], axis=None))
    return varied & ~changed


def _scores(plain: np.ndarray, cipher: np.ndarray, other: np.ndarray) -> list[float]:
    own, swapped = ([*_counted(plain, c), _alike_patches(plain, c)] for c in (cipher, other))
    better = np.sign(_alike_histograms(plain, cipher) - _alike_histograms(plain, other))
    return [*np.subtract(own, swapped).tolist(), float(better)]


def _step(image: np.ndarray) -> int:
    """Every so manieth sample, or row of patches, is counted."""
    return -(-image.size // _SAMPLES)


def _counted(plain: np.ndarray, cipher: np.ndarray) -> tuple[float, float]:
    """Information between bit planes, and between half bytes, of samples, in bits a sample."""
    step = _step(plain)
    codes = plain.ravel()[::step].astype(np.int32) << 8 | cipher.ravel()[::step]
    table = np.bincount(codes, minlength=1 << 16).reshape(256, 256)
    both = (_BITS @ table * _BITS).sum(1)  # how often a bit is 1 on both sides
    one, other = _BITS @ table.sum(1), _BITS @ table.sum(0)
    n = table.sum()
    planes = sum(
        _information(np.array([[n - x - c + b, c - b], [x - b, b]]))
        for b, x, c in zip(both, one, other, strict=True)
    )
    halves = table.reshape(16, 16, 16, 16)
    return planes, sum(_information(halves.sum(axes)) for axes in ((1, 3), (0, 2)))


def _information(table: np.ndarray) -> float:
    return entropy(table.sum(0)) + entropy(table.sum(1)) - entropy(table.ravel())


def _alike_patches(plain: np.ndarray, cipher: np.ndarray) -> float:
    """Information of patches if their means, and their spreads, were jointly normal."""
    bits = 0.0
    for one, other in zip(_patches(plain), _patches(cipher), strict=True):
        if np.ptp(one) > 0 and np.ptp(other) > 0:
            r = np.corrcoef(one, other)[0, 1]
            bits -= 0.5 * float(np.log2(max(1 - r**2, 1e-6)))
    return bits


def _patches(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    high, wide = (length // _PATCH for length in image.shape[:2])
    rows = image[: high * _PATCH].reshape(high, _PATCH, *image.shape[1:])[:: _step(image)]
    cut = rows[:, :, : wide * _PATCH].astype(np.float32).reshape(len(rows), _PATCH, wide, -1)
    return cut.mean((1, 3)).ravel(), np.log1p(cut.std((1, 3))).ravel()


def _alike_histograms(plain: np.ndarray, cipher: np.ndarray) -> float:
    """How alike histograms are, as they stand and sorted, for values may have other names."""
    one, other = (
        np.sqrt(value_counts(image.ravel()[:: _step(image)])) for image in (plain, cipher)
    )
    return float(one @ other + np.sort(one) @ np.sort(other))
