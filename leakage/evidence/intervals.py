"""Intervals of statistics whose samples are dependent within groups."""

import numpy as np
from scipy.special import stdtrit  # of Student's distribution, the quantile


def clustered_interval(
    value: float, influence: np.ndarray, clusters: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a mean-like statistic whose samples are dependent within clusters.

    The standard error is that of the sum over clusters of the centred influence values, with the
    factor G / (G - 1) for G clusters, and the quantile is Student's with G - 1 degrees of freedom
    (Liang and Zeger, 1986; Cameron and Miller, 2015).

    Parameters
    ----------
    value : float
        The statistic.
    influence : ndarray of float, shape (n,)
        First-order contribution of each sample; its mean does not matter.
    clusters : ndarray of int, shape (n,)
        Cluster of each sample.
    level : float
        Coverage.

    Examples
    --------
    >>> low, high = clustered_interval(0.5, np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4))
    >>> round(low, 2), round(high, 2)
    (-1.55, 2.55)
    """
    _, member = np.unique(clusters, return_inverse=True)
    sums = np.bincount(member, weights=influence - influence.mean())
    g = len(sums)
    if g < 2:
        raise ValueError("an interval needs samples from at least two clusters")
    error = np.sqrt(np.sum(sums**2) * g / (g - 1)) / len(influence)
    half = stdtrit(g - 1, (1 + level) / 2) * error
    return float(value - half), float(value + half)
