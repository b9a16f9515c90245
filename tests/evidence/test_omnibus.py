"""The test that looks for dependence of any kind: its level, and what it sees."""

import numpy as np
import pytest

from leakage.evidence.exchange import Strata
from leakage.evidence.omnibus import omnibus_p_value
from leakage.truth.channels import gaussian, xor_of_signs


def p_value(x, y, seed, groups=None, permutations=99):
    rng = np.random.default_rng(seed)
    strata = Strata.of(np.arange(len(x)) if groups is None else groups, rng)
    return omnibus_p_value(x, y, strata, permutations, rng)


def within_groups(rng):
    """Independent sides whose rows depend on each other within groups."""
    groups = np.repeat(np.arange(30), 10)
    x, y = (rng.normal(size=(30, 3))[groups] + 0.5 * rng.normal(size=(300, 3)) for _ in "xy")
    return x, y, groups


def test_level_with_dependent_rows():
    """200 nulls each: at 5 %, at most 5 % + 4 standard errors (false alarm below 1e-4)."""
    limit = 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)
    p = []
    for seed in range(200):
        x, y, groups = within_groups(np.random.default_rng([3, seed]))
        p.append(p_value(x, y, seed, groups))
    assert np.mean(np.array(p) <= 0.05) <= limit
    heavy = [
        p_value(*np.random.default_rng([4, seed]).standard_cauchy((2, 40, 2)), seed)
        for seed in range(200)
    ]
    assert np.mean(np.array(heavy) <= 0.05) <= limit


def test_exchanging_dependent_rows_would_not_hold_the_level():
    p = []
    for seed in range(60):
        x, y, _ = within_groups(np.random.default_rng([3, seed]))
        p.append(p_value(x, y, seed))
    assert np.mean(np.array(p) <= 0.05) > 0.15


@pytest.mark.parametrize(
    "drawn",
    [
        lambda rng: gaussian(300, dimensions=5, bits=0.4, seed=int(rng.integers(1000)))[:2],
        lambda rng: xor_of_signs(1000, seed=int(rng.integers(1000)))[:2],
        lambda rng: common_scale(rng),
        lambda rng: one_square_among_many(rng),
    ],
    ids=["linear", "xor", "common scale", "one square among thirty"],
)
def test_what_it_sees(drawn):
    found = [p_value(*drawn(np.random.default_rng([5, seed])), seed) for seed in range(10)]
    assert np.mean(np.array(found) <= 0.01) >= 0.9


def common_scale(rng):
    both = rng.normal(size=(300, 10)) / np.sqrt(rng.chisquare(2, (300, 1)) / 2)
    return both[:, :5], both[:, 5:]


def one_square_among_many(rng):
    x, y = rng.normal(size=(2, 1000, 30))
    y[:, 0] = x[:, 0] ** 2 + y[:, 0]
    return x, y
