"""Images whose information about each other is known: hidden bits of patches, noisy scenes.

Each function draws images and their ciphertexts; `exact` of what it returns is the value in bits.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtr

from leakage.arguments import check_seed
from leakage.estimate import Estimate, entropy
from leakage.schemes.base import scheme_name
from leakage.schemes.bit_planes import BitPlane
from leakage.truth.channels import check_positive

#: Templates of noisy scenes stay this far from 0 and 255, where clipping would leak.
MARGIN = 48


class PatchScenes(NamedTuple):
    """Bits hidden in each scene and in its partner, the images, and I(plain; cipher)."""

    hidden: np.ndarray
    partner: np.ndarray
    plain: np.ndarray
    cipher: np.ndarray
    exact: Estimate


def draw_patches(hidden: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """One scene a row of hidden bits, a patch a bit: a lying bar for 0, a standing one for 1.

    Position, thickness, brightness and noise are random; `read_patches` reads the bit whatever
    they are.

    Parameters
    ----------
    hidden : ndarray of bool, shape (N, P)
        P a square number.
    size : int
        Side of a patch in pixels, at least 8.
    rng : numpy.random.Generator
        Draws everything but the bits.

    Returns
    -------
    ndarray of uint8, shape (N, side * size, side * size)
        One scene a row of `hidden`, its patches in raster order; side is the root of P.

    Examples
    --------
    >>> hidden = np.array([[False, True, True, False]])
    >>> image = draw_patches(hidden, 16, np.random.default_rng(0))
    >>> image.shape, bool((read_patches(image, 16) == hidden).all())
    ((1, 32, 32), True)
    """
    n, count = hidden.shape
    side = math.isqrt(count)
    ground = rng.integers(40, 121, (n, count, 1, 1))
    lift = rng.integers(60, 121, (n, count, 1, 1))
    thickness = rng.integers(2, size // 4 + 1, (n, count, 1, 1))
    start = (rng.random((n, count, 1, 1)) * (size - thickness + 1)).astype(int)
    along = np.arange(size)[:, None]
    bar = (along >= start) & (along < start + thickness)  # (n, count, size, 1): lying
    bar = np.broadcast_to(bar, (n, count, size, size))
    bar = np.where(hidden[:, :, None, None], bar.swapaxes(2, 3), bar)
    noise = rng.integers(-4, 5, bar.shape)
    patches = (ground + lift * bar + noise).astype(np.uint8)
    tiled = patches.reshape(n, side, side, size, size).swapaxes(2, 3)
    return tiled.reshape(n, side * size, side * size)


def read_patches(images: np.ndarray, size: int) -> np.ndarray:
    """The hidden bits of `draw_patches`, from images alone.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, H)
        Scenes, H a multiple of `size`.
    size : int
        Side of a patch in pixels.

    Returns
    -------
    ndarray of bool, shape (N, P)
        Whether the bar of each patch stands, in raster order.

    Examples
    --------
    >>> image = np.zeros((1, 8, 8), np.uint8)
    >>> image[0, :, 3] = 255  # a standing bar
    >>> read_patches(image, 8).tolist()
    [[True]]
    """
    n, height, _ = images.shape
    side = height // size
    patches = images.reshape(n, side, size, side, size).swapaxes(2, 3).astype(float)
    across, down = patches.mean(3).var(-1), patches.mean(4).var(-1)
    return (across > down).reshape(n, side * side)


def patch_scenes(
    n: int,
    *,
    patches: int = 16,
    size: int = 16,
    flip: float = 0.0,
    encrypted: int = 0,
    erased: float = 0.0,
    seed: int = 0,
) -> PatchScenes:
    """Pairs of scenes with the same hidden bits, the second one selectively encrypted.

    The bits of a scene pass a binary symmetric channel, its partner is drawn anew from what comes
    out, and some of the partner's patches, or all of it, are encrypted. The two share nothing but
    the bits, and these can be read without error, so
    ``I = (1 - erased) (patches - encrypted) (1 - h2(flip))`` (after Lee & Rhee, 2024).

    Parameters
    ----------
    n : int
        Number of pairs.
    patches : int
        Hidden bits of each scene, a square number.
    size : int
        Side of a patch in pixels, at least 8.
    flip : float
        Probability that a bit changes on the way to the partner.
    encrypted : int
        Patches of the partner, the first ones, under AES-CTR with a fresh nonce.
    erased : float
        Probability that the whole partner is encrypted.
    seed : int
        Of bits, images and the key.

    Returns
    -------
    PatchScenes
        hidden and partner (n, patches) of bool, plain and cipher of uint8, and the exact value.

    Raises
    ------
    ValueError
        A number of patches that is no square, patches below 8 pixels, a probability outside 0 to
        1, more encrypted patches than there are.

    References
    ----------
    Lee & Rhee (2024), A benchmark suite for evaluating neural mutual information estimators on
    unstructured datasets, NeurIPS, section 3.

    Examples
    --------
    >>> round(patch_scenes(10, patches=16, encrypted=4, flip=0.11).exact.bits, 3)
    6.001
    """
    check_seed(seed)
    check_positive(n=n, patches=patches)
    side = math.isqrt(patches)
    if side * side != patches:
        raise ValueError(f"patches must be a square number, not {patches}")
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, not {size}")
    for name, value in (("flip", flip), ("erased", erased)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be 0 to 1, not {value}")
    if not 0 <= encrypted <= patches:
        raise ValueError(f"encrypted must be 0 to {patches}, not {encrypted}")
    rng = np.random.default_rng(seed)
    hidden = rng.integers(0, 2, (n, patches)).astype(bool)
    partner = hidden ^ (rng.random(hidden.shape) < flip)
    plain, other = draw_patches(hidden, size, rng), draw_patches(partner, size, rng)
    noise = BitPlane(bits=8).encrypt(other, rng.bytes(16))
    first = (np.arange(patches) < encrypted).reshape(side, side)
    covered = np.kron(first, np.ones((size, size), bool))
    whole = rng.random(n) < erased
    cipher = np.where(covered | whole[:, None, None], noise, other)
    kept = 1 - entropy(np.array([flip, 1 - flip]))
    bits = (1 - erased) * (patches - encrypted) * kept
    exact = Estimate(bits, bits, bits, None, n, "hidden bits of patches", "exact")
    return PatchScenes(hidden, partner, plain, cipher, exact)


class NoisyScenes(NamedTuple):
    """A secret index of each image, images, ciphertexts, and I(index; ciphertext)."""

    secret: np.ndarray
    plain: np.ndarray
    cipher: np.ndarray
    exact: Estimate


def noisy_scenes(
    scheme: BitPlane,
    *,
    draws: int = 400,
    templates: int = 64,
    size: int = 32,
    contrast: float = 12.0,
    noise: float = 12.0,
    seed: int = 0,
) -> NoisyScenes:
    """Photographs of one of several scenes: what the ciphertext tells about which one.

    A secret index picks one of `templates` smooth scenes, the camera adds quantised Gaussian
    noise, the scheme encrypts bit planes. The keystream is uniform, so the likelihood of a
    ciphertext factorises over pixels and depends on the clear planes only. The posterior of the
    index is therefore exact, and the information is the prior's entropy minus its mean entropy.

    Parameters
    ----------
    scheme : Scheme
        A ``bitplane`` scheme.
    draws, templates : int
        Number of images, and of equally likely scenes.
    size : int
        Side of the images in pixels.
    contrast, noise : float
        Standard deviations in grey levels, of the scenes and of the camera.
    seed : int
        Of scenes, draws and the key.

    Returns
    -------
    NoisyScenes
        secret (draws,), images of uint8 (draws, size, size), and an exact value but for the
        Monte-Carlo average over `draws`, whose 95 % interval it carries.

    Raises
    ------
    ValueError, TypeError
        Sizes below 1, fewer than two templates, another scheme.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> noisy_scenes(get_scheme("bitplane", bits=8), draws=10).exact.bits
    0.0
    """
    check_seed(seed)
    if not isinstance(scheme, BitPlane):
        raise TypeError(
            f"the exact value is known for bitplane schemes, not for {scheme_name(scheme)}"
        )
    check_positive(draws=draws, size=size, contrast=contrast, noise=noise)
    if templates < 2:
        raise ValueError(f"templates must be at least 2, not {templates}")
    rng = np.random.default_rng(seed)
    scenes = _smooth_scenes(rng, templates, size, contrast)
    secret = rng.integers(0, templates, draws)
    plain = np.clip(np.rint(scenes[secret] + noise * rng.normal(size=(draws, size, size))), 0, 255)
    plain = plain.astype(np.uint8)
    cipher = scheme.encrypt(plain, rng.bytes(16))

    # the clear planes' value is an index into tables of their probabilities, one row a grey level
    clear = np.arange(256) & ~scheme.mask
    values, place = np.unique(clear, return_inverse=True)
    edges = ndtr((np.arange(255) + 0.5 - np.arange(256)[:, None]) / noise)  # P(pixel <= v)
    of_pixel = np.diff(edges, prepend=0, append=1, axis=1)
    of_clear = np.stack([of_pixel[:, place == j].sum(1) for j in range(len(values))], axis=1)
    log_probability = np.log(np.maximum(of_clear, 1e-300))
    seen = place[cipher].reshape(draws, -1)
    log_likelihood = np.stack(
        [log_probability[scene.ravel(), seen].sum(1) for scene in scenes], axis=1
    )
    log_posterior = log_likelihood - logsumexp(log_likelihood, axis=1, keepdims=True)
    uncertainty = -(np.exp(log_posterior) * log_posterior).sum(1) / math.log(2)
    gained = math.log2(templates) - uncertainty
    # where nothing is clear, 0 and not a rounding error from it
    bits = max(0.0, float(gained.mean())) if len(values) > 1 else 0.0
    half = 1.96 * float(gained.std(ddof=1)) / math.sqrt(draws) if draws > 1 else None
    low, high = (None, None) if half is None else (bits - half, bits + half)
    exact = Estimate(bits, low, high, None, draws, "posterior of noisy scenes", "exact")
    return NoisyScenes(secret, plain, cipher, exact)


def _smooth_scenes(
    rng: np.random.Generator, templates: int, size: int, contrast: float
) -> np.ndarray:
    """Low-pass noise of given standard deviation around mid-grey, as integers off the margins."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)) * size
    spectrum = np.fft.rfft2(rng.normal(size=(templates, size, size))) / (1 + frequency)
    smooth = np.fft.irfft2(spectrum, (size, size))
    smooth *= contrast / smooth.std(axis=(1, 2), keepdims=True)
    return np.clip(np.rint(127.5 + smooth), MARGIN, 255 - MARGIN).astype(np.int64)
