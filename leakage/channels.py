"""Channels whose mutual information is known, for trying estimators where the truth is at hand.

Each function draws pairs; `exact` of what it returns is the value in bits.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import beta, digamma, logsumexp, ndtr

from leakage.estimate import Estimate
from leakage.schemes.bit_planes import BitPlane

#: Templates of noisy scenes stay this far from 0 and 255, where clipping would leak.
MARGIN = 48


class Pairs(NamedTuple):
    """Paired samples, one row each, and the mutual information of the channel they come from."""

    x: np.ndarray
    y: np.ndarray
    exact: Estimate


def _pairs(x: np.ndarray, y: np.ndarray, bits: float, name: str) -> Pairs:
    return Pairs(x, y, Estimate(bits, bits, bits, None, len(x), name, "exact"))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")


def gaussian(
    n: int,
    *,
    dimensions: int = 1,
    bits: float = 1.0,
    active: int | None = None,
    transform: Literal["none", "cubic", "asinh"] = "none",
    seed: int = 0,
) -> Pairs:
    """Gaussian vectors whose first `active` coordinates are correlated, one to one.

    Parameters
    ----------
    n, dimensions : int
        Number of pairs, and of coordinates of each side.
    bits : float
        Mutual information, shared equally: ``rho**2 = 1 - 2**(-2 bits / active)``.
    active : int, optional
        Correlated coordinates, all by default; few of many is the sparse case.
    transform : {"none", "cubic", "asinh"}
        Applied to each coordinate of both sides: monotone, so the value stays.
    seed : int
        Of the draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, dimensions).

    Raises
    ------
    ValueError
        A size below 1, negative bits, `active` outside 1..dimensions, an unknown transform.

    References
    ----------
    Cover & Thomas (2006), example 8.5.1.

    Examples
    --------
    >>> x, y, exact = gaussian(1000, dimensions=5, bits=2.0)
    >>> x.shape, exact.bits
    ((1000, 5), 2.0)
    """
    transforms = {"none": lambda v: v, "cubic": lambda v: v**3, "asinh": np.arcsinh}
    if transform not in transforms:
        raise ValueError(f"transform must be one of {', '.join(transforms)}, not {transform!r}")
    active = dimensions if active is None else active
    _positive(n=n, dimensions=dimensions)
    if not 1 <= active <= dimensions:
        raise ValueError(f"active must be 1 to {dimensions}, not {active}")
    if bits < 0:
        raise ValueError(f"bits must not be negative, not {bits}")
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, dimensions))
    rho = math.sqrt(1 - 2 ** (-2 * bits / active))
    y[:, :active] = rho * x[:, :active] + math.sqrt(1 - rho**2) * y[:, :active]
    apply = transforms[transform]
    return _pairs(apply(x), apply(y), bits, f"Gaussian, {active} of {dimensions} coordinates")


def clusters(n: int, *, count: int = 10, dimensions: int = 16, seed: int = 0) -> Pairs:
    """A shared cluster index, seen in each vector as one of `count` far apart centres: log2 count.

    Given the index the vectors are independent; centres are at least 20 standard deviations apart,
    so the index can be read off either side.

    Examples
    --------
    >>> clusters(100, count=8).exact.bits
    3.0
    """
    _positive(n=n, count=count, dimensions=dimensions)
    rng = np.random.default_rng(seed)
    index = rng.integers(0, count, n)

    def side() -> np.ndarray:
        # distinct along the first axis, which alone keeps centres apart
        centres = rng.normal(size=(count, dimensions)) * 20
        centres[:, 0] = 20 * rng.permutation(count)
        return centres[index] + rng.normal(size=(n, dimensions))

    return _pairs(side(), side(), math.log2(count), f"{count} clusters")


def student_t(n: int, *, correlation: float = 0.75, freedom: float = 2.0, seed: int = 0) -> Pairs:
    """Bivariate Student's t: heavy tails that share their scale, so dependent even uncorrelated.

    References
    ----------
    Arellano-Valle, Contreras-Reyes & Genton (2013), Shannon entropy and mutual information for
    multivariate skew-elliptical distributions.

    Examples
    --------
    >>> round(student_t(10).exact.bits * math.log(2), 3)
    0.496
    """
    _positive(n=n, freedom=freedom)
    if not -1 < correlation < 1:
        raise ValueError(f"correlation must be within -1 and 1, not {correlation}")
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, 1))
    y = correlation * x + math.sqrt(1 - correlation**2) * y
    scale = np.sqrt(freedom / rng.chisquare(freedom, (n, 1)))
    half = freedom / 2
    nats = (
        -math.log(1 - correlation**2) / 2
        + 2 * math.log(math.sqrt(half / math.pi) * beta(half, 0.5))
        - (2 + freedom) / freedom
        + (1 + freedom) * (digamma(half + 0.5) - digamma(half))
    )
    return _pairs(x * scale, y * scale, float(nats / math.log(2)), "bivariate Student's t")


def xor_of_signs(n: int, *, seed: int = 0) -> Pairs:
    """The sign of y1 is that of x1 x2: 1 bit, with no correlation. All else is Gaussian noise.

    Examples
    --------
    >>> x, y, exact = xor_of_signs(5)
    >>> bool((np.sign(x).prod(1) == np.sign(y[:, 0])).all()), exact.bits
    (True, 1.0)
    """
    _positive(n=n)
    x, y = np.random.default_rng(seed).normal(size=(2, n, 2))
    y[:, 0] = np.abs(y[:, 0]) * np.sign(x).prod(1)
    return _pairs(x, y, 1.0, "XOR of signs")


def additive_uniform(n: int, *, width: float = 0.1, seed: int = 0) -> Pairs:
    """x uniform on (0, 1), y = x + uniform noise on (-width, width): width - ln(2 width) nats.

    Examples
    --------
    >>> round(additive_uniform(10).exact.bits * math.log(2), 3)
    1.709
    """
    _positive(n=n)
    if not 0 < width <= 0.5:
        raise ValueError(f"width must be above 0 and at most 0.5, not {width}")
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, 1))
    y = x + rng.uniform(-width, width, (n, 1))
    return _pairs(x, y, (width - math.log(2 * width)) / math.log(2), "additive uniform noise")


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
    if not isinstance(scheme, BitPlane):
        raise TypeError(f"the exact value is known for bitplane schemes, not for {scheme!r}")
    _positive(draws=draws, size=size, contrast=contrast, noise=noise)
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
    bits = float(gained.mean()) if len(values) > 1 else 0.0  # not a rounding error from 0
    half = 1.96 * float(gained.std(ddof=1)) / math.sqrt(draws) if draws > 1 else None
    low, high = (None, None) if half is None else (bits - half, bits + half)
    exact = Estimate(bits, low, high, None, draws, "posterior of noisy scenes", "exact")
    return NoisyScenes(secret, plain, cipher, exact)


def _smooth_scenes(rng, templates: int, size: int, contrast: float) -> np.ndarray:
    """Low-pass noise of given standard deviation around mid-grey, as integers off the margins."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)) * size
    spectrum = np.fft.rfft2(rng.normal(size=(templates, size, size))) / (1 + frequency)
    smooth = np.fft.irfft2(spectrum, (size, size))
    smooth *= contrast / smooth.std(axis=(1, 2), keepdims=True)
    return np.clip(np.rint(127.5 + smooth), MARGIN, 255 - MARGIN).astype(np.int64)
