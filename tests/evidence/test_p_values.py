import numpy as np
import pytest

from leakage.evidence.p_values import (
    check_permutations,
    combined_p_value,
    either_p_value,
    permutation_p_value,
    sign_flip_p_value,
)


def test_p_value_is_never_zero():
    assert permutation_p_value(10.0, np.zeros(99)) == 0.01
    assert permutation_p_value(-10.0, np.zeros(99)) == 1.0


def test_sign_flips_hold_their_level(rng):
    """400 nulls of 30 couples: rejections at 0.05; false alarms of this test: below 1e-4."""
    p = [sign_flip_p_value(rng.standard_t(3, 30), 99, rng) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert sign_flip_p_value(rng.normal(1, 1, 60), 999, rng) < 0.01


def test_combined_p_values():
    rng = np.random.default_rng(0)
    assert combined_p_value([0.2], [7], [1000], rng) == pytest.approx(0.2)
    assert combined_p_value([0.1, 0.5], [1, 0], [1000] * 2, rng) == pytest.approx(0.1)
    assert 0 < combined_p_value([1.0, 1.0], [1, 1], [1000] * 2, rng) < 1


def test_combined_p_values_of_few_steps_are_exact(rng):
    """Two p-values out of six each: the best of 36 outcomes has probability 1 / 36."""
    best = combined_p_value([1 / 6, 1 / 6], [1, 1], [6, 6], rng)
    assert best == pytest.approx(1 / 36, abs=0.005)  # four standard errors of the simulation
    assert combined_p_value([1.0, 1.0], [1, 1], [6, 6], rng) == 1


def test_either_p_value():
    assert either_p_value([0.03]) == pytest.approx(0.03)
    assert either_p_value([1e-300, 0.7]) == pytest.approx(2e-300)
    assert either_p_value([0.7, 1.0]) == 1
    assert either_p_value([0.0, 1.0]) > 0


def test_a_tail_too_small_for_a_float_is_not_zero():
    """Two hundred folds at the floor of a million permutations: far below the smallest float."""
    assert combined_p_value([1e-6] * 200, [1.0] * 200, [1e6] * 200, np.random.default_rng(0)) > 0


@pytest.mark.parametrize(("bad", "error"), [(-1, ValueError), (2.5, TypeError), (True, TypeError)])
def test_numbers_of_permutations(bad, error):
    with pytest.raises(error, match="permutations must be"):
        check_permutations(bad)
