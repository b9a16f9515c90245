"""Tests of critics by exchanging pairs: one fold, and folds judged by critics of earlier ones."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from leakage.evidence.exchange import Strata
from leakage.evidence.p_values import combined_p_value, least_p_value


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
    gain, variance = _gain(scores)
    return gain / math.sqrt(variance) if variance > 0 else 0.0


def _gain(scores: np.ndarray) -> tuple[float, float]:
    """Sum over own pairs less its mean over all permutations, and its variance over them."""
    n = len(scores)
    if n < 2:
        return 0.0, 0.0
    centred = scores - scores.mean(0) - scores.mean(1)[:, None] + scores.mean()
    variance = float((centred**2).sum()) / (n - 1)
    rounding = 1e-20 * float((scores**2).sum())
    return float(centred.trace()), variance if variance > rounding else 0.0


class JudgedFold(NamedTuple):
    """A fold under a critic that was fixed before it: scores of its groups with one another.

    Attributes
    ----------
    strata : Strata
        Which of its groups may change places.
    sums : list of ndarray of float, shape (G, G)
        Of each stratum, as `Strata.summed` gives them.
    trained_on : int
        Number of samples that trained the critic.
    """

    strata: Strata
    sums: list[np.ndarray]
    trained_on: int

    @classmethod
    def of(
        cls, strata: Strata, score: Callable[[np.ndarray], np.ndarray], trained_on: int
    ) -> "JudgedFold":
        """A fold whose pairs of rows are scored by `score`."""
        return cls(strata, strata.summed(score), trained_on)

    @property
    def z(self) -> float:
        """Distance from the mean of all exchanges, in their standard deviations; 0 if constant."""
        gains, variances = zip(*(_gain(s) for s in self.sums), strict=True)
        return sum(gains) / math.sqrt(sum(variances)) if sum(variances) > 0 else 0.0

    @property
    def weight(self) -> float:
        """Of its score among folds: best for a critic that is linear in its training data."""
        return math.sqrt(self.trained_on * len(self.strata.rows))

    @property
    def constant(self) -> bool:
        """Whether no exchange changes its score, so that it says nothing."""
        return not any(_gain(s)[1] > 0 for s in self.sums)

    def p_value(self, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
        """p-value of its score among exchanges, and how many values that can take."""
        null = np.array([
            sum(s[np.arange(len(s)), order].sum() for s, order in zip(self.sums, o, strict=True))
            for o in self.strata.orders(permutations, rng)
        ])  # fmt: skip
        scale = 1e-9 * max(abs(null).max(), 1e-300)  # rounding makes no difference
        return float(np.mean(null >= null[0] - scale)), float(len(null))


class SequentialTest(NamedTuple):
    """Outcome of `sequential_test`.

    Attributes
    ----------
    p_value : float or None
        None without permutations.
    z : float
        The weighted sum of the folds' z, which still grows where p is at its floor.
    reach : float
        The least p-value that so few groups and permutations allow; 1 without permutations.
    """

    p_value: float | None
    z: float
    reach: float


def sequential_test(
    folds: Sequence[JudgedFold], permutations: int, rng: np.random.Generator
) -> SequentialTest:
    """p-value and z of independence, from folds judged by critics that saw only earlier folds.

    The groups of each fold are exchanged under its frozen critic, which gives the fold a p-value
    that holds whatever the earlier folds were: the p-values are independent, and so the weighted
    sum of their normal scores has a known distribution (Stouffer). Ordinary cross-fitting does not
    have this: there fold f trains the critic that judges fold g and the other way round, and
    chance agreement between the two counts twice. A fold that no exchange can change is left out.

    Parameters
    ----------
    folds : list of JudgedFold
        Their weights are the square roots of the samples that trained times those that judge.
    permutations : int
        Of each fold. 0 gives no p-value.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    SequentialTest
        p-value, z, and the least p-value that was possible. p is 1 and z 0 where no fold says
        anything.

    References
    ----------
    Stouffer et al. (1949), The American Soldier; Lipták (1958) for weights.

    Examples
    --------
    >>> strata = Strata([np.arange(30)[:, None]])
    >>> folds = [JudgedFold(strata, [np.eye(30)], n) for n in (30, 60)]
    >>> p, z, reach = sequential_test(folds, 999, np.random.default_rng(0))
    >>> p < 1e-4, round(z, 2), p == reach
    (True, 40.42, True)
    """
    telling = [fold for fold in folds if not fold.constant]
    least = _reach(folds, permutations)
    if not telling:
        return SequentialTest(1.0 if permutations else None, 0.0, least)
    weights = np.array([fold.weight for fold in telling])
    z = float(np.dot(weights / np.linalg.norm(weights), [fold.z for fold in telling]))
    if permutations == 0:
        return SequentialTest(None, z, least)
    tested = [fold.p_value(permutations, rng) for fold in telling]
    p_values, attainable = zip(*tested, strict=True)
    return SequentialTest(combined_p_value(p_values, weights, attainable, rng), z, least)


def _reach(folds: Sequence[JudgedFold], permutations: int) -> float:
    """The least p-value that exchanges of these folds can give, whatever their critics say."""
    attainable = [fold.strata.attainable(permutations) for fold in folds]
    return least_p_value([fold.weight for fold in folds], attainable)
