import numpy as np
import pytest

import leakage
from leakage.estimators.quantised import naive_quantised_mi
from leakage.truth import channels


@pytest.mark.parametrize(("count", "kept"), [(2, 0.8), (4, 0.7), (10, 1.0)])
def test_labels_through_a_channel(count, kept):
    """Within .05 bit of the exact value, which is twice the spread of two seeds' mean."""
    found = []
    for seed in range(2):
        x, y, exact = channels.labels(1500, count=count, kept=kept, seed=seed)
        e = leakage.estimate_mi(x, y, "quantised", seed=seed, permutations=0)
        assert e.low < exact.bits < e.high + 0.05
        assert e.p_value is None
        found.append(e.bits - exact.bits)
    assert abs(np.mean(found)) < 0.05


def test_codes_too_many_for_the_samples_are_not_counted():
    """Sixteen labels, 500 rows: by tables of one fold the value was half a bit too high."""
    x, y, exact = channels.labels(500, count=16, kept=0.7)
    e = leakage.estimate_mi(x, y, "quantised", permutations=0)
    assert e.low < exact.bits
    assert e.bits < exact.bits + 0.1


def test_a_leak_is_detected_by_the_estimate_itself():
    x, y, exact = channels.labels(300, count=4, kept=0.5)
    e = leakage.estimate_mi(x, y, "quantised", permutations=99)
    assert e.p_value == 0.01
    assert e.details["z"] > 5
    assert e.low < exact.bits < e.high
    assert e.details["plug-in"] > e.bits


def test_nothing_in_nothing():
    """Twelve runs: more than three p-values up to .05 are a false alarm of this test at .002."""
    found = []
    for seed in range(12):
        x, y = np.random.default_rng(seed).normal(size=(2, 60, 4))
        found.append(leakage.estimate_mi(x, y, "quantised", seed=seed, permutations=19))
    assert sum(e.p_value <= 0.05 for e in found) <= 3
    assert abs(np.mean([e.bits for e in found])) < 0.02
    assert all(e.low <= 0 <= e.high for e in found)


def test_what_a_group_shares_is_no_information():
    """Every group has its own place on each side, which tables of single rows take for a leak."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 10)
        x, y = 3 * rng.normal(size=(2, 40, 3))[:, groups] + rng.normal(size=(2, 400, 3))
        e = leakage.estimate_mi(x, y, "quantised", groups=groups, seed=seed, permutations=0)
        assert e.low <= 0
        found.append(e.bits)
        assert naive_quantised_mi(x, y).bits > 0.5
    assert abs(np.mean(found)) < 0.06


def test_naive_form_finds_bits_in_aes(photographs, key):
    images = photographs.images[:150]
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(images, key)
    x, y = (leakage.representations(v, ["histogram"])["histogram"] for v in (images, cipher))
    naive = naive_quantised_mi(x, y)
    assert naive.bits > 0.4
    assert naive.flags[0].startswith("in sample")
    honest = leakage.estimate_mi(x, y, "quantised", exchange="rows", permutations=0)
    assert honest.low <= 0 <= honest.high


def test_same_seed_same_number():
    x, y, _ = channels.labels(200, count=3)
    first, again, other = (
        leakage.estimate_mi(x, y, "quantised", seed=seed, permutations=9) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.bits != other.bits


def test_refusals():
    x = np.zeros((50, 2))
    with pytest.raises(ValueError, match="x is constant"):
        leakage.estimate_mi(x, x, "quantised")
    with pytest.raises(ValueError, match="size must be 2 to the 50 rows"):
        naive_quantised_mi(np.eye(50), np.eye(50), size=1)
    with pytest.raises(TypeError, match="size must be an int"):
        naive_quantised_mi(np.eye(50), np.eye(50), size=2.5)
