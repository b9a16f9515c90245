import math
from collections.abc import Iterator

import numpy as np
import pytest

from leakage.evidence.betting import bet_on_pairs, log_factor


def ways(units: list[int]) -> Iterator[list[tuple[int, int]]]:
    """All ways to pair up units."""
    if not units:
        yield []
        return
    one, *rest = units
    for other in rest:
        for pairs in ways([unit for unit in rest if unit != other]):
            yield [(one, other), *pairs]


@pytest.mark.parametrize("value", [0.2, 0.5, 0.7])
def test_the_drawn_mean_is_that_over_all_ways(value):
    """Six units have 15 ways; drawn for another value. False alarms: below 1e-6 (5 sigma)."""
    rng = np.random.default_rng(0)
    kernel = rng.random((6, 6))
    kernel += kernel.T
    every = [
        math.exp(sum(log_factor(kernel[pair], 0.0, value, 0.9) for pair in pairs))
        for pairs in ways(list(range(6)))
    ]
    assert len(every) == 15
    drawn = [math.exp(bet_on_pairs(kernel, 0.0, 0.4, 0.9, rng).log_capital(value))
             for _ in range(500)]  # fmt: skip
    assert abs(np.mean(drawn) - np.mean(every)) < 5 * np.std(drawn) / math.sqrt(500)


def test_each_unit_is_in_one_pair():
    """Outcomes that name both units; the last of an odd number is left out."""
    names = 2.0 ** np.arange(9)
    bets = bet_on_pairs(names[:, None] + names, 0.0, 100.0, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(bets.outcomes.sum(1), 2.0**8 - 1)


@pytest.mark.parametrize("flipped", [0.05, 0.2, 0.5])
def test_the_capital_is_fair(flipped):
    """Bits flipped with some probability, and the mean outcome as the value: 1000 draws.

    The capital's mean has a heavy tail upwards, so the check is of Markov's inequality, at 4 and
    20: expected at most 0.25 and 0.05, false alarms below 1e-6 each (5 sigma).
    """
    rng = np.random.default_rng(0)
    low, high = -1.5, 0.6
    mean = flipped * low + (1 - flipped) * high - (math.exp(low) + math.exp(high)) / 2 + 1
    least = low - math.exp(high) + 1
    capital = []
    for _ in range(1000):
        x = rng.integers(0, 2, 40)
        y = x ^ (rng.random(40) < flipped)
        scores = np.where(x[:, None] == y, high, low)
        own, crossed = scores.diagonal() / 2, np.exp(scores) / 2
        kernel = own[:, None] + own - crossed - crossed.T + 1
        bets = bet_on_pairs(kernel, least, mean, 0.7, rng)
        assert bets.outcomes.min() >= least - 1e-12
        capital.append(bets.log_capital(mean))
    for threshold in (4, 20):
        limit = 1 / threshold
        exceeded = np.mean(np.array(capital) > math.log(threshold))
        assert exceeded < limit + 5 * math.sqrt(limit * (1 - limit) / 1000)


def test_a_capital_falls_as_the_value_grows():
    u = np.random.default_rng(0).random(50)
    bets = bet_on_pairs(np.outer(u, u), 0.0, 0.2, 0.9, np.random.default_rng(1))
    made = [bets.log_capital(value) for value in (0.05, 0.1, 0.2, 0.4)]
    assert made == sorted(made, reverse=True)


def test_many_ways_waste_no_pair():
    """Products of signs: a way's outcomes have variance 1, the mean over all pairs hardly any."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(20):
        signs = rng.choice([-1.0, 1.0], 100)
        kernel = np.outer(signs, signs) + 0.1
        made.append(bet_on_pairs(kernel, -0.9, 0.0, 0.5, rng).log_capital(0.0))
    one_way = 50 * 0.5 * (math.log1p(0.5 * 1.1 / 0.9) + math.log1p(-0.5))
    assert one_way < 0 < np.median(made)
