"""Statistics of single ciphertexts that papers report, with their law on noise."""

from typing import Literal

import numpy as np
from scipy.stats import binom, chi2, norm, pearson3, poisson
from scipy.stats.distributions import rv_frozen

from leakage.arguments import check_images, check_seed
from leakage.estimate import entropy
from leakage.metrics.nulls import ENOUGH_SAMPLES, Null
from leakage.pictures.value_counts import value_counts

Direction = Literal["horizontal", "vertical", "diagonal"]
_STEPS = {"horizontal": (0, 1), "vertical": (1, 0), "diagonal": (1, 1)}


def grey_entropy(images: np.ndarray) -> np.ndarray:
    """Plug-in entropy in bits of each image's values, 0 to 8, channels pooled.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.

    Returns
    -------
    ndarray of float64, shape (N,)
        In bits a sample.

    Raises
    ------
    TypeError, ValueError
        No uint8 images.

    Examples
    --------
    >>> grey_entropy(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)).tolist()
    [8.0]
    """
    return np.array([entropy(c) for c in _histograms(images)])


def grey_entropy_null(samples: int, images: int = 1) -> Null:
    """Mean over images of `grey_entropy`, on noise: a gamma law of what is missing to 8 bits.

    In the limit the missing part times 2 N ln 2 is chi-square with 255 degrees of freedom. Here
    its mean is exact and its sd has a relative error of 1 % from 256 samples on, and the gamma law
    has both. The p-value is one-sided, low.

    Parameters
    ----------
    samples : int
        Of each image, all channels together.
    images : int
        Number of images.

    Returns
    -------
    Null
        In bits; trusted from `ENOUGH_SAMPLES` samples an image.

    Raises
    ------
    ValueError
        A number below 1.

    Examples
    --------
    >>> [round(grey_entropy_null(n).mean, 5) for n in (256**2, 512**2, 3 * 512**2)]
    [7.99719, 7.9993, 7.99977]
    """
    return Null(_entropy_law(samples, images), "low", trusted=samples >= ENOUGH_SAMPLES)


def local_entropy(
    images: np.ndarray, *, blocks: int = 30, side: int = 44, seed: int = 0
) -> np.ndarray:
    """Local Shannon entropy (Wu et al., 2013): mean entropy in bits of random disjoint blocks.

    The blocks are drawn without replacement from the grid of whole blocks that starts at the top
    left corner, of all channels, for each image anew.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.
    blocks : int
        How many.
    side : int
        Of a block in pixels.
    seed : int
        Of the choice of blocks.

    Returns
    -------
    ndarray of float64, shape (N,)
        In bits a sample, 0 to 8.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, or more blocks than fit.

    Examples
    --------
    >>> local_entropy(np.zeros((1, 352, 352), np.uint8)).tolist()
    [0.0]
    """
    check_seed(seed)
    room = blocks_that_fit(images, side)
    if not 1 <= blocks <= room:
        raise ValueError(
            f"{room} disjoint blocks of {side}x{side} fit into an image of shape "
            f"{images.shape[1:]}, not {blocks}; give fewer blocks, or a smaller side"
        )
    rng = np.random.default_rng(seed)
    rows, columns = images.shape[1] // side, images.shape[2] // side
    values = []
    for image in images:
        deep = image[: rows * side, : columns * side].reshape(rows, side, columns, side, -1)
        grid = deep.transpose(0, 2, 4, 1, 3).reshape(room, side * side)
        values.append(grey_entropy(grid[rng.choice(room, blocks, replace=False), None]).mean())
    return np.array(values)


def blocks_that_fit(images: np.ndarray, side: int = 44) -> int:
    """How many blocks `local_entropy` can choose from.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.
    side : int
        Of a block in pixels.

    Returns
    -------
    int
        Whole disjoint blocks of one image, of all channels.

    Examples
    --------
    >>> blocks_that_fit(np.zeros((1, 256, 256), np.uint8))
    25
    """
    _, height, width, *channels = check_images(images).shape
    return (height // side) * (width // side) * (channels[0] if channels else 1)


def local_entropy_null(blocks: int = 30, images: int = 1, side: int = 44) -> Null:
    """Mean over images of `local_entropy`, on noise, as `grey_entropy_null`, but two-sided.

    The interval 7.901901 to 7.903037 that is quoted for 5 % has a half-width of 1.96 sd / 30, with
    the sd of one block; the mean of 30 blocks has sd / sqrt(30), so that interval misses 72 % of
    noise.

    Parameters
    ----------
    blocks : int
        Of each image.
    images : int
        Number of images.
    side : int
        Of a block in pixels.

    Returns
    -------
    Null
        In bits; trusted from blocks of `ENOUGH_SAMPLES` pixels.

    Raises
    ------
    ValueError
        A number below 1.

    Examples
    --------
    >>> round(local_entropy_null().mean, 9)
    7.902469317
    """
    law = _entropy_law(side * side, blocks * images)
    return Null(law, "two-sided", trusted=side * side >= ENOUGH_SAMPLES)


def chi_square(images: np.ndarray) -> np.ndarray:
    """Pearson's statistic of a uniform histogram, of each image, channels pooled; 0 if uniform.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit; on noise about 255, its degrees of freedom.

    Raises
    ------
    TypeError, ValueError
        No uint8 images.

    Examples
    --------
    >>> chi_square(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)).tolist()
    [0.0]
    """
    expected = check_images(images)[0].size / 256
    return np.sum((_histograms(images) - expected) ** 2, axis=1) / expected


def chi_square_null(samples: int, images: int = 1) -> Null:
    """Mean over images of `chi_square`, on noise: chi-square, 255 degrees of freedom an image.

    The p-value is one-sided, high.

    Parameters
    ----------
    samples : int
        Of each image, all channels together.
    images : int
        Number of images.

    Returns
    -------
    Null
        Without unit; trusted from `ENOUGH_SAMPLES` samples an image.

    Examples
    --------
    >>> null = chi_square_null(256**2)
    >>> null.mean, round(null.p_value(293.2478), 6)
    (255.0, 0.05)
    """
    law = chi2(255 * images)
    return Null(law, "high", unit=1 / images, trusted=samples >= ENOUGH_SAMPLES)


def adjacent_correlation(images: np.ndarray, direction: Direction = "horizontal") -> np.ndarray:
    """Correlation coefficient of all pairs of adjacent samples of each image, -1 to 1.

    Mean over the channels of an RGB image. NaN where an image has fewer than two pairs, or pairs
    that do not vary.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.
    direction : {"horizontal", "vertical", "diagonal"}
        The partner of a pixel is the one to the right, below, or both.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, or an unknown direction.

    Examples
    --------
    >>> ramp = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    >>> adjacent_correlation(ramp).round(6).tolist()
    [1.0]
    """
    down, right = _step(direction)
    images = check_images(images)
    height, width = images.shape[1:3]
    coefficients = []
    for image in images:
        deep = image.reshape(height, width, -1).astype(np.float64)
        first = deep[: height - down, : width - right].reshape(-1, deep.shape[-1])
        second = deep[down:, right:].reshape(-1, deep.shape[-1])
        if len(first) < 2:
            coefficients.append(np.nan)
            continue
        first, second = first - first.mean(0), second - second.mean(0)
        scale = np.sqrt(np.sum(first**2, 0) * np.sum(second**2, 0))
        defined = np.where(scale > 0, scale, np.nan)
        coefficients.append(np.mean(np.sum(first * second, 0) / defined))
    return np.array(coefficients)


def adjacent_correlation_null(
    shape: tuple[int, ...], direction: Direction = "horizontal", images: int = 1
) -> Null:
    """Mean over images of `adjacent_correlation`, on noise: a normal law.

    With m pairs, of which k samples are the first of one and the second of another, the mean is
    -k / m² (the coefficient is taken about the sample means) and the sd 1 / sqrt(m), divided by
    the root of the number of channels and images, both up to terms of higher order in 1 / m. The
    p-value is two-sided.

    Parameters
    ----------
    shape : tuple of int
        Of one image, (H, W) or (H, W, 3).
    direction : {"horizontal", "vertical", "diagonal"}
        As in `adjacent_correlation`.
    images : int
        Number of images.

    Returns
    -------
    Null
        Without unit; trusted from `ENOUGH_SAMPLES` pairs of samples a channel.

    Raises
    ------
    ValueError
        Fewer than two pairs, or an unknown direction.

    Examples
    --------
    >>> round(adjacent_correlation_null((512, 512)).sd, 6)
    0.001955
    """
    down, right = _step(direction)
    height, width, *channels = shape
    pairs = (height - down) * (width - right)
    if pairs < 2:
        raise ValueError(f"an image of shape {shape} has {pairs} {direction} pairs, 2 are needed")
    shared = max(height - 2 * down, 0) * max(width - 2 * right, 0)
    law = norm(-shared / pairs**2, (pairs * images * (channels[0] if channels else 1)) ** -0.5)
    return Null(law, "two-sided", trusted=pairs >= ENOUGH_SAMPLES)


def _step(direction: Direction) -> tuple[int, int]:
    if direction not in _STEPS:
        raise ValueError(f"direction must be one of {', '.join(_STEPS)}, not {direction!r}")
    return _STEPS[direction]


def _histograms(images: np.ndarray) -> np.ndarray:
    return np.stack([value_counts(image) for image in check_images(images)])


def _entropy_law(samples: int, repeats: int) -> rv_frozen:
    """Law of the mean of `repeats` plug-in entropies of `samples` uniform samples of 8 bits."""
    if samples < 1 or repeats < 1:
        raise ValueError(f"samples and repeats must be positive, not {samples} and {repeats}")
    rate = samples / 256
    reach = 12 * rate**0.5 + 40  # both distributions of counts have no mass worth naming beyond
    k = np.arange(max(0, int(rate - reach)), int(rate + reach) + 1)
    share = np.where(k > 0, k, 1) / samples  # a count of 0 has no term, and neither has a share 1
    term = -np.where(k > 0, k, 0) / samples * np.log2(share)
    mean = 256 * np.sum(binom.pmf(k, samples, 1 / 256) * term)
    # Counts are Poisson but for their fixed sum: the variance is that of what is left of the term
    # after its regression on the count. A multinomial has 255 free counts, not 256.
    weight = poisson.pmf(k, rate)
    centred = term - weight @ term
    rest = centred - (weight @ (centred * (k - rate))) / rate * (k - rate)
    sd = np.sqrt(255 * (weight @ rest**2) / repeats)
    return pearson3(-2 * sd / (8 - mean), loc=mean, scale=sd)  # gamma, mirrored
