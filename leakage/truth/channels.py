"""Channels whose mutual information is known, for trying estimators where the truth is at hand.

Each function draws pairs; `exact` of what it returns is the value in bits.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from leakage.arguments import check_seed
from leakage.estimate import Estimate, entropy


class Pairs(NamedTuple):
    """Paired samples, one row each, and the mutual information of the channel they come from."""

    x: np.ndarray
    y: np.ndarray
    exact: Estimate


def _pairs(x: np.ndarray, y: np.ndarray, bits: float, name: str) -> Pairs:
    return Pairs(x, y, Estimate(bits, bits, bits, None, len(x), name, "exact"))


def check_positive(**values: float) -> None:
    """Refuse sizes and scales that are not above 0, by the name of the argument.

    Examples
    --------
    >>> check_positive(n=0)
    Traceback (most recent call last):
    ValueError: n must be above 0, not 0
    """
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
    check_seed(seed)
    transforms: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "none": lambda v: v,
        "cubic": lambda v: v**3,
        "asinh": np.arcsinh,
    }
    if transform not in transforms:
        raise ValueError(f"transform must be one of {', '.join(transforms)}, not {transform!r}")
    active = dimensions if active is None else active
    check_positive(n=n, dimensions=dimensions)
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

    Parameters
    ----------
    n, count, dimensions : int
        Number of pairs, of clusters, and of coordinates of each side.
    seed : int
        Of centres and draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, dimensions).

    Raises
    ------
    ValueError
        A size below 1.

    Examples
    --------
    >>> clusters(100, count=8).exact.bits
    3.0
    """
    check_seed(seed)
    check_positive(n=n, count=count, dimensions=dimensions)
    rng = np.random.default_rng(seed)
    index = rng.integers(0, count, n)

    def side() -> np.ndarray:
        # distinct along the first axis, which alone keeps centres apart
        centres = rng.normal(size=(count, dimensions)) * 20
        centres[:, 0] = 20 * rng.permutation(count)
        return centres[index] + rng.normal(size=(n, dimensions))

    return _pairs(side(), side(), math.log2(count), f"{count} clusters")


def labels(
    n: int,
    *,
    count: int = 8,
    kept: float = 0.8,
    dimensions: int = 16,
    spread: float = 6.0,
    seed: int = 0,
) -> Pairs:
    """A label that passes a channel, and is seen on each side as a centre with noise around it.

    A label stays what it is with probability `kept`, and else is drawn anew, so that the value is
    ``log2 count - H`` of a row of the channel. Centres are Gaussian with the standard deviation
    `spread` in each coordinate, the noise has 1: with the defaults labels can be read off.

    Parameters
    ----------
    n, count, dimensions : int
        Number of pairs, of labels, and of coordinates of each side.
    kept : float
        0 to 1.
    spread : float
        Above 0.
    seed : int
        Of centres and draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, dimensions).

    Raises
    ------
    ValueError
        A size below 1, or a probability out of range.

    Examples
    --------
    >>> round(labels(100, count=4, kept=0.7).exact.bits, 3)
    0.874
    """
    check_seed(seed)
    check_positive(n=n, count=count, dimensions=dimensions, spread=spread)
    if not 0 <= kept <= 1:
        raise ValueError(f"kept must be 0 to 1, not {kept}")
    rng = np.random.default_rng(seed)
    sent = rng.integers(0, count, n)
    received = np.where(rng.random(n) < kept, sent, rng.integers(0, count, n))
    row = np.full(count, (1 - kept) / count)
    row[0] += kept

    def seen(label: np.ndarray) -> np.ndarray:
        centres = spread * rng.normal(size=(count, dimensions))
        return centres[label] + rng.normal(size=(n, dimensions))

    bits = math.log2(count) - entropy(row)
    return _pairs(seen(sent), seen(received), bits, f"{count} labels through a channel")


def _student_t_nats(freedom: float, dimensions: int) -> float:
    """What the scale that both sides share tells, beyond what their correlation does."""
    half = (freedom + np.array([0, dimensions, dimensions, 2 * dimensions])) / 2
    return float((gammaln(half) - half * digamma(half)) @ [1, -1, -1, 1])


def student_t(
    n: int,
    *,
    correlation: float = 0.75,
    freedom: float = 2.0,
    dimensions: int = 1,
    seed: int = 0,
) -> Pairs:
    """Student's t: heavy tails that share their scale, so dependent even uncorrelated.

    Parameters
    ----------
    n : int
        Number of pairs.
    correlation : float
        Of each Gaussian pair behind them, above -1 and below 1.
    freedom : float
        Degrees of freedom, above 0.
    dimensions : int
        Coordinates of each side, correlated one to one.
    seed : int
        Of the draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, dimensions).

    Raises
    ------
    ValueError
        A correlation or degrees of freedom out of range, no pairs, no dimensions.

    References
    ----------
    Arellano-Valle, Contreras-Reyes & Genton (2013), Shannon entropy and mutual information for
    multivariate skew-elliptical distributions.

    Examples
    --------
    >>> round(student_t(10).exact.bits * math.log(2), 3)
    0.496
    """
    check_seed(seed)
    check_positive(n=n, freedom=freedom, dimensions=dimensions)
    if not -1 < correlation < 1:
        raise ValueError(f"correlation must be within -1 and 1, not {correlation}")
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, dimensions))
    y = correlation * x + math.sqrt(1 - correlation**2) * y
    scale = np.sqrt(freedom / rng.chisquare(freedom, (n, 1)))
    nats = _student_t_nats(freedom, dimensions) - dimensions * math.log(1 - correlation**2) / 2
    name = "bivariate Student's t" if dimensions == 1 else f"Student's t, {dimensions} coordinates"
    return _pairs(x * scale, y * scale, nats / math.log(2), name)


def xor_of_signs(n: int, *, seed: int = 0) -> Pairs:
    """The sign of y1 is that of x1 x2: 1 bit, with no correlation. All else is Gaussian noise.

    Parameters
    ----------
    n : int
        Number of pairs.
    seed : int
        Of the draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, 2).

    Raises
    ------
    ValueError
        No pairs.

    Examples
    --------
    >>> x, y, exact = xor_of_signs(5)
    >>> bool((np.sign(x).prod(1) == np.sign(y[:, 0])).all()), exact.bits
    (True, 1.0)
    """
    check_seed(seed)
    check_positive(n=n)
    x, y = np.random.default_rng(seed).normal(size=(2, n, 2))
    y[:, 0] = np.abs(y[:, 0]) * np.sign(x).prod(1)
    return _pairs(x, y, 1.0, "XOR of signs")


def additive_uniform(n: int, *, width: float = 0.1, seed: int = 0) -> Pairs:
    """x uniform on (0, 1), y = x + uniform noise on (-width, width).

    The value is width - ln(2 width) nats; 1 / (4 width) from a width of 0.5 on.

    Parameters
    ----------
    n : int
        Number of pairs.
    width : float
        Half the width of the noise, above 0.
    seed : int
        Of the draws.

    Returns
    -------
    Pairs
        float arrays of shape (n, 1).

    Raises
    ------
    ValueError
        A width out of range, no pairs.

    Examples
    --------
    >>> round(additive_uniform(10).exact.bits * math.log(2), 3)
    1.709
    """
    check_seed(seed)
    check_positive(n=n, width=width)
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, 1))
    y = x + rng.uniform(-width, width, (n, 1))
    nats = width - math.log(2 * width) if width < 0.5 else 1 / (4 * width)
    return _pairs(x, y, nats / math.log(2), "additive uniform noise")
