import numpy as np
import pytest

from leakage.evidence.exchange import Strata
from leakage.evidence.permutations import JudgedFold, sequential_test, shuffle_z


def test_shuffle_z_is_that_of_all_permutations(rng):
    from itertools import permutations

    scores = rng.normal(size=(6, 6))
    null = [scores[np.arange(6), list(order)].mean() for order in permutations(range(6))]
    assert shuffle_z(scores) == pytest.approx(
        (scores.diagonal().mean() - np.mean(null)) / np.std(null)
    )
    assert shuffle_z(np.ones((4, 4))) == 0


def test_sequential_test_is_exact_where_cross_fitting_is_not(rng):
    """A memorising critic on independent samples, 400 draws; at most 5 % + 4 standard errors.

    The critic of each fold is the sum over its training pairs of products, the case in which
    folds that train each other's critics count every chance agreement twice.
    """
    rejected = mutual = 0
    for _ in range(400):
        x, y = rng.normal(size=(2, 60, 3))
        fold = np.arange(60) % 3
        scores, sizes, crossed = [], [], 0.0
        for test in range(3):
            rows, others = fold == test, fold != test
            weights = x[others].T @ y[others]
            crossed += shuffle_z(x[rows] @ weights @ y[rows].T)
            if test:
                earlier = fold < test
                scores.append(x[rows] @ (x[earlier].T @ y[earlier]) @ y[rows].T)
                sizes.append(earlier.sum())
        folds = [alone(s, n) for s, n in zip(scores, sizes, strict=True)]
        rejected += sequential_test(folds, 199, rng)[0] <= 0.05
        mutual += crossed / np.sqrt(3) > 1.645
    limit = 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert rejected / 400 <= limit
    assert mutual / 400 > 0.09


def test_no_permutations_no_p_value(rng):
    p_value, z, _ = sequential_test([alone(rng.normal(size=(9, 9)), n) for n in (9, 18)], 0, rng)
    assert p_value is None
    assert np.isfinite(z)


def test_a_fold_that_says_nothing_is_left_out(rng):
    """A constant critic cost about 3 in the sum of normal scores before."""
    telling = alone(np.eye(30), 60)
    silent = alone(np.zeros((30, 30)), 60)
    assert sequential_test([telling, silent], 999, rng)[0] < 0.005
    assert sequential_test([silent, silent], 999, rng)[:2] == (1.0, 0.0)
    assert sequential_test([silent], 0, rng)[:2] == (None, 0.0)


def test_groups_are_exchanged_whole():
    """Rows that depend within groups, on both sides: 300 nulls under a fixed critic.

    At 5 % at most 5 % + 4 standard errors (false alarm below 1e-4); exchanging rows rejects a
    quarter of them.
    """
    groups = np.repeat(np.arange(12), 8)
    rejected = {"groups": 0, "rows": 0}
    for seed in range(300):
        rng = np.random.default_rng([7, seed])
        x, y = (rng.normal(size=(12, 2))[groups] for _ in "xy")
        for what, units in (("groups", groups), ("rows", np.arange(96))):
            strata = Strata.of(units, rng)
            fold = JudgedFold.of(strata, lambda rows, x=x, y=y: x[rows] @ y[rows].T, 96)
            rejected[what] += sequential_test([fold], 199, rng)[0] <= 0.05
    assert rejected["groups"] / 300 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)
    assert rejected["rows"] / 300 > 0.2


def test_few_groups_can_still_be_significant():
    """Three folds of four groups: 24 ** 3 arrangements, so p may fall to about 1e-4."""
    rng = np.random.default_rng(0)
    folds = [alone(np.eye(4), n) for n in (8, 12, 16)]
    p_value, _, reach = sequential_test(folds, 999, rng)
    assert p_value < 5e-4
    assert reach == pytest.approx(p_value, rel=0.5)  # both are of simulated ranks
    assert sequential_test([alone(np.eye(1), 8)] * 3, 999, rng) == (1.0, 0.0, 1.0)
    p = [sequential_test([alone(rng.normal(size=(4, 4)), 8) for _ in range(3)], 99, rng)[0]
         for _ in range(400)]  # fmt: skip
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def alone(scores, trained_on):
    """A fold whose rows are all on their own."""
    strata = Strata([np.arange(len(scores))[:, None]])
    return JudgedFold.of(strata, lambda rows: scores[np.ix_(rows, rows)], trained_on)
