"""Attacks on what a scheme leaves in the open: folded samples, shared keystream, JPEG's zeros."""

from typing import NamedTuple

import numpy as np

from leakage.arguments import check_images


def fold(cipher: np.ndarray) -> np.ndarray:
    """Fold samples at 128, so that inversions of single samples vanish (Chang and Case, 2020).

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Some of whose samples v are 255 - v, whichever.

    Returns
    -------
    ndarray of uint8, of the shape of `cipher`
        Twice min(v, 255 - v) of every sample.

    Raises
    ------
    TypeError, ValueError
        `cipher` is no array of images.

    References
    ----------
    Chang and Case (2020), Attacks on image encryption schemes for privacy-preserving deep neural
    networks.

    Examples
    --------
    >>> fold(np.array([[[0, 255, 100, 155]]], np.uint8)).ravel().tolist()
    [0, 0, 200, 200]
    """
    cipher = check_images(cipher)
    return 2 * np.minimum(cipher, 255 - cipher)


def many_time_pad(ciphers: np.ndarray, known: np.ndarray | int = 0) -> np.ndarray:
    """Images under one keystream, from the first of them: c_i XOR c_0 XOR the first image.

    Parameters
    ----------
    ciphers : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        At least two that share a keystream.
    known : ndarray of uint8 of the shape of one image, or int
        The first plain image, or its grey level if it is flat. With 0 the result is the XOR of
        the first and every other image, in which the outlines of both show.

    Returns
    -------
    ndarray of uint8, shape (N - 1, H, W) or (N - 1, H, W, 3)
        Pictures of ``ciphers[1:]``.

    Raises
    ------
    ValueError
        Fewer than two ciphertexts, or `known` is no image of their shape and no grey level.

    Examples
    --------
    >>> many_time_pad(np.array([[[7 ^ 99]], [[5 ^ 99]]], np.uint8), known=7).ravel().tolist()
    [5]
    """
    ciphers = check_images(ciphers)
    if len(ciphers) < 2:
        raise ValueError("it takes at least two ciphertexts under one keystream")
    first = np.asarray(known)
    flat = first.ndim == 0 and first.dtype.kind in "iu" and 0 <= first <= 255
    if not flat and (first.shape != ciphers.shape[1:] or first.dtype != np.uint8):
        raise ValueError(
            f"known must be a uint8 image of shape {ciphers.shape[1:]} or a grey level from 0 to "
            f"255, not {first.dtype} {first.shape}"
        )
    return ciphers[1:] ^ ciphers[0] ^ first.astype(np.uint8)


class Sketch(NamedTuple):
    """An outline of an image, at one eighth of its size.

    Attributes
    ----------
    counts : ndarray of uint8, shape (rows of blocks, columns of blocks)
        AC coefficients of every block of luma that are not 0, 0 to 63.
    energy : ndarray of float, of the same shape
        Sum of the squares of its quantised AC coefficients.

    Examples
    --------
    >>> from leakage.schemes.jpeg_coding import compressed
    >>> found = jpeg_sketch(compressed(np.zeros((16, 8), np.uint8), 75))
    >>> found.counts.shape, float(found.energy.max())
    ((2, 1), 0.0)
    """

    counts: np.ndarray
    energy: np.ndarray


def jpeg_sketch(data: bytes) -> Sketch:
    """Busy and flat blocks of a JPEG file, whose signs or amplitudes may be encrypted.

    Counts survive the encryption of signs and of amplitudes, energy that of signs (Li and Yuan,
    2007; Minemura, Moayed, Wong, Qi and Tanaka, 2012).

    Parameters
    ----------
    data : bytes
        A JPEG file, for instance ``encrypt_jpeg(...).data``.

    Returns
    -------
    Sketch
        Counts and energy of the blocks of luma.

    Raises
    ------
    ValueError
        Not a JPEG file, or a damaged one.

    Examples
    --------
    >>> from leakage.schemes.jpeg_coding import compressed
    >>> jpeg_sketch(compressed(np.zeros((16, 8), np.uint8), 75)).counts.tolist()
    [[0], [0]]
    """
    from leakage.schemes.jpeg_coding import read_coefficients

    luma = read_coefficients(data)[0]
    ac = luma.reshape(*luma.shape[:2], 64)[..., 1:].astype(float)
    return Sketch(np.count_nonzero(ac, axis=2).astype(np.uint8), (ac**2).sum(2))
