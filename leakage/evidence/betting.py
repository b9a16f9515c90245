"""Bets on the mean of a kernel of two independent units, averaged over all ways to pair them up."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

#: Units that are paired up among each other; more hardly lower the noise of a mean over all pairs.
PARTNERS = 128
#: Ways to pair them up that are drawn.
DRAWN = 64


class Bets(NamedTuple):
    """Outcomes of pairs in several ways to pair up the same units, and what each way counts.

    Attributes
    ----------
    outcomes : ndarray of float, shape (ways, pairs)
    log_weights : ndarray of float, shape (ways,)
        ln of what a way counts in the mean: its probability under uniform drawing, over that with
        which it was drawn.
    least : float
        Below what no outcome can fall.
    stake : float
        Share of the largest stake that cannot go bankrupt.
    """

    outcomes: np.ndarray
    log_weights: np.ndarray
    least: float
    stake: float

    def log_capital(self, value: float) -> float:
        """ln of what betting on "the mean exceeds `value`" makes of a capital of 1."""
        made = log_factor(self.outcomes, self.least, value, self.stake).sum(-1)
        return float(logsumexp(made + self.log_weights)) - math.log(len(made))


def log_factor(
    outcomes: np.ndarray, least: float, value: float | np.ndarray, stake: float | np.ndarray
) -> np.ndarray:
    """ln of the factor on a capital that each outcome brings.

    The share `stake` of the capital becomes itself times the outcome's distance from the least one
    over that of `value`: a fair bet if `value` is the mean.

    Examples
    --------
    >>> log_factor(np.array([1.0, 0.0]), 0.0, 0.5, 0.5).round(3).tolist()
    [0.405, -0.693]
    """
    return np.log1p(stake * ((outcomes - least) / (value - least) - 1))


def bet_on_pairs(
    kernel: np.ndarray, least: float, value: float, stake: float, rng: np.random.Generator
) -> Bets:
    """Ways to pair up units, drawn such that few are enough for the mean over all of them.

    A way multiplies the factors of pairs that share no unit. If units are independent and the mean
    outcome of two is at most the value bet against, the product's expectation is at most 1, and so
    is that of its mean over all ways. That mean wastes no pair: it grows like a bet on the mean
    over all pairs, whose noise is far smaller than that of any one way.

    The first unit without a partner is given one, with a probability that grows with the factor
    that the pair would bring at `value`, and the way counts the less for it. Given the units, the
    drawn mean then has the mean over all ways as its expectation, whatever is bet against, so that
    a fair bet stays fair.

    Parameters
    ----------
    kernel : ndarray of float, shape (n, n)
        Outcome of each pair, symmetric; the diagonal is not looked at. An odd n leaves out the last
        unit.
    least : float
        Below what no outcome can fall.
    value : float
        Roughly what will be bet against.
    stake : float
        Above 0 and below 1: share of the largest stake that cannot go bankrupt.
    rng : numpy.random.Generator
        Draws the ways.

    References
    ----------
    Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> u = rng.random(100)
    >>> bets = bet_on_pairs(np.outer(u, u), 0.0, 0.1, 0.5, rng)
    >>> bets.outcomes.shape, bets.log_capital(0.1) > 3 > bets.log_capital(0.25)
    ((64, 50), True)
    """
    n = len(kernel) // 2 * 2
    kernel = kernel[:n, :n]
    factor = np.exp(log_factor(kernel, least, value, stake))
    np.fill_diagonal(factor, 0)
    attraction = factor / factor.mean(0)
    free = np.ones((DRAWN, n), bool)
    way = np.arange(DRAWN)
    outcomes, log_weights = np.empty((DRAWN, n // 2)), np.zeros(DRAWN)
    for step in range(n // 2):
        one = free.argmax(1)  # the first that has no partner yet
        free[way, one] = False
        total = np.cumsum(attraction[one] * free, axis=1)
        drawn = rng.random(DRAWN) * total[:, -1]
        other = (total > drawn[:, None]).argmax(1)
        free[way, other] = False
        outcomes[:, step] = kernel[one, other]
        log_weights += np.log(total[:, -1] / (n - 2 * step - 1) / attraction[one, other])
    return Bets(outcomes, log_weights, least, stake)
