import math

import numpy as np
import pytest

from leakage import certified_mi
from leakage.estimators.certified import STAKES, _bets, _Bounded, _log_e_value
from leakage.truth import channels

NATS = 1 / math.log(2)


@pytest.mark.parametrize(
    "pairs",
    [
        channels.gaussian(2000, bits=0.3 * NATS),
        channels.gaussian(2000, dimensions=5, bits=0.3 * NATS),
        channels.clusters(1000),
        channels.xor_of_signs(2000),
    ],
    ids=lambda pairs: pairs.exact.method,
)
def test_between_zero_and_the_truth(pairs):
    """Each bound may exceed the truth with probability 0.05; recorded: 0 of 1,600 runs."""
    bound = certified_mi(pairs.x, pairs.y)
    assert 0 < bound.bits < pairs.exact.bits
    assert bound.kind == "lower bound"
    assert bound.p_value < 0.05
    assert (bound.low, bound.high) == (bound.bits, None)


def test_nothing_is_certified_where_nothing_is():
    """Four seeds; false alarms of this test: at most 0.19, recorded: 0 of 400."""
    for seed in range(4):
        x, y, _ = channels.gaussian(500, dimensions=5, bits=0, seed=seed)
        assert certified_mi(x, y, seed=seed).bits == 0


def test_strong_leaks_are_certified_from_few_samples():
    """200 samples of 5 bits: critics with long tails, which two levels cut off."""
    x, y, exact = channels.gaussian(200, dimensions=5, bits=5.0)
    assert 1.0 < certified_mi(x, y, method="canonical").bits < exact.bits


def test_more_confidence_costs_bits():
    x, y, _ = channels.gaussian(1500, dimensions=2, bits=1.0)
    bits = [certified_mi(x, y, confidence).bits for confidence in (0.5, 0.95, 0.999)]
    assert bits[0] > bits[1] > bits[2] > 0


def test_duplicates_do_not_make_evidence():
    """Ten copies of each row under one group are worth no more than the row."""
    x, y, _ = channels.gaussian(60, dimensions=1, bits=0.5)
    copied = certified_mi(np.repeat(x, 10, 0), np.repeat(y, 10, 0), groups=np.repeat(range(60), 10))
    assert copied.bits < 0.5


def test_the_capital_is_fair():
    """With independent pairs the expected capital against 0 is at most 1 (Ville): 4000 draws.

    The mean of the capital has a heavy tail upwards, so the check is of Markov's inequality, at
    a threshold of 4: expected at most 0.25, false alarms below 1e-6.
    """
    rng = np.random.default_rng(0)
    exceeded = 0
    for _ in range(400):
        x, y = rng.normal(size=(2, 40))
        bounded = _Bounded(-4.0, 1.0) if rng.random() < 0.5 else _Bounded(-1.5, 1.0, cut=0.5)
        bet = _bets(bounded(np.outer(x, y)), np.arange(40), bounded.least, rng)
        assert bet.outcomes.min() >= bet.least
        exceeded += _log_e_value([bet], 0.0) > math.log(4)
    assert exceeded / 400 < 0.25 + 5 * math.sqrt(0.25 * 0.75 / 400)
    assert STAKES.max() < 1


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1])
def test_confidence_is_checked(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        certified_mi(*channels.gaussian(100)[:2], confidence)


def test_an_unknown_method_is_refused():
    x, y, _ = channels.gaussian(80, dimensions=2)
    with pytest.raises(ValueError, match="method must be 'auto' or 'canonical', not 'mine'"):
        certified_mi(x, y, method="mine")
