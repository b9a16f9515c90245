"""Tests of critics by shuffling pairs: one fold, and folds judged by critics of earlier ones."""

import numpy as np

from leakage.evidence.p_values import combined_p_value, permutation_p_value


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


def diagonal_null(scores: np.ndarray, permutations: int, rng: np.random.Generator) -> np.ndarray:
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


def sequential_test(
    scores: list[np.ndarray], trained_on: list[int], permutations: int, rng: np.random.Generator
) -> tuple[float | None, float]:
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
        Of each fold. 0 gives no p-value.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    (float or None, float)
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
    z = float(np.dot(weights / np.linalg.norm(weights), [shuffle_z(s) for s in scores]))
    if permutations == 0:
        return None, z
    p_values = [
        permutation_p_value(s.diagonal().mean(), diagonal_null(s, permutations, rng))
        for s in scores
    ]
    return combined_p_value(p_values, weights, permutations), z
