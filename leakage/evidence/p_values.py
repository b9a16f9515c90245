"""p-values: of permutations, of flipped signs, of several tests together. None is ever 0."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from leakage.arguments import check_int


def positive(p_value: float) -> float:
    """A p-value that is not 0: a tail too small for a float is that float, not impossible.

    Examples
    --------
    >>> positive(0.0) > 0, positive(0.5)
    (True, 0.5)
    """
    return max(float(p_value), float(np.finfo(float).tiny))


#: A p-value that cannot be smaller than this is said to be so.
SMALL_REACH = 0.01


def few_exchanges(reach: float, what: str = "groups or permutations") -> list[str]:
    """The flag of a test whose p-value can be no less than `reach`, where that is not small.

    Examples
    --------
    >>> few_exchanges(1 / 24), few_exchanges(1 / 5040)
    (['few groups or permutations: p can be no less than 0.042'], [])
    """
    return [f"few {what}: p can be no less than {reach:.2g}"] * (reach > SMALL_REACH)


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
    check_int("permutations", permutations)
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


def strongest_p_value(statistics: np.ndarray) -> float:
    """One p-value of several statistics under the same exchanges, by the strongest of them.

    Each statistic is ranked among its own values under the exchanges; the smallest rank is
    compared with that of the exchanges: exact whatever the statistics have to do with each other
    (Westfall and Young, 1993).

    Parameters
    ----------
    statistics : ndarray of float, shape (exchanges, k)
        Large where something is found; the first row is what was observed.

    Examples
    --------
    >>> strongest_p_value(np.array([[9.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 0.0]]))
    0.25
    """
    from scipy.stats import rankdata  # takes long to import, and 40 MB

    found = statistics.round(9)
    ranks = rankdata(-found, method="max", axis=0).min(1)
    # of equal ranks that counts for more which is farther out
    spread = found.std(0)
    far = ((found - found.mean(0)) / np.where(spread > 0, spread, np.inf)).max(1)
    return float(np.mean((ranks < ranks[0]) | ((ranks == ranks[0]) & (far >= far[0]))))


#: With fewer values of a single p-value their sum is no longer close to normal; it is simulated.
NEARLY_CONTINUOUS = 200
SIMULATED = 19_999


def combined_p_value(
    p_values: Sequence[float],
    weights: Sequence[float] | np.ndarray,
    attainable: Sequence[float],
    rng: np.random.Generator,
) -> float:
    """One p-value of several independent ones, by the weighted sum of their normal scores.

    Parameters
    ----------
    p_values : list of float
        Of permutation tests.
    weights : list of float
        Their scale does not matter.
    attainable : list of float
        How many values, evenly spaced up to 1, each p-value can take: one more than its random
        permutations, or the number of all of them.
    rng : numpy.random.Generator
        Draws from the null distribution where a p-value can take only few values.

    References
    ----------
    Stouffer et al. (1949), The American Soldier; Lipták (1958) for weights.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(combined_p_value([0.05, 0.05], [1, 1], [1000, 1000], rng), 3)
    0.01
    """
    steps = np.asarray(attainable, float)
    share = np.asarray(weights, float) / np.linalg.norm(weights)
    if steps.min() >= NEARLY_CONTINUOUS:
        # a p-value of 1 has the normal score of the next smaller value that it can take
        return positive(ndtr(share @ ndtri(np.minimum(p_values, 1 - 1 / steps))))
    middle = 0.5 / steps
    found = -(share @ ndtri(np.asarray(p_values) - middle))
    ranks = np.ceil(rng.random((SIMULATED, len(steps))) * steps) / steps
    return permutation_p_value(found - 1e-9, -ndtri(ranks - middle) @ share)


def least_p_value(weights: Sequence[float], attainable: Sequence[float]) -> float:
    """The least that `combined_p_value` could be: 1 where none of them can take two values.

    Examples
    --------
    >>> round(least_p_value([1, 1], [1000, 1000]), 6), least_p_value([1, 1], [1, 1])
    (6e-06, 1.0)
    """
    telling = [(weight, steps) for weight, steps in zip(weights, attainable, strict=True)
               if steps > 1]  # fmt: skip
    if not telling:
        return 1.0
    kept, values = zip(*telling, strict=True)
    least = [1 / steps for steps in values]
    return combined_p_value(least, kept, values, np.random.default_rng(0))


def either_p_value(p_values: Sequence[float]) -> float:
    """One p-value of several that may depend on each other in any way: Bonferroni's.

    Parameters
    ----------
    p_values : list of float
        At least one.

    Examples
    --------
    >>> either_p_value([0.001, 0.5]), either_p_value([0.3])
    (0.002, 0.3)
    """
    return positive(min(1.0, len(p_values) * min(p_values)))


def holm_p_values(p_values: Sequence[float], families: int = 1) -> list[float]:
    """p-values corrected for all of them together, by Holm's step-down procedure.

    Parameters
    ----------
    p_values : list of float
        Of tests that may depend on each other in any way.
    families : int
        So many families of tests, of which this is one, share the error equally (Bonferroni).

    Returns
    -------
    list of float
        In the same order, none above 1.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> holm_p_values([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, families * (len(p_values) - rank) * p_values[i]))
        corrected[i] = largest
    return corrected
