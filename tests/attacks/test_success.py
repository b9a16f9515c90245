import math

import numpy as np
import pytest
from scipy.stats import binomtest

from leakage import attacks


def test_interval_against_scipy():
    for hits, n in ((0, 10), (3, 17), (17, 17), (500, 1000)):
        expected = binomtest(hits, n).proportion_ci(method="exact")
        assert attacks.binomial_interval(hits, n) == pytest.approx(expected)


def test_interval_covers(rng):
    n, rate = 40, 0.07
    hits = rng.binomial(n, rate, 2000)
    bounds = [attacks.binomial_interval(int(h), n) for h in hits]
    assert np.mean([low <= rate <= high for low, high in bounds]) >= 0.95


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts(hits, n):
    with pytest.raises(ValueError, match="impossible"):
        attacks.binomial_interval(hits, n)


def test_interval_level():
    with pytest.raises(ValueError, match="level"):
        attacks.binomial_interval(1, 2, 1.0)


@pytest.mark.parametrize("m", [2, 3, 16, 1000])
def test_success_and_bits_at_the_ends(m):
    assert attacks.bits_from_success(1 / m, m) == 0
    assert attacks.bits_from_success(0, m) == 0
    assert attacks.bits_from_success(1, m) == pytest.approx(math.log2(m))
    assert attacks.success_bound(0, m) == 1 / m
    assert attacks.success_bound(-0.01, m) == 1 / m
    assert attacks.success_bound(math.log2(m), m) == 1
    assert attacks.success_bound(99, m) == 1


@pytest.mark.parametrize(("m", "first"), [(2, 1), (16, 1), (1000, 5)])
def test_success_and_bits_are_monotone_inverses(m, first):
    bits = np.linspace(0, math.log2(m / first), 41)
    rates = [attacks.success_bound(b, m, first) for b in bits]
    assert np.all(np.diff(rates) > 0)
    back = [attacks.bits_from_success(rate, m, first) for rate in rates]
    np.testing.assert_allclose(back, bits, atol=1e-6)


def test_bits_are_those_of_fano():
    m, rate = 50, 0.3
    wrong = 1 - rate
    noise = -wrong * math.log2(wrong) - rate * math.log2(rate)
    fano = math.log2(m) - noise - wrong * math.log2(m - 1)
    assert attacks.bits_from_success(rate, m) == pytest.approx(fano)


def test_fano_is_met_by_a_symmetric_channel():
    """Its output is the secret with some probability, or else one of the others, all alike."""
    m, rate = 8, 0.6
    law = np.full((m, m), (1 - rate) / (m - 1)) + np.eye(m) * (rate - (1 - rate) / (m - 1))
    information = np.sum(law / m * np.log2(law * m))
    assert attacks.success_bound(information, m) == pytest.approx(rate)


@pytest.mark.parametrize("arguments", [(0.5, 1), (0.5, 2.0), (0.5, 4, 4), (0.5, 4, 0)])
def test_bad_candidates(arguments):
    for convert in (attacks.bits_from_success, attacks.success_bound):
        with pytest.raises(ValueError, match=r"candidates|int"):
            convert(*arguments)


def test_bad_rates_and_bits():
    with pytest.raises(ValueError, match="rate"):
        attacks.bits_from_success(1.1, 4)
    with pytest.raises(ValueError, match="nan"):
        attacks.success_bound(math.nan, 4)


def test_bits_of_an_attack():
    found = attacks.counted("any", 5, 10, 0.1, "right")
    assert found.bits == pytest.approx(attacks.bits_from_success(0.5, 10))
    assert 0 < found.bits_low < found.bits
    assert attacks.counted("any", 0, 10, 0.1, "right").bits == 0


def test_identify_knows_negatives_and_other_brightness(one_each):
    assert attacks.identify(255 - one_each, one_each).rate == 1
    assert attacks.identify(one_each // 2 + 60, one_each).rate == 1


def test_identify_wrong_and_flat_pictures(one_each):
    assert attacks.identify(np.roll(one_each, 1, axis=0), one_each).rate < 0.2
    flat = np.full_like(one_each, 100)
    assert attacks.identify(flat, one_each).rate == 0
    assert attacks.identify(one_each, flat).rate == 0


def test_identify_leaves_out_the_own_group(one_each):
    twins = np.concatenate([one_each, one_each])
    groups = np.tile(np.arange(len(one_each)), 2)
    assert attacks.identify(twins, twins).rate == 0  # equal candidates count against the attack
    found = attacks.identify(twins, twins, groups=groups)
    assert found.rate == 1
    assert found.chance == pytest.approx(1 / (2 * len(one_each) - 1))


def test_identify_among_the_first(one_each, encrypted):
    cipher = encrypted("bitplane", one_each, bits=3)
    top = [attacks.identify(cipher, one_each, first=k) for k in (1, 5)]
    assert top[0].rate <= top[1].rate
    assert top[1].chance == pytest.approx(5 * top[0].chance)
    assert "first 5" in top[1].success
    np.testing.assert_array_equal(top[0].pictures, cipher)


def test_identify_refuses(one_each):
    with pytest.raises(ValueError, match="pairs"):
        attacks.identify(one_each[:3], one_each)
    with pytest.raises(ValueError, match="label"):
        attacks.identify(one_each, one_each, groups=np.arange(3))
    with pytest.raises(ValueError, match="candidates of other groups"):
        attacks.identify(one_each, one_each, groups=np.zeros(len(one_each)))
    with pytest.raises(ValueError, match="first"):
        attacks.identify(one_each, one_each, first=0)
