"""What one training set teaches: candidates are tried on validation, and the best is calibrated."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from leakage.estimators import candidates, critics
from leakage.estimators.bounds import best_temperature, bound, log_partition, standard_error
from leakage.estimators.candidates import Candidate, Method, Parts, Samples
from leakage.estimators.critics import Critic
from leakage.estimators.threads import one_thread
from leakage.evidence.permutations import shuffle_z
from leakage.evidence.splits import least_part

#: A choice must raise the bound on validation by this many standard errors over a simpler one.
#: Chosen on the channels of `leakage.truth.channels`, so that no choice costs bits at independence.
CAUTION, NETWORK_CAUTION = 1.0, 3.0
#: Share of validation pairs recognised from which a critic is steep.
STEEP = 0.3
#: Share of the folds that only trains for the test; each later fold is judged by earlier ones.
ONLY_TRAINS = 0.4
#: Pairs of canonical variates that nearest neighbours look at.
VARIATES = 2
#: A single image unlike all others would otherwise decide what a fold says: a score so many nats
#: below the least of all validated pairs is held there, and one above the largest of pairs that do
#: not belong together too, unless so large a share of own pairs is above it.
FAR_BELOW, ABOVE = 10.0, 0.1
#: Closed forms that further training sets of the same samples try, and the word for networks.
SHORTLISTED, NETWORKS = 4, "networks"


class Learned(NamedTuple):
    """What one training set teaches: the calibrated critic, and the one that detects best."""

    name: str
    bits: float  # on validation
    refused: float  # of the best that was not clearly above nothing, where nothing was chosen
    critic: Critic
    temperature: float
    offset: float
    detector: Critic
    judge: str  # name of the bound that serves it
    variates: critics.Canonical | None  # the first of the closed form that was best on validation
    validated: tuple[np.ndarray, ...]  # scores of the calibrated critic on its validation parts
    candidates: list[Candidate]
    promising: frozenset[str]  # what is worth trying on other training sets of the same samples

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """All pairs of the samples `rows` by the calibrated critic, in nats."""
        scores = self.temperature * self.critic.scores(rows) + self.offset
        if not self.validated:
            return scores
        least = min(s.diagonal().min() for s in self.validated) - FAR_BELOW
        return np.clip(scores, least, max(s.max() for s in self.validated))

    def of(self, rows: np.ndarray) -> "Learned":
        """The same of the samples `rows` alone, which it numbers from 0; without its candidates."""
        critic = self.critic.of(rows)
        detector = critic if self.detector is self.critic else self.detector.of(rows)
        return self._replace(critic=critic, detector=detector, candidates=[])


@dataclass(frozen=True)
class _Trial:
    """A candidate on the validation samples: its best temperature, and its bound with it."""

    candidate: Candidate | None
    temperature: float
    bits: float
    scores: tuple[np.ndarray, ...] = ()
    judge: str = "mine"

    @cached_property
    def influences(self) -> list[np.ndarray]:
        """Of each validation sample on the bound."""
        return [bound(self.temperature * s, self.judge)[1] for s in self.scores]

    def clearly_above(self, other: "_Trial", clusters: list[np.ndarray], caution: float) -> bool:
        """Whether the bound exceeds the other's by more than `caution` standard errors."""
        if self.bits <= other.bits:
            return False
        gains = [
            a - b for a, b in zip(self.influences, other.influences, strict=True)
        ] if other.candidate else self.influences  # fmt: skip
        return self.bits - other.bits > caution * standard_error(gains, clusters)


_NOTHING = _Trial(None, 0.0, 0.0)


def _tried(candidate: Candidate, parts: Parts, judges: tuple[str, ...]) -> _Trial:
    """Under the first of the bounds, or where pairs are recognised under the last.

    A critic of a nearly exact relation is steep, and then one sample decides what the bound of
    Donsker and Varadhan says; that of InfoNCE cannot fall so far.
    """
    scores = _held(candidate.scores)
    first = _Trial(candidate, *best_temperature(scores, judges[0]), scores, judges[0])
    recognised = np.mean([np.mean(s.argmax(1) == np.arange(len(s))) for s in scores])
    if recognised < STEEP or len(judges) == 1:
        return first
    last = _Trial(candidate, *best_temperature(scores, judges[-1]), scores, judges[-1])
    most = math.log2(min(len(s) for s in scores))  # more no sample of this size can tell
    capped = replace(first, bits=min(first.bits, most))
    return first if capped.clearly_above(last, parts.clusters, CAUTION) else last


def _held(scores: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """No score above what its pairs bear out, see `ABOVE`."""
    others = max(s.max(where=~np.eye(len(s), dtype=bool), initial=-np.inf) for s in scores)
    own = np.concatenate([s.diagonal() for s in scores])
    most = max(others, np.quantile(own, 1 - ABOVE))
    return tuple(np.minimum(s, most) for s in scores)


def learn(
    samples: Samples,
    rows: np.ndarray,
    method: Method,
    rng: np.random.Generator,
    only: frozenset[str] | None = None,
) -> Learned:
    """Fit, choose and calibrate a critic on the samples `rows` alone.

    `only`: what another training set of these samples found promising; the rest is not tried.
    """
    with one_thread():
        parts = Parts.of(rows, samples.groups, rng)
        return _calibrated(_chosen(samples, parts, method, only), parts, method)


class _Chosen(NamedTuple):
    best: _Trial  # what a bound is best taken of
    closed: _Trial  # the best without a network
    doubted: _Trial  # the best of all that validated above 0, clearly or not
    tried: list[Candidate]
    promising: frozenset[str]


def _chosen(samples: Samples, parts: Parts, method: Method, only: frozenset[str] | None) -> _Chosen:
    """Trials of all candidates of a method.

    A closed form must be clearly better than nothing, a network clearly better than that.
    """
    judges = _judges(method)
    views = samples.views(parts.rows)
    forms = candidates.closed_forms(method, views, parts, samples.seed, only)
    trials = sorted((_tried(c, parts, judges) for c in forms), key=lambda t: -t.bits)
    tried = [t.candidate for t in trials if t.candidate]
    closed = doubted = trials[0] if trials else _NOTHING
    if closed.candidate and not closed.clearly_above(_NOTHING, parts.clusters, CAUTION):
        closed = _NOTHING
    best, promising = closed, {c.name for c in tried[:SHORTLISTED]}
    if method not in ("canonical", "cluster") and (only is None or NETWORKS in only):
        nets = candidates.trained_networks(method, views, parts, closed.candidate, samples.seed)
        tried += nets
        network = max((_tried(net, parts, judges) for net in nets), key=lambda t: t.bits)
        doubted = max(doubted, network, key=lambda t: t.bits)
        if method != "auto" or network.clearly_above(closed, parts.clusters, CAUTION):
            promising.add(NETWORKS)
        if network.clearly_above(
            closed, parts.clusters, NETWORK_CAUTION if closed.candidate else CAUTION
        ):
            best = network
    if method in ("auto", "canonical"):
        tried.append(candidates.linear(views, parts))
    return _Chosen(best, closed, doubted, tried, frozenset(promising))


def _calibrated(chosen: _Chosen, parts: Parts, method: Method) -> Learned:
    """The chosen critic at its temperature, and whichever candidate tells pairs apart best."""
    best, tried = chosen.best, chosen.tried
    detector = max(tried, key=lambda c: _telling(c.scores)).final()
    offset = 0.0
    if method == "nwj":  # the constant that makes its bound as large as Donsker and Varadhan's
        (network,) = (c for c in tried if c.name == "network")
        scores = [best.temperature * s for s in network.scores]
        offset = 1 - float(np.mean([log_partition(s) for s in scores]))
    name, critic, refused = "nothing", detector, chosen.doubted.bits
    validated: tuple[np.ndarray, ...] = ()
    if best.candidate is not None:
        name, critic, refused = best.candidate.name, best.candidate.final(), 0.0
        validated = tuple(best.temperature * s + offset for s in best.scores)
    variates = None
    if method == "auto" and chosen.closed.candidate and chosen.closed.candidate.variates:
        variates = chosen.closed.candidate.variates(parts.rows).first(VARIATES)
    return Learned(
        name, best.bits, refused, critic, best.temperature, offset, detector, best.judge,
        variates, validated, tried, chosen.promising,
    )  # fmt: skip


def _telling(scores: tuple[np.ndarray, ...]) -> float:
    """How well a critic tells pairs apart; nothing is worse than one that is constant."""
    z = [shuffle_z(s) for s in scores]
    return float(np.mean(z)) if any(z) else -np.inf


def _judges(method: Method) -> tuple[str, ...]:
    """The bounds that may choose: a network's own, and of closed forms the larger of two."""
    if method in ("auto", "canonical"):
        return ("mine", "infonce")
    return ("infonce",) if method == "infonce" else ("mine",)


def earlier_folds(
    fold: np.ndarray, groups: np.ndarray, fewest: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test samples such that every fold tested comes after those that train.

    `fewest`: samples that both parts must have that whole groups of the training samples are cut
    into, to fit and to validate; where they have not, the fold is not tested.
    """
    folds = fold.max() + 1
    pairs = []
    for test in range(max(1, int(ONLY_TRAINS * folds)), folds):
        rows = np.flatnonzero(fold < test)
        if least_part(groups[rows], 2) >= fewest:
            pairs.append((rows, np.flatnonzero(fold == test)))
    return pairs
