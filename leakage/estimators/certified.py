"""A lower bound on mutual information that holds with a stated confidence at finite n."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, product
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import logsumexp

from leakage.arguments import check_count, check_one_of, check_seed
from leakage.estimate import Estimate
from leakage.estimators.bounds import log_partition
from leakage.estimators.candidates import FEWEST_ROWS, Candidate, Samples
from leakage.estimators.learning import ONLY_TRAINS, Learned, learn
from leakage.evidence.betting import PARTNERS, Bets, bet_on_pairs, log_factor
from leakage.evidence.p_values import positive
from leakage.evidence.samples import usable_samples
from leakage.evidence.splits import least_part, split_by_group

#: Critics to choose from: all, or those without a network.
CertifiedMethod = Literal["auto", "canonical"]

#: Samples that a critic is taught by, at least: four parts of two.
FEWEST = 8
#: Stakes to choose from on validation, as shares of the largest that cannot go bankrupt.
STAKES = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 0.95])
#: A critic is clipped to a range, or cut into two levels at a quantile of unpaired scores; in nats.
LOWEST = (-0.5, -1.0, -1.5, -2.5, -4.0)
HIGHEST = (0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
CUTS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.998)


class _Bounded(NamedTuple):
    """What turns the scores of a critic into those of a bounded one."""

    low: float
    high: float
    constant: float = 0.0  # taken off before clipping
    cut: float | None = None  # with two levels: where the upper one begins

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        if self.cut is None:
            return np.clip(scores - self.constant, self.low, self.high)
        return np.where(scores > self.cut, self.high, self.low)

    @property
    def least(self) -> float:
        """Below what no outcome can fall."""
        return self.low - math.exp(self.high) + 1


class _Choice(NamedTuple):
    """A bounded critic, and the bound and stake that validation samples promise with it.

    The promise is below 0 where nothing would be certified: what is missing of the growth.
    """

    promise: float
    stake: float
    candidate: Candidate | None  # None for the calibrated critic
    bounded: _Bounded


def _kernel(scores: np.ndarray) -> np.ndarray:
    """Of all pairs of units: half of both own scores minus half of both crossed ones' e^T, plus 1.

    `scores` has own scores on its diagonal and e^T elsewhere.
    """
    own = scores.diagonal() / 2
    return own[:, None] + own - (scores + scores.T) / 2 + 1


def _means(own: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Mean outcome of each unit with all others, of the means of e^T in its row and column."""
    others = (own.sum() - own) / (len(own) - 1)
    return (own + others - row - column) / 2 + 1


def _largest(exceeded: Callable[[float], bool], highest: float) -> float:
    """Largest value in nats, from 0, at which a falling criterion still holds."""
    low, high = 0.0, highest
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if exceeded(middle) else (low, middle)
    return low


def _growth(means: np.ndarray, least: float, nats: float) -> np.ndarray:
    """ln of the factor by which a pair grows the capital, averaged over all pairings, by stake.

    Factors of a pair are close to a product of one for each unit, which is the mean factor of the
    unit with all others, over the root of the mean of all.
    """
    stakes = STAKES[:, None]
    each = log_factor(means, least, nats, stakes).mean(1)
    return 2 * each - log_factor(means.mean(keepdims=True), least, nats, stakes)[:, 0]


def _promise(
    means: np.ndarray, least: float, needed: float, best: float
) -> tuple[float, float] | None:
    """Promised bound and stake if each pair has to grow the capital by `needed`; None: not best."""

    def spare(nats: float) -> float:
        return float(_growth(means, least, nats).max()) - needed

    if spare(max(best, 0.0)) <= min(best, 0.0):
        return None
    nats = 0.0
    if spare(0.0) > 0:
        nats = _largest(lambda value: spare(value) > 0, float(means.max()))
    stake = float(STAKES[_growth(means, least, nats).argmax()])
    return (nats if nats > 0 else spare(0.0)), stake


class _Cut(NamedTuple):
    """Scores of a validation part, cut in two: own ones above, shares above by row and column."""

    own: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, cut: float) -> "_Cut":
        above = scores > cut
        own = above.diagonal().astype(float)
        others = len(own) - 1
        return cls(own, (above.sum(1) - own) / others, (above.sum(0) - own) / others)

    def means(self, bounded: _Bounded) -> np.ndarray:
        low, high = math.exp(bounded.low), math.exp(bounded.high)
        own = bounded.low + (bounded.high - bounded.low) * self.own
        return _means(own, low + (high - low) * self.row, low + (high - low) * self.column)


def _levels(validated: Sequence[np.ndarray]) -> Iterator[tuple[_Bounded, np.ndarray]]:
    """Two levels, each the log-likelihood ratio of its side of the cut, limited."""
    others = np.concatenate([s[~np.eye(len(s), dtype=bool)] for s in validated])
    for cut in np.unique(np.quantile(others, CUTS)):
        parts = [_Cut.of(scores, cut) for scores in validated]
        own = np.concatenate([part.own for part in parts])
        right = (own.sum() + 0.5) / (len(own) + 1)
        wrong = max((np.count_nonzero(others > cut) + 0.5) / (len(others) + 1), 1 / len(own))
        if right <= wrong:
            continue
        low, high = math.log((1 - right) / (1 - wrong)), math.log(right / wrong)
        lows = sorted({max(low, limit) for limit in LOWEST})
        highs = sorted({min(high, limit) for limit in HIGHEST})
        for lowest, highest in product(lows, highs):
            bounded = _Bounded(lowest, highest, cut=cut)
            yield bounded, np.concatenate([part.means(bounded) for part in parts])


def _clipped(validated: Sequence[np.ndarray]) -> Iterator[tuple[_Bounded, np.ndarray]]:
    """Ranges of the calibrated critic."""
    constant = float(np.mean([log_partition(s) for s in validated]))
    for lowest, highest in product(LOWEST, HIGHEST):
        bounded = _Bounded(lowest, highest, constant)
        yield bounded, np.concatenate([_means_of(bounded(s)) for s in validated])


def _means_of(scores: np.ndarray) -> np.ndarray:
    """Mean outcome of each unit with all others."""
    own, crossed = scores.diagonal(), np.exp(scores)
    np.fill_diagonal(crossed, 0)
    others = len(own) - 1
    return _means(own, crossed.sum(1) / others, crossed.sum(0) / others)


def _best(learned: Learned, needed: float) -> _Choice | None:
    """The bounded critic that promises most on validation samples."""
    best = None
    kinds: list[tuple[Candidate | None, Iterator[tuple[_Bounded, np.ndarray]]]] = []
    kinds += [(c, _levels(c.scores)) for c in learned.candidates]
    if learned.validated:
        kinds.append((None, _clipped(learned.validated)))
    for candidate, choices in kinds:
        for bounded, means in choices:
            found = _promise(means, bounded.least, needed, best.promise if best else -math.inf)
            if found:
                best = _Choice(*found, candidate, bounded)
    return best


def _by_group(scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Means over rows of groups: of own scores on the diagonal, of e^T of two groups elsewhere."""
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = np.zeros((len(sizes), len(scores)))
    share[member, np.arange(len(scores))] = 1 / sizes[member]
    crossed = share @ np.exp(scores) @ share.T
    np.fill_diagonal(crossed, share @ scores.diagonal())
    return crossed


def _bets(
    scored: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    groups: np.ndarray,
    choice: _Choice,
    rng: np.random.Generator,
) -> list[Bets]:
    """Bets on random sets of groups of a fold."""
    names, bounded = rng.permutation(np.unique(groups[rows])), choice.bounded
    bets = []
    for part in np.array_split(names, math.ceil(len(names) / PARTNERS)):
        held = rows[np.isin(groups[rows], part)]
        kernel = _kernel(_by_group(bounded(scored(held)), groups[held]))
        bets.append(
            bet_on_pairs(kernel, bounded.least, max(choice.promise, 0.0), choice.stake, rng)
        )
    return bets


def _log_e_value(made: list[list[Bets]], begins: int, nats: float) -> float:
    """ln of the capital that betting on "the information exceeds `nats`" has made.

    It is the mean of those that bet on all folds, on all but the first, and so on.
    """
    folds = np.array([sum(bets.log_capital(nats) for bets in fold) for fold in made])
    return float(logsumexp([folds[b:].sum() for b in range(begins)])) - math.log(begins)


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
    1 is at most I(X; Y) in nats, whatever T is. Two groups have an outcome with that mean: half of
    both own T minus half of both crossed e^T plus 1; it cannot fall below a least value. The bound
    is the smallest v against which the capital of a gambler, who bets that the mean is more than v,
    stays below 1 / (1 - `confidence`).

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

    Notes
    -----
    Why the bound holds: let v be I(X; Y). A stake on an outcome is its distance from the least
    value over that of v, whose expectation is at most 1 given all earlier folds, which alone have
    taught the critic and set the stake. The groups of a fold are paired up, so that no group is in
    two pairs: outcomes are independent of each other, and the product of their factors has an
    expectation of at most 1, too. So has its mean over ways to pair up the groups, drawn by
    `leakage.evidence.betting.bet_on_pairs`, the product over folds, and the mean of the capitals
    that begin to bet after the first fold and after later ones. By Markov's inequality the
    capital reaches 1 / (1 - `confidence`) with probability at most 1 - `confidence`. It falls as v
    grows, so that whenever the bound exceeds I(X; Y), the capital against I(X; Y) has reached that.

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
    check_count("components", components)
    check_one_of("method", method, get_args(CertifiedMethod))
    x, y, groups, *_ = usable_samples(x, y, groups, folds, seed)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    samples = Samples.of(x, y, groups, components, seed)
    threshold = -math.log(1 - confidence)
    begins = max(1, int(ONLY_TRAINS * folds))
    pairs = sum(len(np.unique(groups[fold == t])) // 2 for t in range(1, folds))
    made: list[list[Bets]] = []
    for t in range(1, folds):
        made.append([])
        rows, later = np.flatnonzero(fold < t), np.flatnonzero(fold == t)
        taught = least_part(groups[rows], 2) >= FEWEST_ROWS
        if len(np.unique(groups[later])) < 2 or len(rows) < FEWEST or not taught:
            continue  # nothing to validate on, or no pair to bet on
        learned = learn(samples, rows, method, rng)
        choice = _best(learned, (threshold + math.log(begins)) / pairs)
        if choice is None:
            continue  # no critic tells pairs from others, not even on validation
        scored = choice.candidate.final().scores if choice.candidate else learned.scores
        made[-1] = _bets(scored, later, groups, choice, rng)

    def log_e_value(value: float) -> float:
        return _log_e_value(made, begins, value)

    nats = 0.0
    if log_e_value(0.0) > threshold:
        highest = max(float(bets.outcomes.max()) for bets in chain(*made))
        nats = _largest(lambda value: log_e_value(value) > threshold, highest)
    bits = float(nats) / math.log(2)
    p_value = positive(min(1.0, math.exp(-log_e_value(0.0))))
    return Estimate(
        bits,
        bits,
        None,
        p_value,
        len(x),
        f"certified at {confidence:.0%}",
        "lower bound",
    )
