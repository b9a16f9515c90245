import numpy as np
import pytest

from leakage.evidence.permutations import diagonal_null, sequential_test, shuffle_z


def test_diagonal_null_has_the_mean_of_all_pairs(rng):
    scores = rng.normal(size=(6, 6))
    assert diagonal_null(scores, 20_000, rng).mean() == pytest.approx(scores.mean(), abs=0.02)


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
        rejected += sequential_test(scores, sizes, 99, rng)[0] <= 0.05
        mutual += crossed / np.sqrt(3) > 1.645
    limit = 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert rejected / 400 <= limit
    assert mutual / 400 > 0.09


def test_no_permutations_no_p_value(rng):
    p_value, z = sequential_test([rng.normal(size=(9, 9))] * 2, [9, 18], 0, rng)
    assert p_value is None
    assert np.isfinite(z)
