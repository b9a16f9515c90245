"""Folds judged by what other folds taught: the bound of each, its test, and nearest neighbours."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from leakage.estimators.bounds import best_temperature, bound
from leakage.estimators.candidates import LINEAR, Method, Samples, log_radius
from leakage.estimators.learning import CAUTION, Learned, earlier_folds, learn
from leakage.estimators.nearest_neighbours import MAX_DIMENSIONS, local_contributions
from leakage.evidence.exchange import Strata
from leakage.evidence.omnibus import omnibus_p_value
from leakage.evidence.p_values import either_p_value
from leakage.evidence.permutations import JudgedFold, sequential_test

#: Samples whose pairs are scored at once; of a larger fold, parts are, and their bounds averaged.
LARGEST_PART = 2000
#: Samples that taught a critic and are asked what it says of them.
TRAINING_ROWS = 1000
#: Pairs of canonical variates that nearest neighbours look at.
VARIATES = 2
#: Contributions of nearest neighbours share neighbours, so that their mean spreads more than that
#: of as many independent ones; measured on the channels of `leakage.truth.channels`.
SHARED_NEIGHBOURS = 1.35


class Judged(NamedTuple):
    """What a critic says of a fold that it never saw."""

    name: str
    bits: float
    influence: np.ndarray  # of each sample on `bits`
    recognised: float  # share of the y that pick out their own x
    donsker_varadhan: float


def judge(
    one: Learned,
    fold: np.ndarray,
    at: int,
    method: Method,
    neighbours: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> Judged:
    """The bound of a fold by the critic that the others taught, or nearest neighbours instead."""
    held_out = fold == at
    rows = np.flatnonzero(held_out)
    of = one.judge if method in ("auto", "canonical") else method
    parts = np.array_split(rng.permutation(rows), -(-len(rows) // LARGEST_PART))
    bits, influence, place = [], np.zeros(len(rows)), np.zeros(len(fold), int)
    place[rows] = np.arange(len(rows))
    recognised, plain = [], []
    for part in parts:
        scores = one.scores(part)
        value, effect = bound(scores, of)
        if value > (ceiling := math.log2(len(part))):  # more than so many samples can tell
            value, effect = ceiling, bound(scores, "infonce")[1]
        raw = one.critic.scores(part)
        if one.temperature == 0:  # 0 by choice: its noise is that of the critic as it was
            effect = bound(raw, of)[1]
        influence[place[part]] = effect
        bits.append(value)
        recognised.append(np.mean(raw.argmax(0) == np.arange(len(part))))
        plain.append(bound(scores)[0])
    name, value = one.name, float(np.mean(bits))
    found = max(
        ((c[~held_out], n) for n, c in neighbours.items()),
        key=lambda pair: pair[0].mean(), default=None,
    )  # fmt: skip
    if found and found[0].mean() - one.bits > CAUTION * found[0].std() / math.sqrt(len(found[0])):
        name, own = found[1], neighbours[found[1]][rows]
        value, influence = float(own.mean()), SHARED_NEIGHBOURS * own
    return Judged(
        name, value, influence, float(np.mean(recognised)), float(np.mean(plain))
    )  # fmt: skip


def training_bits(one: Learned, rows: np.ndarray, rng: np.random.Generator) -> float:
    """The most that any of its critics says of samples that taught it, in bits."""
    some = rng.permutation(rows)[:TRAINING_ROWS]
    return max(bound(c.final().scores(some))[0] for c in one.candidates if c.name != LINEAR)


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
        found["ksg"] = local_contributions(*(_scores(v) for v in (x, y)), seed=seed)
    if x.shape[1] + y.shape[1] > 2:
        radii = (log_radius(v, every).astype(float) for v in (x, y))
        found["ksg of radii"] = local_contributions(*radii, seed=seed)
    if all(one.variates is not None and len(one.variates.squared) for one in learned):
        local = np.zeros(len(x))
        for t, one in enumerate(learned):
            sides = one.variates.x[:, :VARIATES], one.variates.y[:, :VARIATES]
            rows = np.flatnonzero(fold == t)
            local[rows] = local_contributions(*(_scores(v) for v in sides), seed=seed, rows=rows)
        found["ksg of variates"] = local
    return found


def _scores(side: np.ndarray) -> np.ndarray:
    return ndtri(rankdata(side, axis=0) / (len(side) + 1))


def independence(
    samples: Samples,
    units: np.ndarray,
    fold: np.ndarray,
    last: Learned,
    method: Method,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[float | None, float]:
    """p-value and z of independence; `last` was taught by all folds but the last one.

    With ``"auto"`` a test that looks for dependence of any kind stands beside that of the critics.
    """
    judged = []
    for rows, later in earlier_folds(fold, samples.groups):
        at_hand = len(rows) + len(later) == len(fold)
        one = last if at_hand else learn(
            samples, rows, "canonical" if method == "auto" else method, rng
        )  # fmt: skip
        strata = Strata.of(units[later], rng)
        judged.append(
            JudgedFold.of(strata, lambda r, later=later, one=one: one.detector.scores(later[r]),
                          len(rows))
        )  # fmt: skip
    p_value, z = sequential_test(judged, permutations, rng)
    if p_value is not None and method == "auto":
        strata = Strata.of(units, rng)
        p_value = either_p_value(
            [p_value, omnibus_p_value(samples.x, samples.y, strata, permutations, rng)]
        )
    return p_value, z
