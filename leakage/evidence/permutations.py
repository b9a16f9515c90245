"""Checks of samples, splits, nulls and intervals: what turns a number into evidence."""

import numpy as np
from scipy.stats import norm
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


def check_samples(x, y, groups, folds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paired vectors as float64 with their groups, or the error that says what is wrong.

    Parameters
    ----------
    x, y : array_like, shape (N, dx) and (N, dy)
        Paired rows of finite numbers.
    groups : array_like of shape (N,), or None
        None: every row is its own group.
    folds : int
        That the groups must be able to fill.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups.
    """
    arrays = []
    for name, value in (("x", x), ("y", y)):
        value = np.asarray(value)
        if value.ndim != 2 or not np.issubdtype(value.dtype, np.number):
            raise ValueError(
                f"{name} must be numbers of shape (N, d), one row a sample, not "
                f"{value.dtype} {value.shape}; one variable is x[:, None]"
            )
        value = value.astype(np.float64)
        bad = np.count_nonzero(~np.isfinite(value).all(1))
        if bad:
            raise ValueError(f"{name} has NaN or infinite values in {bad} rows; drop those samples")
        arrays.append(value)
    x, y = arrays
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows, y has {len(y)}; rows must be paired")
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer):
        raise TypeError(f"folds must be an int, not {folds!r}")
    if folds < 2:
        raise ValueError(f"folds must be at least 2, not {folds}")
    groups = np.arange(len(x)) if groups is None else np.asarray(groups)
    if groups.shape != (len(x),):
        raise ValueError(f"groups must be one label a sample, ({len(x)},), not {groups.shape}")
    if len(np.unique(groups)) < folds:
        raise ValueError(
            f"{len(x)} samples from {len(np.unique(groups))} groups cannot fill {folds} folds; "
            "give more source images or fewer folds"
        )
    if len(x) < 4 * folds:
        raise ValueError(f"{len(x)} samples are too few for {folds} folds of at least 4")
    for name, value in (("x", x), ("y", y)):
        if np.all(value == value[0]):
            raise ValueError(
                f"{name} is constant: all {len(value)} rows are equal, so it carries no information"
            )
    return x, y, groups


def shuffle_z(scores: np.ndarray) -> float:
    """Distance of the mean score of pairs from that of shuffled pairs, in standard deviations.

    The mean and the variance over all n! permutations are known in closed form (Hoeffding, 1951,
    A combinatorial central limit theorem, equations 8 and 10).

    Parameters
    ----------
    scores : ndarray of float, shape (n, n)
        ``scores[i, j]``: the critic's value of the pair (x_i, y_j).

    Examples
    --------
    >>> round(shuffle_z(np.eye(4)), 3)
    3.0
    """
    n = len(scores)
    centred = scores - scores.mean(0) - scores.mean(1)[:, None] + scores.mean()
    spread = np.sqrt((centred**2).sum() / (n - 1)) / n
    return float(centred.diagonal().mean() / spread) if spread > 0 else 0.0


def sequential_test(
    scores: list[np.ndarray], trained_on: list[int], permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """p-value and z of independence, from folds judged by critics that saw only earlier folds.

    The pairs of each fold are shuffled under their frozen critic, which gives the fold an exact
    p-value whatever the earlier folds were: the p-values are independent, and Stouffer's weighted
    sum of their normal scores is exact too. Ordinary cross-fitting does not have this: there fold
    f trains the critic that judges fold g and the other way round, and chance agreement between
    the two counts twice.

    Parameters
    ----------
    scores : list of ndarray of float, shape (n, n)
        Of each fold, all pairs.
    trained_on : list of int
        Number of samples that trained the critic of each fold; the weights are the square roots
        of these times n, best for a critic that is linear in its training data.
    permutations : int
        Of each fold.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    (float, float)
        The p-value, and the same weighted sum of the folds' z, which still grows where p is at
        its floor.

    References
    ----------
    Stouffer et al. (1949), The American Soldier; Lipták (1958) for weights.

    Examples
    --------
    >>> p, z = sequential_test([np.eye(30)] * 2, [30, 60], 99, np.random.default_rng(0))
    >>> round(p, 4), round(z, 2)
    (0.0006, 40.42)
    """
    weights = np.sqrt([n * len(s) for n, s in zip(trained_on, scores, strict=True)])
    p_values = [
        permutation_p_value(s.diagonal().mean(), diagonal_null(s, permutations, rng))
        for s in scores
    ]
    z = np.dot(weights / np.linalg.norm(weights), [shuffle_z(s) for s in scores])
    return combined_p_value(p_values, weights, permutations), float(z)


def combined_p_value(p_values: list[float], weights: list[float], permutations: int) -> float:
    """One p-value of several independent ones, by the weighted sum of their normal scores.

    Parameters
    ----------
    p_values : list of float
        Of permutation tests.
    weights : list of float
        Their scale does not matter.
    permutations : int
        Behind each p-value.

    References
    ----------
    Stouffer et al. (1949), The American Soldier; Lipták (1958) for weights.

    Examples
    --------
    >>> round(combined_p_value([0.05, 0.05], [1, 1], 99), 4)
    0.01
    """
    # a p-value of 1 has the normal score of the next smaller value a permutation test can give
    normal = norm.isf(np.minimum(p_values, permutations / (permutations + 1)))
    return float(norm.sf(np.dot(weights, normal) / np.linalg.norm(weights)))


def sign_flip_p_value(
    differences: np.ndarray, permutations: int, rng: np.random.Generator
) -> float:
    """p-value of the sum of differences whose signs are as good as random under the hypothesis.

    Parameters
    ----------
    differences : ndarray of float, shape (n,)
        Of independent couples: what fits minus what fits when the couple is swapped.
    permutations : int
        Random sets of signs.
    rng : numpy.random.Generator
        Draws them.

    Examples
    --------
    >>> sign_flip_p_value(np.ones(20), 99, np.random.default_rng(0))
    0.01
    """
    signs = rng.choice([-1.0, 1.0], (permutations, len(differences)))
    return permutation_p_value(float(differences.sum()), signs @ differences)


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
