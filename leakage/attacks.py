"""Adversaries: what the bits that leak are good for.

Each attack sees ciphertexts, and what its text says beyond them. Success is counted and comes with
an exact binomial interval (Clopper & Pearson, 1934), beside what guessing gives.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.optimize import brentq
from scipy.stats import binomtest

from leakage.evidence import check_samples, split_by_group
from leakage.images import check_images


@dataclass(frozen=True)
class Attack:
    """What an attack achieved.

    Attributes
    ----------
    name : str
        Of the attack.
    rate : float
        Share of trials that succeeded.
    low, high : float
        95 % interval of the rate.
    chance : float
        Rate of guessing.
    n : int
        Number of trials.
    success : str
        What counts as one.
    pictures : ndarray of uint8 or None
        What the attack makes of the ciphertexts.
    """

    name: str
    rate: float
    low: float
    high: float
    chance: float
    n: int
    success: str
    pictures: np.ndarray | None = None


def counted(
    name: str, hits: int, n: int, chance: float, success: str, pictures: np.ndarray | None = None
) -> Attack:
    """An `Attack` from its count of successes.

    Examples
    --------
    >>> found = counted("guess", 50, 100, 0.5, "right")
    >>> found.rate, round(found.low, 2), round(found.high, 2)
    (0.5, 0.4, 0.6)
    """
    low, high = binomtest(int(hits), int(n)).proportion_ci(method="exact")
    return Attack(name, hits / n, float(low), float(high), chance, int(n), success, pictures)


def success_bound(bits: float, candidates: int) -> float:
    """Largest chance to name one of M equally likely candidates when `bits` of it are known.

    Fano's inequality, solved for the success probability: the rate of errors e has
    h(e) + e log2(M - 1) >= log2(M) - bits (Cover & Thomas, 2006, theorem 2.10.1).

    Examples
    --------
    >>> success_bound(0.0, 16), success_bound(4.0, 16)
    (0.0625, 1.0)
    """
    _check_candidates(candidates)
    if bits <= 0:
        return 1 / candidates
    if bits >= math.log2(candidates):
        return 1.0
    return float(
        brentq(lambda rate: bits_from_success(rate, candidates) - bits, 1 / candidates, 1.0)
    )


def bits_from_success(rate: float, candidates: int) -> float:
    """Least information that names one of M equally likely candidates at this rate.

    The inverse of `success_bound`; 0 at the rate of guessing or below.

    Examples
    --------
    >>> bits_from_success(1.0, 16), bits_from_success(1 / 16, 16)
    (4.0, 0.0)
    """
    _check_candidates(candidates)
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be from 0 to 1, not {rate}")
    if rate <= 1 / candidates:
        return 0.0
    wrong = 1 - rate
    noise = sum(-p * math.log2(p) for p in (wrong, rate) if p > 0)
    return math.log2(candidates) - noise - wrong * math.log2(max(candidates - 1, 1))


def _check_candidates(candidates: int) -> None:
    if candidates < 2:
        raise ValueError(f"there must be at least 2 candidates, not {candidates}")


def replace_planes(cipher: np.ndarray, bits: int) -> np.ndarray:
    """Put a half in place of the `bits` most significant planes (Podesser, Schmidt & Uhl, 2002).

    Examples
    --------
    >>> replace_planes(np.array([[[0b11100101]]], np.uint8), 3).item() == 0b10000101
    True
    """
    check_images(cipher)
    _check_planes(bits)
    return cipher & np.uint8((1 << (8 - bits)) - 1) | np.uint8(128)


def _check_planes(bits: int) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 1 <= bits <= 7:
        raise ValueError(f"bits must be the number of encrypted planes, 1 to 7, not {bits!r}")


def unwrap_planes(cipher: np.ndarray, bits: int) -> np.ndarray:
    """Guess the `bits` most significant planes from the clear ones and from smoothness.

    The clear planes are the image modulo 2**(8 - bits). From one corner on, each sample gets the
    top bits that bring it nearest to its prediction from three neighbours (the median edge
    detector of Weinberger, Seroussi & Sapiro, 2000). All four corners and all top bits of the
    first sample are tried; the image of the least total variation is kept.

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W)
        Under ``get_scheme("bitplane", bits=bits)``.
    bits : int
        1 to 7.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Examples
    --------
    >>> image = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)[None] * 4
    >>> np.array_equal(unwrap_planes(image & 127, 1), image)
    True
    """
    check_images(cipher)
    _check_planes(bits)
    if cipher.ndim != 3:
        raise ValueError("give gray images, (N, H, W), or one channel at a time")
    step = 1 << (8 - bits)
    clear = (cipher & np.uint8(step - 1)).astype(np.int16)
    best, least = np.zeros_like(clear), np.full(len(clear), np.inf)
    for down in (False, True):
        for right in (False, True):
            flipped = clear[:, :: -1 if down else 1, :: -1 if right else 1]
            for start in range(1 << bits):
                found = _unwrapped(flipped, step, start)
                found = found[:, :: -1 if down else 1, :: -1 if right else 1]
                rough = sum(np.abs(np.diff(found, axis=a)).sum((1, 2)) for a in (1, 2))
                better = rough < least
                best[better], least[better] = found[better], rough[better]
    return best.astype(np.uint8)


def _unwrapped(clear: np.ndarray, step: int, start: int) -> np.ndarray:
    """From the first corner on, one diagonal at a time: their samples know all they need."""
    _, height, width = clear.shape
    found = np.zeros_like(clear)
    found[:, 0, 0] = clear[:, 0, 0] + step * start
    most = 256 // step - 1
    for diagonal in range(1, height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns = diagonal - rows
        left = found[:, rows, np.maximum(columns - 1, 0)]
        above = found[:, np.maximum(rows - 1, 0), columns]
        corner = found[:, np.maximum(rows - 1, 0), np.maximum(columns - 1, 0)]
        left = np.where(columns == 0, above, left)
        above = np.where(rows == 0, left, above)
        corner = np.where((rows == 0) | (columns == 0), left, corner)
        low, high = np.minimum(left, above), np.maximum(left, above)
        guess = np.where(corner >= high, low, np.where(corner <= low, high, left + above - corner))
        known = clear[:, rows, columns]
        turns = np.clip((guess - known + step // 2) // step, 0, most)
        found[:, rows, columns] = known + step * turns
    return found


def fold(cipher: np.ndarray) -> np.ndarray:
    """min(v, 255 - v), twice as bright: undoes inversions of single samples (Chang & Case, 2020).

    Examples
    --------
    >>> fold(np.array([[[0, 255, 100, 155]]], np.uint8)).ravel().tolist()
    [0, 0, 200, 200]
    """
    check_images(cipher)
    return 2 * np.minimum(cipher, 255 - cipher)


def many_time_pad(ciphers: np.ndarray) -> np.ndarray:
    """XOR of each ciphertext with the next: of the two images, if they share a keystream.

    Examples
    --------
    >>> many_time_pad(np.array([[[7 ^ 99]], [[5 ^ 99]]], np.uint8)).ravel().tolist()
    [2]
    """
    check_images(ciphers)
    if len(ciphers) < 2:
        raise ValueError("it takes at least two ciphertexts under one keystream")
    return ciphers[:-1] ^ ciphers[1:]


def recover_permutation(
    encrypt: Callable[[np.ndarray], np.ndarray], height: int, width: int
) -> np.ndarray:
    """The places of a fixed permutation, from ceil(log256(H W)) chosen images (Li & Lo, 2011).

    Parameters
    ----------
    encrypt : callable
        Encrypts images of shape (1, H, W), each time under the same permutation of pixels.
    height, width : int
        Of the images.

    Returns
    -------
    ndarray of int64, shape (H * W,)
        ``cipher.ravel()[i]`` is ``plain.ravel()[places[i]]``.

    Raises
    ------
    ValueError
        What `encrypt` does is no permutation.

    Examples
    --------
    >>> recover_permutation(lambda images: images[:, ::-1], 3, 1).tolist()
    [2, 1, 0]
    """
    numbers = np.arange(height * width)
    places = np.zeros(height * width, np.int64)
    for digit in range(max(1, math.ceil(math.log(height * width, 256) - 1e-12))):
        chosen = (numbers >> 8 * digit & 255).astype(np.uint8).reshape(1, height, width)
        places |= encrypt(chosen).ravel().astype(np.int64) << 8 * digit
    if not np.array_equal(np.sort(places), numbers):
        raise ValueError("this is no fixed permutation of pixels")
    return places


def jpeg_sketch(data: bytes) -> np.ndarray:
    """Number of non-zero AC coefficients of every block of luma (Li & Yuan, 2007).

    Returns
    -------
    ndarray of uint8, shape (rows of blocks, columns of blocks)
        0 to 63.

    Examples
    --------
    >>> from leakage.schemes.jpeg_coding import compressed
    >>> jpeg_sketch(compressed(np.zeros((16, 8), np.uint8), 75)).tolist()
    [[0], [0]]
    """
    from leakage.schemes.jpeg_coding import read_coefficients

    luma = read_coefficients(data)[0]
    return np.count_nonzero(luma.reshape(*luma.shape[:2], 64)[..., 1:], axis=2).astype(np.uint8)


def identify(pictures: np.ndarray, plain: np.ndarray, name: str = "identify") -> Attack:
    """Does a picture that an attack made fit its own image best, among all?

    Fit is the absolute correlation after a mean over 3 x 3 pixels.

    Parameters
    ----------
    pictures, plain : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Paired.
    name : str
        Of the attack that made the pictures.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 16, 16)).astype(np.uint8)
    >>> identify(images, images).rate
    1.0
    """
    check_images(pictures, "pictures"), check_images(plain, "plain")
    if pictures.shape != plain.shape or len(plain) < 2:
        raise ValueError(
            f"pictures have shape {pictures.shape}, plain {plain.shape}; they are pairs, at least 2"
        )
    a, b = (_smooth_scores(images) for images in (pictures, plain))
    fit = np.abs(a @ b.T)
    hits = int((fit.argmax(1) == np.arange(len(fit))).sum())
    success = f"the image comes first among {len(plain)}"
    return counted(name, hits, len(plain), 1 / len(plain), success, pictures)


def _smooth_scores(images: np.ndarray) -> np.ndarray:
    size = (1, 3, 3, 1)[: images.ndim]
    flat = uniform_filter(images.astype(np.float32), size).reshape(len(images), -1)
    flat -= flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def reidentify(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    first: int = 1,
    seed: int = 0,
    components: int = 32,
) -> Attack:
    """Find the image of a ciphertext among those of a fold, by what was learnt on the others.

    The images are ranked by the likelihood ratio of a Gaussian with the canonical correlations of
    the other folds.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Vectors of images and of their ciphertexts, paired.
    groups, folds, seed, components
        As of `leakage.canonical_test`.
    first : int
        Success is to be among the `first` best.

    Returns
    -------
    Attack
        `chance` is that of a random order.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> reidentify(x, x).rate > 0.9
    True
    """
    from leakage.critics import canonical_critic, one_thread, whitened

    x, y, groups = check_samples(x, y, groups, folds)
    if first < 1:
        raise ValueError(f"first must be at least 1, not {first}")
    fold = split_by_group(groups, folds, np.random.default_rng(seed))
    hits, chance = 0, 0.0
    for test in range(folds):
        fit, rows = np.flatnonzero(fold != test), np.flatnonzero(fold == test)
        with one_thread():
            some = min(components, len(fit) // 4)
            a, b = (whitened(v, fit, some, seed) for v in (x, y))
            scores = canonical_critic(a, b, fit, "even").scores(rows)
        # rows are images, columns ciphertexts; images of equal score count against the attack
        hits += int(((scores >= scores.diagonal()).sum(0) <= first).sum())
        chance += min(first, len(rows))
    success = f"the image is among the first {first} of about {len(x) // folds}"
    return counted("reidentify", hits, len(x), chance / len(x), success)
