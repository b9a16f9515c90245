"""Alike pictures and alike ciphertexts: what is found without training, and that noise is not."""

import numpy as np
import pytest
from scipy.stats import binom

import leakage
from leakage.estimators.likeness import MOST_PARTS, NAMES, covariances, distances, likeness
from leakage.estimators.pretrained import exchanged

RUNS, LEVEL = 200, 0.05
#: A sound test alarms more often than this with a probability of 1 in 1,000.
MOST_ALARMS = binom.isf(0.001, RUNS, LEVEL)


@pytest.fixture(scope="module")
def scenes():
    return leakage.load_images("scenes", size=64, count=8, seed=11).images


def alone(plain, cipher, rng):
    """The test of likeness, beside a score that says nothing."""
    nothing = np.zeros((1, len(plain), len(plain)))
    return exchanged([nothing], 999, rng, [likeness(plain, cipher)])


def test_distances_are_distances(scenes, rng):
    for found in distances(scenes, chained=True).values():
        assert np.array_equal(found, found.T)
        assert not found.diagonal().any()
        assert (found[~np.eye(8, dtype=bool)] > 0).all()
    colour = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    assert distances(colour, chained=False)["bits"][0, 1] == pytest.approx(0.5, abs=0.1)


def test_a_keystream_used_twice_keeps_the_bits_that_differ(scenes, rng):
    key = rng.integers(0, 256, scenes.shape[1:], np.uint8)
    x, y = likeness(scenes, scenes ^ key)[NAMES.index("alike: bits")]
    assert np.array_equal(x, y)
    found = alone(scenes, scenes ^ key, rng)
    assert found.p_value < 0.001
    assert NAMES[int(found.zs[1:].argmax())] == "alike: bits"


def test_chained_samples_are_seen_where_values_are_not(rng):
    photographs = leakage.load_images("scenes", size=128, count=8, seed=5).images
    law = np.repeat(np.arange(0, 256, 16, dtype=np.uint8), 16)
    key = rng.choice(law, photographs.shape)
    chained = np.bitwise_xor.accumulate((photographs ^ key).reshape(8, -1), 1)
    found = alone(photographs, chained.reshape(photographs.shape), rng)
    assert found.p_value < 0.01
    assert NAMES[int(found.zs[1:].argmax())] in ("alike: XOR", "alike: steps")


def test_nothing_in_noise(rng):
    alarms = 0
    for seed in range(RUNS):
        scenes = leakage.load_images("scenes", size=16, count=7, seed=seed).images
        cipher = rng.integers(0, 256, scenes.shape, np.uint8)
        alarms += alone(scenes, cipher, rng).p_value <= LEVEL
    assert alarms <= MOST_ALARMS


def test_equal_ciphertexts_say_nothing(scenes, rng):
    found = alone(scenes, np.zeros_like(scenes), rng)
    assert found.p_value == 1
    assert not found.zs.any()


def test_exchanges_are_of_whole_rows_and_columns(rng):
    x, y = rng.random((2, 5, 5))
    order = rng.permutation(5)
    (found,) = covariances(np.array([[x, y]]), order[None])
    centred = x - x.mean(0) - x.mean(1)[:, None] + x.mean()
    assert found[0] == pytest.approx((centred * y[order][:, order]).sum())


def test_of_many_parts_some_are_compared(rng):
    part = np.array([np.stack([abs(np.subtract.outer(v, v))] * 2) for v in rng.random((1, 4))])
    sums = [np.zeros((1, 4, 4))] * (MOST_PARTS + 3)
    found = exchanged(sums, 99, rng, [part] * MOST_PARTS)
    assert found.p_value < 0.001
