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


def held_out_interval(
    value: float, influence: np.ndarray, clusters: np.ndarray, fold: np.ndarray
) -> tuple[float, float]:
    """95 % interval of the mean over folds that were judged each by what the others taught.

    As `clustered_interval`, but around the mean of each fold, which costs as many degrees of
    freedom as there are folds; those that are left are Satterthwaite's (1946). A fold of one
    cluster shows little by itself; it counts by its distance from the mean of all, and by its
    samples as if they were independent.

    Parameters
    ----------
    value : float
        The statistic.
    influence : ndarray of float, shape (n,)
        First-order contribution of each sample; its mean in a fold is the value of that fold.
    clusters : ndarray of int, shape (n,)
        Cluster of each sample, none of two folds.
    fold : ndarray of int, shape (n,)
        Fold of each sample, of two at least.

    Examples
    --------
    >>> told = np.array([1.0, 2.0, 3.0, 4.0])
    >>> low, high = held_out_interval(2.5, told, np.arange(4), np.array([0, 0, 1, 1]))
    >>> round(low, 2), round(high, 2)
    (0.98, 4.02)
    >>> low, high = held_out_interval(2.5, told, np.arange(4), np.arange(4))
    >>> round(low, 2), round(high, 2)
    (0.45, 4.55)
    """
    folds = np.unique(fold)
    middle = influence.mean()
    parts: list[tuple[float, int]] = []  # variance of the sum, and degrees of freedom
    alone, within = [], 0.0
    for t in folds:
        own = fold == t
        member = np.unique(clusters[own], return_inverse=True)[1]
        g = int(member.max()) + 1
        around = influence[own] - influence[own].mean()
        if g == 1:
            alone.append(np.count_nonzero(own) * (influence[own].mean() - middle))
            within += float(np.sum(around**2))
        else:
            sums = np.bincount(member, weights=around)
            parts.append((float(np.sum(sums**2)) * g / (g - 1), g - 1))
    if alone:
        between = float(np.sum(np.square(alone))) * len(folds) / (len(folds) - 1)
        parts.append((between + within, len(folds) - 1))
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / spread if spread > 0 else 1.0
    error = np.sqrt(variance) / len(influence)
    half = stdtrit(freedom, 0.975) * error
    return float(value - half), float(value + half)
