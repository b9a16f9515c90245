"""Folds judged by what other folds taught: the bound of each, its test, and nearest neighbours."""

import math
from typing import NamedTuple

import numpy as np

from leakage.estimators.bounds import bound
from leakage.estimators.candidates import (
    FEWEST_CLUSTERED,
    FEWEST_ROWS,
    LINEAR,
    Method,
    Samples,
    log_radius,
)
from leakage.estimators.learning import CAUTION, Learned, earlier_folds, learn
from leakage.estimators.nearest_neighbours import MAX_DIMENSIONS, local_contributions
from leakage.evidence.exchange import Units
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.omnibus import normal_scores, omnibus_p_value
from leakage.evidence.p_values import either_p_value
from leakage.evidence.permutations import JudgedFold, SequentialTest, sequential_test

#: Samples whose pairs are scored at once; of a larger fold, parts are, and their bounds averaged.
LARGEST_PART = 2000
#: Exchanges of the omnibus test: what more of them could tell, the critics' beside it tells.
OMNIBUS_EXCHANGES = 499
#: Samples that taught a critic and are asked what it says of them.
TRAINING_ROWS = 400
#: Contributions of nearest neighbours share neighbours, so that their mean spreads more than that
#: of as many independent ones: by 1.25 to 1.47 times, over repeated runs of version 0.1.
SHARED_NEIGHBOURS = 1.35


class Judged(NamedTuple):
    """What a critic says of a fold that it never saw."""

    name: str
    bits: float
    influence: np.ndarray  # of each sample on `bits`
    recognised: float  # share of the y that pick out their own x
    donsker_varadhan: float

    @property
    def contributions(self) -> np.ndarray:
        """Of each sample to `bits`, which is their mean."""
        return self.influence - self.influence.mean() + self.bits


def judge(
    one: Learned,
    fold: np.ndarray,
    at: int,
    method: Method,
    neighbours: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> Judged:
    """The bound of a fold by the critic that the others taught, or nearest neighbours instead.

    `one`: of the samples of this fold alone (`Learned.of`).
    """
    held_out = fold == at
    rows = np.flatnonzero(held_out)
    of = one.judge if method in ("auto", "canonical") else method
    judged = _by_critic(one, len(rows), of, rng)
    if not neighbours:
        return judged
    name = max(neighbours, key=lambda n: neighbours[n][~held_out].mean())
    rest, own = neighbours[name][~held_out], neighbours[name][rows]
    if rest.mean() - one.bits <= CAUTION * rest.std() / math.sqrt(len(rest)):
        return judged
    bits = min(float(own.mean()), math.log2(len(rows)))  # no more than a critic could tell here
    return judged._replace(name=name, bits=bits, influence=SHARED_NEIGHBOURS * own)


def _by_critic(one: Learned, rows: int, of: str, rng: np.random.Generator) -> Judged:
    """What the critic says of its so many samples, by the bound `of`, part by part."""
    order = rng.permutation(rows)
    influence = np.zeros(rows)
    told = []
    for part in np.array_split(order, -(-rows // LARGEST_PART)):
        scores, raw = one.scores(part), one.critic.scores(part)
        value, effect = bound(scores, of)
        if value > (ceiling := math.log2(len(part))):  # more than so many samples can tell
            value, effect = ceiling, bound(scores, "infonce")[1]
        if one.temperature == 0:  # 0 by choice: its noise is that of the critic as it was
            effect = bound(raw, of)[1]
        influence[part] = effect
        told.append((value, np.mean(raw.argmax(0) == np.arange(len(part))), bound(scores)[0]))
    bits, recognised, plain = (float(v) for v in np.mean(told, axis=0))
    return Judged(one.name, bits, influence, recognised, plain)


def training_bits(one: Learned, rows: np.ndarray, groups: np.ndarray, seed: int) -> float:
    """The most that any of its critics says of samples that taught it: with its noise, in bits.

    No more than so many samples can tell: a bound that explodes says nothing beyond that.
    """
    some = np.random.default_rng([seed, 4]).permutation(rows)[:TRAINING_ROWS]
    found = (bound(c.final().scores(some)) for c in one.candidates if c.name != LINEAR)
    bits, influence = max(found, key=lambda pair: pair[0])
    high = max(bits, clustered_interval(bits, influence, groups[some])[1])
    return min(high, math.log2(len(some)))


def neighbours_of(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, learned: list[Learned], seed: int
) -> dict[str, np.ndarray]:
    """What nearest neighbours say of every sample, in views of few coordinates, in bits.

    All coordinates where they are few, the distance of each side from its middle, and the first
    canonical variates of the folds that a sample is not in.
    """
    every = np.arange(len(x))
    found = {}
    if x.shape[1] + y.shape[1] <= MAX_DIMENSIONS:
        found["ksg"] = local_contributions(*(normal_scores(v) for v in (x, y)), seed=seed)
    if x.shape[1] + y.shape[1] > 2:
        radii = (log_radius(v, every).astype(float) for v in (x, y))
        found["ksg of radii"] = local_contributions(*radii, seed=seed)
    variates = [one.variates for one in learned if one.variates]
    if len(variates) == len(learned):
        local = np.zeros(len(x))
        for t, of in enumerate(variates):
            rows = np.flatnonzero(fold == t)
            sides = normal_scores(of.x), normal_scores(of.y)
            local[rows] = local_contributions(*sides, seed=seed, rows=rows)
        found["ksg of variates"] = local
    return found


def independence(
    samples: Samples,
    units: Units,
    fold: np.ndarray,
    last: Learned,
    method: Method,
    permutations: int,
    rng: np.random.Generator,
) -> SequentialTest:
    """Test of independence; `last` was taught by all folds but the last one.

    With ``"auto"`` a test that looks for dependence of any kind stands beside that of the critics.
    """
    judged, promising = [], None
    for rows, later in earlier_folds(fold, samples.groups, FEWEST_ROWS):
        if method == "cluster" and len(rows) < FEWEST_CLUSTERED:
            continue  # too few to teach a critic that the later folds may have
        at_hand = len(rows) + len(later) == len(fold)
        one = last if at_hand else learn(samples, rows, method, rng, promising)
        promising = one.promising  # of folds that come before all others that are judged
        strata, critic = units.strata(later, rng), one.detector.of(later)
        del one  # before the next is learned: of large samples it is large
        judged.append(JudgedFold.of(strata, critic.scores, len(rows)))
    tested = sequential_test(judged, permutations, rng)
    if tested.p_value is None or method != "auto":
        return tested
    strata = units.strata(np.arange(len(fold)), rng)
    exchanges = min(permutations, OMNIBUS_EXCHANGES)
    found = omnibus_p_value(samples.x, samples.y, strata, exchanges, rng)
    least = 1 / strata.attainable(exchanges)
    return tested._replace(
        p_value=either_p_value([tested.p_value, found]), reach=either_p_value([tested.reach, least])
    )
