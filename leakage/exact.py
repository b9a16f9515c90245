"""What a scheme leaks in closed form on given images, in bits a sample."""

import math

import numpy as np

from leakage.estimate import Estimate
from leakage.images import check_images
from leakage.schemes import Scheme
from leakage.schemes.bit_planes import BitPlane, NonzeroKey


def entropy(counts: np.ndarray) -> float:
    """Shannon entropy in bits of a distribution proportional to `counts`.

    Examples
    --------
    >>> entropy(np.array([1, 1, 2]))
    1.5
    """
    p = np.asarray(counts, float).ravel()
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum()) + 0.0  # not -0.0


def exact_leakage(scheme: Scheme, images: np.ndarray) -> Estimate:
    """Mutual information of one sample (a pixel, or one channel of it) and its ciphertext.

    The distribution of the sample is the histogram of `images`; the key is fresh for every image
    and ideal. Dependence between neighbouring samples is not counted: the value is neither an
    upper nor a lower bound of the leakage of whole images divided by their size.

    Parameters
    ----------
    scheme : Scheme
        ``bitplane``: the clear planes, so H(P and not mask). ``nonzero-key`` on m bits, with L the
        clear planes and C the encrypted ones: H(L) + H(C | L) - log2(2**m - 1).
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Plain images.

    Returns
    -------
    Estimate
        ``kind="exact"``, in bits a sample; `n` counts samples.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> exact_leakage(get_scheme("bitplane", bits=3), image).bits
    5.0
    >>> round(exact_leakage(get_scheme("nonzero-key", bits=2), image).bits, 3)
    6.415
    """
    counts = np.bincount(check_images(images).ravel(), minlength=256)
    if isinstance(scheme, BitPlane):
        clear = np.arange(256) & ~scheme.mask
        bits = entropy(np.bincount(clear, weights=counts))
    elif isinstance(scheme, NonzeroKey):
        bits = _nonzero_key_leakage(counts, scheme.bits)
    else:
        raise ValueError(f"no closed form is known for {scheme!r}")
    return Estimate(bits, bits, bits, None, int(counts.sum()), "closed form", "exact")


def capacity(scheme: Scheme) -> Estimate:
    """Largest mutual information of a sample and its ciphertext over all distributions of samples.

    It depends on no image, so it holds for every one: an upper bound of `exact_leakage`. Uniform
    samples reach it.

    Parameters
    ----------
    scheme : Scheme
        ``bitplane`` with k planes: 8 - k. ``nonzero-key`` on m bits: 8 - log2(2**m - 1).

    Examples
    --------
    >>> from leakage import get_scheme
    >>> [capacity(get_scheme(name, bits=1)).bits for name in ("bitplane", "nonzero-key")]
    [7.0, 8.0]
    """
    if isinstance(scheme, BitPlane):
        bits = 8.0 - int(scheme.mask).bit_count()
    elif isinstance(scheme, NonzeroKey):
        bits = 8 - math.log2((1 << scheme.bits) - 1) if scheme.bits else 8.0
    else:
        raise ValueError(f"no closed form is known for {scheme!r}")
    return Estimate(bits, bits, bits, None, 0, "capacity", "exact")


def _nonzero_key_leakage(counts: np.ndarray, bits: int) -> float:
    if bits == 0:
        return entropy(counts)
    symbols = 1 << bits
    joint = counts.reshape(symbols, -1).T / counts.sum()  # rows: low bits, columns: high bits
    low = joint.sum(1, keepdims=True)
    # given the low bits, a ciphertext symbol arises from each of the other symbols equally often
    cipher = (low - joint) / (symbols - 1)
    return entropy(cipher) - math.log2(symbols - 1)
