"""What one training set teaches: candidates are tried on validation, and the best is calibrated."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from leakage.estimators import candidates
from leakage.estimators.bounds import best_temperature, bound, log_partition, standard_error
from leakage.estimators.candidates import Candidate, Method, Parts, Samples
from leakage.estimators.critics import Critic
from leakage.estimators.threads import one_thread
from leakage.evidence.permutations import shuffle_z

#: A choice must raise the bound on validation by this many standard errors over a simpler one.
#: Chosen on the channels of `leakage.truth.channels`, so that no choice costs bits at independence.
CAUTION, NETWORK_CAUTION = 1.0, 3.0
#: Share of the folds that only trains for the test; each later fold is judged by earlier ones.
ONLY_TRAINS = 0.4
#: A score so many nats below the least of all validated pairs is held there: a single image unlike
#: all others would otherwise decide what a fold says.
FAR_BELOW = 10.0


class Learned(NamedTuple):
    """What one training set teaches: the calibrated critic, and the one that detects best."""

    name: str
    bits: float  # on validation
    critic: Critic
    temperature: float
    offset: float
    detector: Critic
    validated: tuple[np.ndarray, ...]  # scores of the calibrated critic on its validation parts
    judged: list[np.ndarray]  # these parts
    candidates: list[Candidate]

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """All pairs of the samples `rows` by the calibrated critic, in nats."""
        scores = self.temperature * self.critic.scores(rows) + self.offset
        if not self.validated:
            return scores
        return np.maximum(scores, min(s.diagonal().min() for s in self.validated) - FAR_BELOW)


@dataclass(frozen=True)
class _Trial:
    """A candidate on the validation samples: its best temperature, bound, and influences."""

    candidate: Candidate | None
    temperature: float
    bits: float
    influences: list[np.ndarray] | None

    def clearly_above(self, other: "_Trial", clusters: list[np.ndarray], caution: float) -> bool:
        """Whether the bound exceeds the other's by more than `caution` standard errors."""
        assert self.influences is not None  # nothing is never the better one
        gains = self.influences if other.influences is None else [
            a - b for a, b in zip(self.influences, other.influences, strict=True)
        ]  # fmt: skip
        return self.bits - other.bits > caution * standard_error(gains, clusters)


_NOTHING = _Trial(None, 0.0, 0.0, None)


def _tried(candidate: Candidate, parts: Parts, judge: str) -> _Trial:
    scores = candidate.scores(parts.judged)
    temperature, bits = best_temperature(scores, judge)
    return _Trial(
        candidate, temperature, bits, [bound(temperature * s, judge)[1] for s in scores]
    )  # fmt: skip


def learn(samples: Samples, rows: np.ndarray, method: Method, rng: np.random.Generator) -> Learned:
    """Fit, choose and calibrate a critic on the samples `rows` alone."""
    with one_thread():
        parts = Parts.of(rows, samples.groups, rng)
        tried, best = _choose(samples, parts, method)
        return _calibrated(tried, best, parts, method)


def _choose(samples: Samples, parts: Parts, method: Method) -> tuple[list[Candidate], _Trial]:
    """All candidates of a method, and the trial of the one that a bound is best taken of.

    A closed form must be clearly better than nothing, a network clearly better than that.
    """
    judge = _judge(method)
    views = samples.views(parts.rows)
    found = list(candidates.closed_forms(method, views, parts, samples.seed))
    best = max((_tried(c, parts, judge) for c in found), key=lambda t: t.bits, default=_NOTHING)
    if best.candidate and not best.clearly_above(_NOTHING, parts.clusters, CAUTION):
        best = _NOTHING
    if method not in ("canonical", "cluster"):
        nets = candidates.trained_networks(method, views, parts, best.candidate, samples.seed)
        found += nets
        network = max((_tried(net, parts, judge) for net in nets), key=lambda t: t.bits)
        caution = NETWORK_CAUTION if best.candidate else CAUTION
        if network.clearly_above(best, parts.clusters, caution):
            best = network
    if method in ("auto", "canonical"):
        found.append(candidates.linear(views, parts))
    return found, best


def _calibrated(tried: list[Candidate], best: _Trial, parts: Parts, method: Method) -> Learned:
    """The chosen critic at its temperature, and whichever candidate tells pairs apart best."""
    favourite = max(
        tried, key=lambda c: np.mean([shuffle_z(s) for s in c.scores(parts.judged)])
    )  # fmt: skip
    detector = favourite.final()
    offset = 0.0
    if method == "nwj":  # the constant that makes its bound as large as Donsker and Varadhan's
        (network,) = (c for c in tried if c.name == "network")
        scores = [best.temperature * s for s in network.scores(parts.judged)]
        offset = 1 - float(np.mean([log_partition(s) for s in scores]))
    name, critic = "nothing", detector
    validated: tuple[np.ndarray, ...] = ()
    if best.candidate is not None:
        name, critic = best.candidate.name, best.candidate.final()
        validated = tuple(
            best.temperature * s + offset for s in best.candidate.scores(parts.judged)
        )
    return Learned(
        name, best.bits, critic, best.temperature, offset, detector, validated, parts.judged, tried
    )


def _judge(method: Method) -> str:
    """The bound that chooses: a critic trained by InfoNCE is chosen by it, all others by MINE's."""
    return "infonce" if method == "infonce" else "mine"


def earlier_folds(fold: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test samples such that every fold tested comes after those that train."""
    folds = fold.max() + 1
    pairs = []
    for test in range(max(1, int(ONLY_TRAINS * folds)), folds):
        rows = np.flatnonzero(fold < test)
        if len(np.unique(groups[rows])) > 1:
            pairs.append((rows, np.flatnonzero(fold == test)))
    return pairs
