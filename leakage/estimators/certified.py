"""A lower bound on mutual information that holds with a stated confidence at finite n."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import logsumexp

from leakage.arguments import check_one_of, check_seed
from leakage.estimate import Estimate
from leakage.estimators.bounds import log_partition
from leakage.estimators.candidates import Candidate, Samples
from leakage.estimators.learning import Learned, earlier_folds, learn
from leakage.evidence.p_values import positive
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group

#: Critics to choose from: all, or those without a network.
CertifiedMethod = Literal["auto", "canonical"]

#: Stakes, as shares of the largest that cannot go bankrupt; what they win is averaged.
STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95])
#: Random ways to pair up the samples of a fold; their capitals are averaged.
PAIRINGS = 50
#: A critic is clipped to a range, or cut into two levels at a quantile of unpaired scores; in nats.
LOWEST = (-1.5, -2.5, -4.0)
HIGHEST = (0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
CUTS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.998)
#: Validation outcomes that the choice among these looks at.
LOOKED_AT = 2000


class _Bounded(NamedTuple):
    """What turns the scores of a critic into those of a bounded one."""

    low: float
    high: float
    cut: float | None = None  # with two levels: where the upper one begins

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        if self.cut is None:
            return np.clip(scores, self.low, self.high)
        return np.where(scores > self.cut, self.high, self.low)

    @property
    def least(self) -> float:
        """Below what no outcome can fall."""
        return self.low - math.exp(self.high) + 1


class _Bets(NamedTuple):
    """Outcomes of one fold: their mean is at most I(X; Y) in nats, their least value known."""

    outcomes: np.ndarray  # (PAIRINGS, blocks)
    least: float


def _outcomes(scores: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Of blocks of two: half of both own scores minus half of both crossed ones, exponentiated."""
    own = scores.diagonal()
    return (own[i] + own[j] - np.exp(scores[i, j]) - np.exp(scores[j, i])) / 2 + 1


def _log_growth(outcomes: np.ndarray, least: float, nats: float) -> np.ndarray:
    """ln of the factor on a capital that each outcome brings, for each of the stakes.

    A stake s of the capital on "the mean is more than `nats`" becomes s times the outcome's
    distance from the least one over that of `nats`: a fair bet if `nats` is the mean.
    """
    gain = (outcomes - least) / (nats - least) - 1
    return np.log1p(np.multiply.outer(STAKES, gain))


def _largest(exceeded: Callable[[float], bool], highest: float) -> float:
    """Largest value in nats, from 0, at which a falling criterion still holds."""
    low, high = 0.0, highest
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if exceeded(middle) else (low, middle)
    return low


def _cuts(validated: Iterable[np.ndarray]) -> Iterator[_Bounded]:
    """Two levels, each the log-likelihood ratio of its side of the cut, limited."""
    own = np.concatenate([s.diagonal() for s in validated])
    others = np.concatenate([s[~np.eye(len(s), dtype=bool)] for s in validated])
    for cut in np.unique(np.quantile(others, CUTS)):
        right = (np.count_nonzero(own > cut) + 0.5) / (len(own) + 1)
        wrong = max((np.count_nonzero(others > cut) + 0.5) / (len(others) + 1), 1 / len(own))
        if right <= wrong:
            continue
        low, high = math.log((1 - right) / (1 - wrong)), math.log(right / wrong)
        lows = sorted({max(low, limit) for limit in LOWEST})
        highs = sorted({min(high, limit) for limit in HIGHEST if limit >= 0.5})
        yield from (_Bounded(a, b, cut) for a in lows for b in highs)


def _promise(outcomes: np.ndarray, weights: np.ndarray, least: float, needed: float) -> float:
    """The bound if outcomes came like these and the capital had to grow so much by each.

    Below 0 where nothing would be certified: what is missing of that growth.
    """

    def spare(nats: float) -> float:
        return float((_log_growth(outcomes, least, nats) @ weights).max()) - needed

    most = float(outcomes.max())
    if most <= 0 or spare(0.0) <= 0:
        return spare(0.0)
    return _largest(lambda nats: spare(nats) > 0, most)


def _counted_outcomes(
    validated: list[np.ndarray], pairs: list[tuple], bounded: _Bounded
) -> tuple[np.ndarray, np.ndarray]:
    """The nine outcomes that two levels can have, and their shares."""
    counts = np.zeros((3, 3))
    for scores, (i, j) in zip(validated, pairs, strict=True):
        above = (scores > bounded.cut).astype(int)
        own = above.diagonal()
        np.add.at(counts, (own[i] + own[j], above[i, j] + above[j, i]), 1)
    n = np.arange(3)
    own = n * bounded.high + (2 - n) * bounded.low
    crossed = n * np.exp(bounded.high) + (2 - n) * np.exp(bounded.low)
    return ((own[:, None] - crossed) / 2 + 1).ravel(), counts.ravel() / counts.sum()


class _Choice(NamedTuple):
    promise: float
    candidate: Candidate | None  # None for the calibrated critic
    bounded: _Bounded


def _choices(
    learned: Learned, constant: float, needed: float, rng: np.random.Generator
) -> Iterator[_Choice]:
    """All bounded critics, and what each promises on validation samples."""
    pairs = []
    for rows in learned.judged:
        i, j = rng.integers(0, len(rows), (2, LOOKED_AT // len(learned.judged)))
        pairs.append((i[i != j], j[i != j]))
    if learned.validated:
        for high in HIGHEST:
            bounded = _Bounded(LOWEST[-1], high)
            outcomes = np.concatenate(
                [
                    _outcomes(bounded(scores - constant), *pair)
                    for scores, pair in zip(learned.validated, pairs, strict=True)
                ]
            )
            weights = np.full(len(outcomes), 1 / len(outcomes))
            yield _Choice(_promise(outcomes, weights, bounded.least, needed), None, bounded)
    for candidate in learned.candidates:
        validated = candidate.scores(learned.judged)
        for bounded in _cuts(validated):
            outcomes, weights = _counted_outcomes(validated, pairs, bounded)
            yield _Choice(_promise(outcomes, weights, bounded.least, needed), candidate, bounded)


def _bets(scores: np.ndarray, groups: np.ndarray, least: float, rng: np.random.Generator) -> _Bets:
    """Outcomes of blocks of two groups, each group the mean of its rows."""
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = np.zeros((len(sizes), len(scores)))
    share[member, np.arange(len(scores))] = 1 / sizes[member]
    own, crossed = share @ scores.diagonal(), share @ np.exp(scores) @ share.T
    n = len(sizes) // 2
    order = rng.permuted(np.tile(np.arange(len(sizes)), (PAIRINGS, 1)), axis=1)
    i, j = order[:, :n], order[:, n : 2 * n]
    return _Bets((own[i] + own[j] - crossed[i, j] - crossed[j, i]) / 2 + 1, least)


def _log_e_value(folds: list[_Bets], nats: float) -> float:
    """ln of the capital that betting on "the information exceeds `nats`" has made."""
    capital = np.zeros(len(STAKES))
    for outcomes, least in folds:
        made = _log_growth(outcomes, least, nats).sum(-1)
        capital += logsumexp(made, axis=1) - math.log(made.shape[1])
    return float(logsumexp(capital)) - math.log(len(STAKES))


def certified_mi(
    x: np.ndarray,
    y: np.ndarray,
    confidence: float = 0.95,
    *,
    method: CertifiedMethod = "auto",
    groups: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
) -> Estimate:
    """Lower bound on I(X; Y) in bits that is too high with probability at most 1 - `confidence`.

    No assumption on the distribution, no large-sample argument. A critic T learnt on earlier folds
    is clipped, or cut into two levels, whichever promises more on validation. By Nguyen,
    Wainwright & Jordan (2010) the mean of T over pairs minus the mean of e^T over mixed pairs plus
    1 is at most I(X; Y) in nats. A gambler who bets that it is more than a value v on blocks of
    two groups, at odds that would be fair for v, multiplies a capital whose expectation cannot
    exceed 1 if v is the truth. Capitals of consecutive folds are multiplied, those of many
    pairings and stakes averaged. The bound is the smallest v against which the capital stays below
    1 / (1 - confidence).

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    confidence : float
        Above 0 and below 1.
    method : {"auto", "canonical"}
        Critics to choose from, as of `leakage.estimate_mi`; ``"canonical"`` trains no networks.
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
        As `leakage.estimate_mi`; an unknown method, a confidence not between 0 and 1.

    References
    ----------
    Nguyen, Wainwright & Jordan (2010), Estimating divergence functionals; Waudby-Smith & Ramdas
    (2024), Estimating means of bounded random variables by betting, JRSS B 86; McAllester &
    Stratos (2020), Formal limitations on the measurement of mutual information, AISTATS.

    Examples
    --------
    >>> from leakage.truth.channels import gaussian
    >>> x, y, exact = gaussian(2000, dimensions=2, bits=1.0)
    >>> 0.5 < certified_mi(x, y).bits < 1.0
    True
    """
    check_seed(seed)
    check_one_of("method", method, get_args(CertifiedMethod))
    x, y, groups = check_samples(x, y, groups, folds)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    samples = Samples.of(x, y, groups, components, seed)
    parts = earlier_folds(fold, groups)
    blocks = sum(len(np.unique(groups[later])) // 2 for _, later in parts)
    made = []
    for rows, later in parts:
        if len(np.unique(groups[later])) < 2:
            continue  # no block of two to bet on
        learned = learn(samples, rows, method, rng)
        constant = (
            float(np.mean([log_partition(s) for s in learned.validated]))
            if learned.validated
            else 0.0
        )
        needed = (math.log(len(STAKES)) - math.log(1 - confidence)) / blocks
        choices = _choices(learned, constant, needed, rng)
        best = max(choices, key=lambda choice: choice.promise, default=None)
        if best is None:
            continue  # no critic tells pairs from others, not even on validation
        scores = (
            learned.scores(later) - constant
            if best.candidate is None
            else best.candidate.final().scores(later)
        )
        made.append(_bets(best.bounded(scores), groups[later], best.bounded.least, rng))

    threshold = -math.log(1 - confidence)
    nats = 0.0
    if made and _log_e_value(made, 0.0) > threshold:
        highest = max(float(bets.outcomes.max()) for bets in made)
        nats = _largest(lambda v: _log_e_value(made, v) > threshold, highest)
    bits = float(nats) / math.log(2)
    p_value = positive(min(1.0, math.exp(-_log_e_value(made, 0.0)))) if made else 1.0
    return Estimate(
        bits,
        bits,
        None,
        p_value,
        len(x),
        f"certified at {confidence:.0%}",
        "lower bound",
    )
