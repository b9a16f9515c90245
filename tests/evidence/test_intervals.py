import numpy as np
import pytest

from leakage.evidence.intervals import clustered_interval


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
