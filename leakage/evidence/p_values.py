"""p-values: of permutations, of flipped signs, of several tests together. None is ever 0."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm


def positive(p_value: float) -> float:
    """A p-value that is not 0: a tail too small for a float is that float, not impossible.

    Examples
    --------
    >>> positive(0.0) > 0, positive(0.5)
    (True, 0.5)
    """
    return max(float(p_value), float(np.finfo(float).tiny))


def check_permutations(permutations: int) -> int:
    """Refuse what is no number of permutations.

    Raises
    ------
    TypeError, ValueError
        Not an int, or below 0.

    Examples
    --------
    >>> check_permutations(0)
    0
    """
    if isinstance(permutations, bool) or not isinstance(permutations, int | np.integer):
        raise TypeError(f"permutations must be an int, not {permutations!r}")
    if permutations < 0:
        raise ValueError(
            f"permutations must be at least 0, which gives no p-value, not {permutations}"
        )
    return int(permutations)


def permutation_p_value(statistic: float, null: np.ndarray) -> float:
    """Share of permuted values that reach the observed one, counting the observed one itself.

    Examples
    --------
    >>> permutation_p_value(2.0, np.array([0.0, 1.0, 3.0]))
    0.5
    """
    return float((1 + np.count_nonzero(null >= statistic)) / (len(null) + 1))


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


def combined_p_value(
    p_values: Sequence[float], weights: Sequence[float] | np.ndarray, permutations: int
) -> float:
    """One p-value of several independent ones, by the weighted sum of their normal scores.

    Parameters
    ----------
    p_values : list of float
        Of permutation tests.
    weights : list of float
        Their scale does not matter.
    permutations : int
        Behind each p-value, at least 1.

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
    return positive(norm.sf(np.dot(weights, normal) / np.linalg.norm(weights)))
