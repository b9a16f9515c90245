import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from sklearn.metrics import mutual_info_score

from leakage.estimate import entropy
from leakage.estimators.corrections import CORRECTIONS
from leakage.estimators.counting import contingency_table, plug_in


def test_by_hand():
    x = np.array([0, 0, 1, 1])
    assert plug_in(x, x, correction=None).bits == pytest.approx(1)
    assert plug_in(x, np.array([0, 1, 0, 1]), correction=None).bits == pytest.approx(0)
    # counts 2, 1 / 0, 1: H(X) = h(3/4), H(Y) = 1, H(X, Y) = 1.5
    mixed = plug_in(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), correction=None).bits
    assert mixed == pytest.approx(entropy([3, 1]) + 1 - 1.5)
    # Miller-Madow: (3 - 2 - 2 + 1) / (2 * 4 ln 2) = 0
    assert plug_in(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])).bits == pytest.approx(mixed)


@pytest.mark.parametrize("values", [2, 7, 40])
def test_agrees_with_scikit_learn(values, rng):
    x, y = rng.integers(0, values, (2, 500))
    y[:200] = x[:200]
    expected = mutual_info_score(x, y) / np.log(2)
    assert plug_in(x, y, correction=None).bits == pytest.approx(expected)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_symmetric_and_blind_to_names(correction, rng):
    x, y = rng.integers(0, 6, (2, 300))
    y[:150] = x[:150]
    bits = plug_in(x, y, correction=correction).bits
    if correction != "panzeri-treves":  # counts the cells of each x, by definition
        assert plug_in(y, x, correction=correction).bits == pytest.approx(bits)
    names = rng.permutation(6) * 100
    assert plug_in(names[x], y, correction=correction).bits == pytest.approx(bits)
    assert plug_in(x.reshape(3, 100), y.reshape(3, 100), correction=correction).bits == bits


def test_jackknife_is_leave_one_out(rng):
    x, y = rng.integers(0, 4, (2, 40))
    n = len(x)
    whole = plug_in(x, y, correction=None).bits
    without = [plug_in(np.delete(x, i), np.delete(y, i), correction=None).bits for i in range(n)]
    expected = n * whole - (n - 1) * np.mean(without)
    assert plug_in(x, y, correction="jackknife").bits == pytest.approx(expected)


def test_bias_is_as_predicted_and_corrected():
    """Means over 200 draws; false alarms below 1e-6 (five standard errors)."""
    rng = np.random.default_rng(1)
    raw, corrected = [], []
    for _ in range(200):
        e = plug_in(*rng.integers(0, 10, (2, 2000)))
        raw.append(e.details["plug-in"])
        corrected.append(e.bits)
        assert e.details["bias"] == pytest.approx(raw[-1] - e.bits)
    error = 5 * np.std(raw) / np.sqrt(200)
    assert np.mean(raw) == pytest.approx(81 / (2 * 2000 * np.log(2)), abs=error)
    assert np.mean(corrected) == pytest.approx(0, abs=error)


def test_g_test_p_values_are_uniform():
    """Kolmogorov-Smirnov over 300 independent pairs; false alarms: 0.001."""
    rng = np.random.default_rng(2)
    p = [plug_in(*rng.integers(0, 4, (2, 1000))).p_value for _ in range(300)]
    assert kstest(p, "uniform").pvalue > 0.001


def test_delta_method_covers():
    """Nominal 95 % over 300 draws of a dependent pair; false alarms below 1e-4."""
    rng = np.random.default_rng(3)
    truth = 1 - entropy([9, 1])
    hits = 0
    for _ in range(300):
        x = rng.integers(0, 2, 500)
        e = plug_in(x, x ^ (rng.random(500) < 0.1))
        hits += e.low <= truth <= e.high
    assert 0.89 < hits / 300 < 0.99


def test_flags_and_missing_p_value(rng):
    x, y = rng.integers(0, 100, (2, 200))
    e = plug_in(x, y)
    assert e.p_value is None
    assert "too few samples" in e.flags[0]


@pytest.mark.parametrize(
    ("x", "y", "error", "says"),
    [
        (np.zeros(5), np.zeros(5), TypeError, "quantise it first"),
        (np.array([1.0, np.nan]), np.array([1, 2]), ValueError, "NaN"),
        (np.arange(4), np.arange(5), ValueError, "paired by position"),
        (np.zeros(4, int), np.arange(4), ValueError, "x is constant"),
        (np.arange(4), np.zeros(4, int), ValueError, "y is constant"),
        (np.arange(1), np.arange(1), ValueError, "at least 2"),
    ],
)
def test_bad_samples(x, y, error, says):
    with pytest.raises(error, match=says):
        plug_in(x, y)


def test_bad_requests():
    with pytest.raises(ValueError, match="no correction 'magic'"):
        plug_in(np.arange(4), np.arange(4), correction="magic")


def test_contingency_table_counts_every_sample(rng):
    x, y = rng.integers(-5, 5, (2, 100))
    assert contingency_table(x, y).sum() == 100


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("u1", 0, 256), ("i1", -128, 128), ("i8", -3, 4), ("i8", 0, 10**12), ("u8", 0, 2**63),
     ("?", 0, 2), ("U", 0, 12)],
)  # fmt: skip
def test_every_way_of_counting_gives_the_same_table(rng, dtype, low, high):
    kind = "u8" if dtype == "u8" else "i8"
    x, y = rng.integers(low, high, (2, 20, 10), kind).astype(dtype)
    expected = pd.crosstab(x.ravel(), y.ravel()).to_numpy()
    assert np.array_equal(contingency_table(x, y), expected)
