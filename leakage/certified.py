"""A lower bound on mutual information that holds with a stated confidence at finite n."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from leakage.estimate import Estimate
from leakage.evidence import check_samples, split_by_group
from leakage.mine import Samples, earlier_folds, learn

#: The bets of each fold, as shares of the largest that cannot go bankrupt; they are averaged.
BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
#: Random ways to pair up the samples of a fold; their capitals are averaged.
PAIRINGS = 50
#: Critics are clipped from below here, and from above where validation wants it, in nats.
LOWEST = -4.0
HIGHEST = (0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)


class _Bets(NamedTuple):
    """Outcomes of one fold: their mean is at most I(X; Y) in nats, their least value known."""

    outcomes: np.ndarray  # (PAIRINGS, blocks)
    least: float
    most: float


def _log_partition(scores: np.ndarray) -> float:
    n = len(scores)
    return float(logsumexp(scores[~np.eye(n, dtype=bool)])) - math.log(n * (n - 1))


def _clip_for(validated: tuple[np.ndarray, ...], blocks: int, confidence: float) -> float:
    """The upper clip whose bound would be largest by Bernstein's inequality on validation."""
    best, chosen = -math.inf, HIGHEST[0]
    doubt = math.log(1 / (1 - confidence))
    for highest in HIGHEST:
        means, variances = [], []
        for scores in validated:
            t = np.clip(scores, LOWEST, highest)
            diagonal = t.diagonal()
            weights = np.exp(t)
            other = np.roll(np.arange(len(t)), 1)
            h = diagonal - weights[np.arange(len(t)), other] + 1
            means.append(diagonal.mean() - (weights.sum() - weights.trace())
                         / (len(t) * (len(t) - 1)) + 1)  # fmt: skip
            variances.append(h.var() / 2)  # a block averages two of them
        spread = highest - LOWEST + math.exp(highest)
        bound = (
            np.mean(means) - math.sqrt(2 * np.mean(variances) * doubt / blocks)
            - spread * doubt / (3 * blocks)
        )
        if bound > best:
            best, chosen = bound, highest
    return chosen


def _bets(scores: np.ndarray, groups: np.ndarray, highest: float, rng) -> _Bets:
    """Outcomes of blocks of two groups: half of both own scores minus half of both crossed ones."""
    t = np.clip(scores, LOWEST, highest)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = np.zeros((len(sizes), len(t)))
    share[member, np.arange(len(t))] = 1 / sizes[member]
    own, crossed = share @ t.diagonal(), share @ np.exp(t) @ share.T
    n = len(sizes) // 2
    order = rng.permuted(np.tile(np.arange(len(sizes)), (PAIRINGS, 1)), axis=1)
    i, j = order[:, :n], order[:, n : 2 * n]
    outcomes = (own[i] + own[j]) / 2 - (crossed[i, j] + crossed[j, i]) / 2 + 1
    return _Bets(outcomes, LOWEST - math.exp(highest) + 1, highest)


def _log_e_value(folds: list[_Bets], nats: float) -> float:
    """ln of the capital that betting on "the information exceeds `nats`" has made."""
    total = 0.0
    for outcomes, least, most in folds:
        stakes = BETS / (most - least)  # at most 1 / (nats - least), for nats is at most `most`
        capital = np.log1p(stakes[:, None, None] * (outcomes - nats)).sum(-1)
        total += logsumexp(capital) - math.log(capital.size)
    return float(total)


def certified_mi(
    x: np.ndarray,
    y: np.ndarray,
    confidence: float = 0.95,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
) -> Estimate:
    """Lower bound on I(X; Y) in bits that is too high with probability at most 1 - `confidence`.

    No assumption on the distribution, no large-sample argument. A critic T learnt on earlier folds
    is clipped; by Nguyen, Wainwright & Jordan (2010) the mean of T over pairs minus the mean of
    e^T over mixed pairs plus 1 is at most I(X; Y) in nats. A gambler who bets that it is more than
    a value v on blocks of two groups, at odds that would be fair for v, multiplies a capital
    whose expectation cannot exceed 1 if v is the truth. Capitals of many pairings and stakes are
    averaged, those of consecutive folds multiplied. The bound is the smallest v against which the
    capital stays below 1 / (1 - confidence).

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    confidence : float
        Above 0 and below 1.
    groups : ndarray, shape (N,), optional
        Source image of each row. Groups must be independent of each other; the bound is for a
        random row of a random group.
    folds, seed, components
        As of `leakage.estimate_mi`.

    Returns
    -------
    Estimate
        ``kind="lower bound"``; 0 where nothing more can be certified. `low` is the same value,
        `high` None. The p-value, 1 over the capital against v = 0, is valid too. The bound stays
        below about log2 of the number of groups, as every such bound must (McAllester & Stratos,
        2020).

    Raises
    ------
    ValueError, TypeError
        As `leakage.estimate_mi`; a confidence not between 0 and 1.

    References
    ----------
    Nguyen, Wainwright & Jordan (2010), Estimating divergence functionals; Waudby-Smith & Ramdas
    (2024), Estimating means of bounded random variables by betting, JRSS B 86; McAllester &
    Stratos (2020), Formal limitations on the measurement of mutual information, AISTATS.

    Examples
    --------
    >>> from leakage.channels import gaussian
    >>> x, y, exact = gaussian(2000, dimensions=2, bits=1.0)
    >>> 0.5 < certified_mi(x, y).bits < 1.0
    True
    """
    x, y, groups = check_samples(x, y, groups, folds)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    samples = Samples.of(x, y, groups, components, seed)
    made = []
    for rows, later in earlier_folds(fold, groups):
        learned = learn(samples, rows, "auto", rng)
        names = len(np.unique(groups[later]))
        if not learned.validated or names < 2:
            continue  # nothing to bet on
        constant = np.mean([_log_partition(s) for s in learned.validated])
        validated = tuple(s - constant for s in learned.validated)
        highest = _clip_for(validated, folds * names // 4, confidence)
        made.append(_bets(learned.scores(later) - constant, groups[later], highest, rng))

    threshold = -math.log(1 - confidence)
    nats = 0.0
    if made and _log_e_value(made, 0.0) > threshold:
        low, high = 0.0, max(bet.most for bet in made)
        while high - low > 1e-4:
            middle = (low + high) / 2
            low, high = (middle, high) if _log_e_value(made, middle) > threshold else (low, middle)
        nats = low
    bits = nats / math.log(2)
    p_value = min(1.0, math.exp(-_log_e_value(made, 0.0))) if made else 1.0
    return Estimate(
        bits, bits, None, p_value, len(x), f"certified at {confidence:.0%}", "lower bound",
    )
