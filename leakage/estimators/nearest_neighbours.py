"""Mutual information by nearest neighbours, in few dimensions."""

import math

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from leakage.arguments import check_seed
from leakage.estimate import Estimate
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import check_permutations, few_exchanges, permutation_p_value
from leakage.evidence.samples import check_samples

#: Coordinates of x and y together, beyond which KSG is refused: with a thousand samples
#: neighbours are then no longer near, and strong dependence goes unseen.
MAX_DIMENSIONS = 8


def _local(
    x: np.ndarray, y: np.ndarray, neighbours: int, rows: np.ndarray | slice = slice(None)
) -> np.ndarray:
    n = len(x)
    both = np.hstack([x, y])
    distance = cKDTree(both).query(both[rows], neighbours + 1, p=np.inf)[0][:, -1]
    closer = np.nextafter(distance, 0)  # strictly nearer than the k-th neighbour
    counts = [
        cKDTree(v).query_ball_point(v[rows], closer, p=np.inf, return_length=True) for v in (x, y)
    ]  # with the sample itself, so these are n_x + 1 and n_y + 1
    nats = digamma(neighbours) + digamma(n) - digamma(counts[0]) - digamma(counts[1])
    return nats / math.log(2)


def _scaled(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Unit variance, and a jitter of 1e-10 standard deviations that separates ties."""
    a, b = (_unit_variance(v) for v in (x, y))
    return a + 1e-10 * rng.normal(size=a.shape), b + 1e-10 * rng.normal(size=b.shape)


def _unit_variance(values: np.ndarray) -> np.ndarray:
    """Each coordinate first divided by a power of two, so that no square leaves the floats."""
    values = np.ldexp(values, -np.frexp(abs(values).max(0))[1])
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1)


def local_contributions(
    x: np.ndarray,
    y: np.ndarray,
    *,
    neighbours: int = 3,
    seed: int = 0,
    rows: np.ndarray | slice = slice(None),
) -> np.ndarray:
    """What each sample, or each of `rows`, adds to `ksg`, in bits (equation 8).

    No sample is its own neighbour, so every value is judged on other samples than it stands for.

    Examples
    --------
    >>> local_contributions(np.eye(5), np.eye(5)).shape
    (5,)
    """
    check_seed(seed)
    return _local(*_scaled(x, y, np.random.default_rng(seed)), neighbours, rows)


def ksg(
    x: np.ndarray, y: np.ndarray, *, neighbours: int = 3, permutations: int = 199, seed: int = 0
) -> Estimate:
    """Mutual information by the first estimator of Kraskov, Stögbauer and Grassberger.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy), dx + dy at most 8
        Paired rows, independent of each other: patches of one photograph are not.
    neighbours : int
        Fewer give less bias and more noise.
    permutations : int
        Behind the p-value. 0 gives none.
    seed : int
        Of the permutations, and of a jitter of 1e-10 standard deviations that separates ties.

    Returns
    -------
    Estimate
        In bits. Each coordinate is scaled to unit variance first. The interval is of the mean of
        the local contributions: it shows noise, not bias, which grows with dimension and strength.

    Raises
    ------
    ValueError, TypeError
        Too many dimensions, not more samples than neighbours, unpaired, constant or non-finite
        samples.

    References
    ----------
    Kraskov, Stögbauer & Grassberger (2004), Estimating mutual information, Physical Review E 69,
    066138, equation 8.

    Examples
    --------
    >>> from leakage.truth.channels import gaussian
    >>> x, y, exact = gaussian(2000, bits=1.0)
    >>> bool(abs(ksg(x, y, permutations=0).bits - exact.bits) < 0.1)
    True
    """
    check_seed(seed)
    permutations = check_permutations(permutations)
    x, y, _ = check_samples(x, y, None, 2)
    if x.shape[1] + y.shape[1] > MAX_DIMENSIONS:
        raise ValueError(
            f"x and y have {x.shape[1]} + {y.shape[1]} dimensions; nearest neighbours are reliable "
            f"up to {MAX_DIMENSIONS} together. Reduce them, or use leakage.estimate_mi"
        )
    if not 1 <= neighbours < len(x):
        raise ValueError(f"neighbours must be 1 to {len(x) - 1}, not {neighbours}")
    rng = np.random.default_rng(seed)
    x, y = _scaled(x, y, rng)
    local = _local(x, y, neighbours)
    bits = float(local.mean())
    low, high = clustered_interval(bits, local, np.arange(len(x)))
    p_value = None
    if permutations:
        null = [_local(x, y[rng.permutation(len(y))], neighbours).mean()
                for _ in range(permutations)]  # fmt: skip
        p_value = permutation_p_value(bits, np.array(null))
    return Estimate(
        bits,
        low,
        high,
        p_value,
        len(x),
        f"KSG, {neighbours} neighbours",
        "estimate",
        tuple(few_exchanges(1 / (permutations + 1)) if permutations else ()),
    )
