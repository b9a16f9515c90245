"""Splits, nulls and intervals: what turns a number into evidence."""

import numpy as np
from scipy.stats import t as student_t


def split_by_group(groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Assign every sample to a fold, whole groups together, folds of similar size.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        Group of each sample, for instance its source photograph.
    folds : int
        Number of folds, at most the number of groups.
    rng : numpy.random.Generator
        Deals out groups of equal size.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> groups = np.array([0, 0, 0, 1, 1, 2])
    >>> fold = split_by_group(groups, 2, np.random.default_rng(0))
    >>> fold[0] == fold[1] == fold[2] != fold[3] == fold[5]
    np.True_
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if folds > len(names):
        raise ValueError(f"{folds} folds need at least {folds} groups, there are {len(names)}")
    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first
    fold_of, load = np.zeros(len(names), int), np.zeros(folds, int)
    for group in order:
        fold_of[group] = np.argmin(load)
        load[fold_of[group]] += sizes[group]
    return fold_of[member]


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
    half = student_t.ppf((1 + level) / 2, g - 1) * error
    return float(value - half), float(value + half)


def permutation_p_value(statistic: float, null: np.ndarray) -> float:
    """Share of permuted values that reach the observed one, counting the observed one itself.

    Examples
    --------
    >>> permutation_p_value(2.0, np.array([0.0, 1.0, 3.0]))
    0.5
    """
    return float((1 + np.count_nonzero(null >= statistic)) / (len(null) + 1))


def pool_folds(observed: list[float], nulls: list[np.ndarray]) -> tuple[float, float]:
    """One p-value and one z from the statistics of the folds of a cross-fitted test.

    Each fold's statistic is standardised by its own null, and the folds are added. They are not
    independent: the pairs of fold g help to train the critic that judges fold f, and the other
    way round, so that chance agreement between the two counts twice. For a critic linear in its
    training data the variance of the sum is therefore twice that of independent folds; we widen
    the null by that factor for every critic.

    Parameters
    ----------
    observed : list of float
        Statistic of each fold.
    nulls : list of ndarray of float, shape (permutations,)
        The same statistic on shuffled pairs.

    Returns
    -------
    (float, float)
        p-value, and the distance from the null mean in standard deviations of the widened null.

    Examples
    --------
    >>> pool_folds([0.0, 0.0], [np.array([-1.0, 1.0]), np.array([1.0, -1.0])])
    (1.0, 0.0)
    """
    total, null = 0.0, np.zeros(len(nulls[0]))
    for value, shuffled in zip(observed, nulls, strict=True):
        spread = shuffled.std() or 1.0
        total += (value - shuffled.mean()) / spread
        null += (shuffled - shuffled.mean()) / spread
    null *= np.sqrt(2)
    return permutation_p_value(total, null), float(total / np.sqrt(2 * len(observed)))


def diagonal_null(
    scores: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean score of shuffled pairs, for each of several random permutations.

    Parameters
    ----------
    scores : ndarray of float, shape (n, n)
        ``scores[i, j]``: the critic's value of the pair (x_i, y_j).
    permutations : int
        How many.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    ndarray of float, shape (permutations,)

    Examples
    --------
    >>> diagonal_null(np.eye(2), 3, np.random.default_rng(0)).shape
    (3,)
    """
    n = len(scores)
    partner = rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    return scores[np.arange(n), partner].mean(1)
