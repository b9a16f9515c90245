"""How much two ciphertexts differ, after a change of one sample or of one bit of the key."""

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from leakage.arguments import check_images
from leakage.metrics.nulls import ENOUGH_SAMPLES, Null
from leakage.schemes.base import Scheme, scheme_name
from leakage.schemes.keyed_randomness import check_key

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def npcr(cipher: np.ndarray, other: np.ndarray, *, plain: np.ndarray) -> np.ndarray:
    """Number of changing pixels rate (Wu, Noonan and Agaian, 2011), 0 to 100 %.

    The share of samples that differ. A question to two ciphertexts, never to a plain image and its
    ciphertext, which is a common mistake. An array does not tell what it is, so the plain images
    must be shown, and whatever is one of them, or differs from it in a single sample, is refused.
    (So are ciphertexts of a scheme that changes nothing; `differential` knows what it encrypts and
    measures these too.)

    Parameters
    ----------
    cipher, other : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts of the same images, before and after the change.
    plain : ndarray of uint8
        The plain images, only to detect the mistake.

    Returns
    -------
    ndarray of float64, shape (N,)
        In %, of all samples.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, shapes differ, or one of the two is a plain image.

    Examples
    --------
    >>> plain = np.zeros((1, 2, 2), np.uint8)
    >>> cipher = np.array([[[5, 9], [200, 31]]], np.uint8)
    >>> npcr(cipher, cipher + np.array([[1, 0], [0, 0]], np.uint8), plain=plain).tolist()
    [25.0]
    >>> npcr(plain, cipher, plain=plain)
    Traceback (most recent call last):
    ...
    ValueError: cipher[0] is the plain image or differs from it in one sample only; this compares \
two ciphertexts, and leakage.metrics.differential(scheme, images, key) makes them
    """
    cipher, other = _check_ciphertexts(cipher, other, plain)
    return _npcr(cipher, other)


def uaci(cipher: np.ndarray, other: np.ndarray, *, plain: np.ndarray) -> np.ndarray:
    """Unified averaged changed intensity (Wu, Noonan and Agaian, 2011), 0 to 100 %.

    The mean absolute difference of samples, divided by 255, in signed integers: subtracting bytes
    as they are wraps around and gives 50 % on noise, not 33.46 %.

    Parameters
    ----------
    cipher, other : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts of the same images, before and after the change.
    plain : ndarray of uint8
        The plain images, only to detect the mistake that `npcr` describes.

    Returns
    -------
    ndarray of float64, shape (N,)
        In %, of the largest difference, 255.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, shapes differ, or one of the two is a plain image.

    Examples
    --------
    >>> plain = np.zeros((1, 1, 2), np.uint8)
    >>> one, other = (np.array([[v]], np.uint8) for v in ([255, 5], [5, 255]))
    >>> uaci(one, other, plain=plain).round(3).tolist()
    [98.039]
    """
    cipher, other = _check_ciphertexts(cipher, other, plain)
    return _uaci(cipher, other)


def nbcr(cipher: np.ndarray, other: np.ndarray, *, plain: np.ndarray) -> np.ndarray:
    """Number of bit changes rate, 0 to 100 %: the share of bits that differ.

    Parameters
    ----------
    cipher, other : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts of the same images, before and after the change.
    plain : ndarray of uint8
        The plain images, only to detect the mistake that `npcr` describes.

    Returns
    -------
    ndarray of float64, shape (N,)
        In %, of all bits.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, shapes differ, or one of the two is a plain image.

    Examples
    --------
    >>> plain = np.zeros((1, 1, 2), np.uint8)
    >>> one, other = (np.array([[v]], np.uint8) for v in ([255, 5], [15, 6]))
    >>> nbcr(one, other, plain=plain).tolist()
    [37.5]
    """
    cipher, other = _check_ciphertexts(cipher, other, plain)
    return _nbcr(cipher, other)


def npcr_null(samples: int) -> Null:
    """`npcr` of two ciphertexts that are noise: binomial, exact; the p-value is one-sided, low.

    Mean 100 F / (F + 1) with F = 255, variance 100² F / (F + 1)² / `samples` (Wu, Noonan and
    Agaian, 2011).

    Parameters
    ----------
    samples : int
        Of all images together.

    Returns
    -------
    Null
        In %, of the mean over the images.

    Examples
    --------
    >>> round(npcr_null(256**2).mean, 6), round(npcr_null(256**2).sd, 6)
    (99.609375, 0.024366)
    """
    return Null(binom(samples, 255 / 256), "low", unit=100 / samples, counts=True)


def uaci_null(samples: int) -> Null:
    """`uaci` of two ciphertexts that are noise: normal; the p-value is two-sided.

    Mean 100 (F + 2) / (3 F + 3) with F = 255, variance
    100² (F + 2) (F² + 2 F + 3) / (18 (F + 1)² F) / `samples` (Wu, Noonan and Agaian, 2011).

    Parameters
    ----------
    samples : int
        Of all images together.

    Returns
    -------
    Null
        In %, of the mean over the images; trusted from `ENOUGH_SAMPLES` samples.

    Examples
    --------
    >>> round(uaci_null(256**2).mean, 6), round(uaci_null(256**2).sd, 6)
    (33.463542, 0.092433)
    """
    f = 255
    variance = (f + 2) * (f**2 + 2 * f + 3) / (18 * (f + 1) ** 2 * f) / samples
    law = norm(100 * (f + 2) / (3 * f + 3), 100 * variance**0.5)
    return Null(law, "two-sided", trusted=samples >= ENOUGH_SAMPLES)


def nbcr_null(samples: int) -> Null:
    """`nbcr` of two ciphertexts that are noise: binomial, exact; the p-value is two-sided.

    Parameters
    ----------
    samples : int
        Of all images together.

    Returns
    -------
    Null
        In %, of the mean over the images.

    Examples
    --------
    >>> nbcr_null(200).mean, nbcr_null(200).sd
    (50.0, 1.25)
    """
    return Null(binom(8 * samples, 0.5), "two-sided", unit=12.5 / samples, counts=True)


def differential(
    scheme: Scheme, images: np.ndarray, key: bytes, *, first_index: int = 0, seed: int = 0
) -> pd.DataFrame:
    """NPCR, UACI and NBCR of each image, after a change of one sample, and of one bit of the key.

    The scheme encrypts each image, the image with the lowest bit of one random sample flipped, and
    the image under a key with one random bit flipped. All three have the same nonce: under fresh
    nonces every sound cipher passes, whatever it does with the change. Different images have
    different nonces, so that their values are independent. A stream cipher then changes one sample
    of the ciphertext, by construction: the measure tells of diffusion, which such a cipher neither
    has nor needs as long as no nonce is used twice.

    Parameters
    ----------
    scheme : Scheme
        That `get_scheme` gave.
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Plain images.
    key : bytes
        At least 16 bytes; all are open to the flip.
    first_index : int
        Nonce of the first image.
    seed : int
        Of the choice of samples and of the bit of the key.

    Returns
    -------
    DataFrame
        A row an image, columns ``"NPCR, pixel changed, %"``, the same of UACI and NBCR, and
        ``"NPCR, key bit flipped, %"`` and so on, each in %.

    Raises
    ------
    TypeError, ValueError
        No scheme, no uint8 images, a key that is no bytes or too short.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> image = np.zeros((1, 10, 10), np.uint8)
    >>> changes = differential(get_scheme("bitplane", bits=8), image, bytes(16))
    >>> changes["NPCR, pixel changed, %"].tolist()
    [1.0]
    """
    if not isinstance(scheme, Scheme):
        raise TypeError(
            f"scheme must be a Scheme, from leakage.get_scheme, not {scheme_name(scheme)}"
        )
    images = check_images(images)
    key = check_key(key)
    rng = np.random.default_rng(seed)
    changed = np.array(images, order="C")
    place = rng.integers(images[0].size, size=len(images))
    changed.reshape(len(images), -1)[np.arange(len(images)), place] ^= 1
    bit = 1 << int(rng.integers(8 * len(key)))
    near = (int.from_bytes(key, "big") ^ bit).to_bytes(len(key), "big")
    cipher = scheme.encrypt(images, key, first_index=first_index)
    others = {
        "pixel changed": scheme.encrypt(changed, key, first_index=first_index),
        "key bit flipped": scheme.encrypt(images, near, first_index=first_index),
    }
    columns = {
        f"{name}, {change}, %": rate(cipher, other)
        for change, other in others.items()
        for name, rate in (("NPCR", _npcr), ("UACI", _uaci), ("NBCR", _nbcr))
    }
    return pd.DataFrame(columns)


def _check_ciphertexts(
    cipher: object, other: object, plain: object
) -> tuple[np.ndarray, np.ndarray]:
    plain = check_images(plain, "plain")
    pair = check_images(cipher, "cipher"), check_images(other, "other")
    for name, images in zip(("cipher", "other"), pair, strict=True):
        if images.shape != plain.shape:
            raise ValueError(
                f"{name} has shape {images.shape}, plain {plain.shape}; give the ciphertexts of "
                "the same images"
            )
        differ = np.count_nonzero((images != plain).reshape(len(plain), -1), axis=1)
        # an image of one sample can differ in no more than that
        known = np.flatnonzero(differ <= min(1, plain[0].size - 1))
        if len(known):
            raise ValueError(
                f"{name}[{known[0]}] is the plain image or differs from it in one sample only; "
                "this compares two ciphertexts, and leakage.metrics.differential(scheme, images, "
                "key) makes them"
            )
    return pair


def _percent(values: np.ndarray, most: int) -> np.ndarray:
    return 100 * values.reshape(len(values), -1).mean(axis=1) / most


def _npcr(cipher: np.ndarray, other: np.ndarray) -> np.ndarray:
    return _percent(cipher != other, 1)


def _uaci(cipher: np.ndarray, other: np.ndarray) -> np.ndarray:
    return _percent(np.abs(cipher.astype(np.int16) - other), 255)


def _nbcr(cipher: np.ndarray, other: np.ndarray) -> np.ndarray:
    return _percent(_ONES[cipher ^ other], 8)
