import numpy as np
import pytest

from leakage.evidence.intervals import clustered_interval, held_out_interval


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


@pytest.mark.parametrize("clusters", [5, 6, 8, 12])
def test_the_interval_of_few_clusters_in_folds_covers(clusters):
    """Of 1000 draws each; its promise is 95 %, more with a cluster a fold."""
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(clusters), 4)
    fold = member % 5
    hits, widths = 0, []
    for _ in range(1000):
        values = np.repeat(rng.normal(size=clusters), 4)
        low, high = held_out_interval(values.mean(), values, member, fold)
        hits += low <= 0 <= high
        widths.append(high - low)
    assert hits > 920
    assert min(widths) > 0


def test_folds_of_many_clusters_change_little(rng):
    values = rng.normal(size=500)
    plain = clustered_interval(0, values, np.arange(500))
    folded = held_out_interval(0, values, np.arange(500), np.arange(500) % 5)
    assert folded[1] == pytest.approx(plain[1], rel=0.02)
