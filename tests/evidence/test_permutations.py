import numpy as np
import pytest

from leakage.evidence.permutations import (
    clustered_interval,
    combined_p_value,
    diagonal_null,
    permutation_p_value,
    sequential_test,
    shuffle_z,
    sign_flip_p_value,
    split_by_group,
)


@pytest.mark.parametrize("folds", [2, 5, 19])
def test_groups_stay_together_and_folds_are_even(folds, photographs, rng):
    fold = split_by_group(photographs.groups, folds, rng)
    assert set(fold) == set(range(folds))
    for group in np.unique(photographs.groups):
        assert len(set(fold[photographs.groups == group])) == 1
    if folds == 5:
        sizes = np.bincount(fold)
        assert np.ptp(sizes) <= 64


def test_more_folds_than_groups(rng):
    with pytest.raises(ValueError, match="3 folds need at least 3 groups"):
        split_by_group(np.array([0, 0, 1]), 3, rng)


def test_clustered_interval_covers():
    """Mean of 20 clusters of 5 equal samples, 1000 draws; false alarms below 1e-4."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(20), 5)
    hits = 0
    for _ in range(1000):
        values = np.repeat(rng.normal(size=20), 5)
        low, high = clustered_interval(values.mean(), values, clusters)
        hits += low <= 0 <= high
    assert 0.92 < hits / 1000 < 0.98


def test_clusters_widen_the_interval(rng):
    values = np.repeat(rng.normal(size=20), 5)
    wide = clustered_interval(0, values, np.repeat(np.arange(20), 5))
    narrow = clustered_interval(0, values, np.arange(100))
    assert wide[1] > 1.5 * narrow[1]
    with pytest.raises(ValueError, match="two clusters"):
        clustered_interval(0, values, np.zeros(100))


def test_p_value_is_never_zero():
    assert permutation_p_value(10.0, np.zeros(99)) == 0.01
    assert permutation_p_value(-10.0, np.zeros(99)) == 1.0


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


def test_sign_flips_hold_their_level(rng):
    """400 nulls of 30 couples: rejections at 0.05; false alarms of this test: below 1e-4."""
    p = [sign_flip_p_value(rng.standard_t(3, 30), 99, rng) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert sign_flip_p_value(rng.normal(1, 1, 60), 999, rng) < 0.01


def test_combined_p_values():
    assert combined_p_value([0.2], [7], 99) == pytest.approx(0.2)
    assert combined_p_value([0.1, 0.5], [1, 0], 99) == pytest.approx(0.1)
    assert 0 < combined_p_value([1.0, 1.0], [1, 1], 99) < 1
