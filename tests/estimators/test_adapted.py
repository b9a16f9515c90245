"""The pretrained critic refined on the images at hand: what it gains, and its level."""

import numpy as np
import pytest
from scipy.stats import binom

import leakage
from leakage.estimators import adapted
from leakage.estimators.adapted import FEWEST


def asked(plain, cipher, **options):
    return leakage.patch_mi(plain, cipher, critic="adapted", **options)


@pytest.fixture(scope="module")
def scenes():
    return leakage.load_images("scenes", size=64, count=30, seed=3).images


@pytest.fixture(scope="module")
def shuffled(scenes):
    return leakage.get_scheme("tpe-sum").encrypt(scenes, bytes(16))


def test_learns_what_the_critic_did_not_know(scenes, shuffled):
    before = leakage.patch_mi(scenes, shuffled, critic="pretrained")
    after = asked(scenes, shuffled, steps=60)
    assert after.low > before.high
    assert after.p_value < 1e-4
    assert any(after.details["steps"])
    assert after.details["exchanged"] == "30 groups"


def test_bits_are_not_above_the_exact_value(scenes, key):
    scheme = leakage.get_scheme("biased-keystream", bias=0.49)
    found = asked(scenes, scheme.encrypt(scenes, key), steps=40, permutations=0)
    assert found.p_value is None
    assert found.low <= leakage.exact_leakage(scheme, scenes).bits * 16**2


def test_nothing_is_learned_where_nothing_is_left_to_learn(scenes):
    found = asked(scenes, scenes ^ 7)
    assert found.details["steps"] == (0, 0, 0)
    assert any("served best as it is" in flag for flag in found.flags)
    assert found.p_value < 1e-4
    assert found.bits <= found.details["ceiling"] + 1e-9


def test_level_under_noise():
    """At 5 %, 20 runs: more than 5 false alarms have a chance below 0.4 %."""
    alarms, bits = 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = rng.integers(0, 256, (2, FEWEST, 16, 16), np.uint8)
        found = asked(x, y, patch=8, steps=5, seed=seed)
        alarms += found.p_value <= 0.05
        bits.append(found.bits)
    assert binom.sf(5, 20, 0.05) < 0.004
    assert alarms <= 5
    assert abs(np.median(bits)) < 0.01


def test_fewer_pictures_leave_it_as_it_is(scenes, shuffled):
    few = slice(FEWEST - 1)
    found = asked(scenes[few], shuffled[few])
    as_it_is = leakage.patch_mi(scenes[few], shuffled[few], critic="pretrained")
    assert (found.bits, found.p_value) == (as_it_is.bits, as_it_is.p_value)
    assert any("not adapted: 23 groups are too few" in flag for flag in found.flags)


def test_groups_and_colour(rng):
    x = leakage.load_images("scenes", size=32, count=FEWEST, mode="rgb").images
    c = x ^ (rng.integers(0, 256, x.shape, np.uint8) & 0xF0)
    twice = (np.concatenate([v, v[:, ::-1]]) for v in (x, c))
    groups = np.tile(np.arange(FEWEST), 2)
    found = asked(*twice, groups=groups, patch=8, steps=5, permutations=99)
    assert found.p_value < 0.001
    assert found.details["exchanged"] == f"{FEWEST} groups"


def test_constant_images_say_nothing(rng):
    x = rng.integers(0, 256, (FEWEST, 16, 16), np.uint8)
    found = asked(x, np.zeros_like(x), steps=5)
    assert (found.p_value, found.bits, found.high) == (1, 0, None)


def test_the_package_s_critic_is_left_alone(scenes, shuffled):
    before = adapted.load_critic().network.heads.weight.clone()
    asked(scenes[:, :32, :32], shuffled[:, :32, :32], steps=20, permutations=0)
    assert (adapted.load_critic().network.heads.weight == before).all()


def test_maps_are_of_single_pairs(scenes):
    with pytest.raises(ValueError, match="critic must be"):
        leakage.leak_map(scenes, scenes, critic="adapted")
