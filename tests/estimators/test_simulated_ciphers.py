"""Simulated ciphers: seeded, of every shape, and as leaky as their family says."""

import numpy as np
import pytest

import leakage
from leakage.estimators import simulated_steps as steps
from leakage.estimators.simulated_ciphers import FAMILIES, SOUND, simulated_cipher


@pytest.fixture(scope="module")
def scenes():
    return {
        mode: leakage.load_images("scenes", size=36, count=4, mode=mode).images
        for mode in ("gray", "rgb")
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seeds_same_ciphertext(family, scenes):
    for images in scenes.values():
        for seed in range(6):
            one, again = (simulated_cipher(family, seed).encrypt(images, 5) for _ in "ab")
            assert one.shape == images.shape
            assert one.dtype == np.uint8
            assert np.array_equal(one, again)


@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_make_a_difference(family, scenes):
    """Members of a family differ, and so do keys; only truncation has none."""
    x = scenes["gray"]
    members = {simulated_cipher(family, s).encrypt(x, 0).tobytes() for s in range(8)}
    assert len(members) > 1
    keys = {simulated_cipher(family, 1).encrypt(x, s).tobytes() for s in range(4)}
    assert len(keys) == 4 or family == "DCT truncated"


@pytest.mark.parametrize("family", SOUND)
def test_sound_families_never_look_at_the_image(family, scenes):
    x = scenes["gray"]
    for seed in range(8):
        cipher = simulated_cipher(family, seed)
        assert np.array_equal(cipher.encrypt(x, 3), cipher.encrypt(255 - x, 3))


@pytest.mark.parametrize("family", ["block places", "sample places"])
def test_places_keep_the_samples(family, scenes):
    x = scenes["rgb"][:, :32, :32]
    for seed in range(6):
        cipher = simulated_cipher(family, seed).encrypt(x, 3)
        folded = [np.sort(np.minimum(v, 255 - v), axis=None) for v in (x, cipher)]
        assert np.array_equal(*folded)  # blocks may be inverted


def test_sums_are_kept(rng):
    x = rng.integers(0, 256, (2, 3, 4, 4, 1), np.uint8)
    moved = steps.kept_sums(5, rng)(x)
    assert np.array_equal(x.sum((2, 3), int), moved.sum((2, 3), int))
    assert (x != moved).mean() > 0.8


def test_biased_bits_have_their_bias(rng):
    ones = np.array([0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.45])
    drawn = steps.biased_bytes(ones, (200_000,), rng)
    found = [(drawn >> b & 1).mean() for b in range(8)]
    assert found == pytest.approx(ones, abs=0.006)  # five standard deviations


def test_a_family_that_does_not_exist():
    with pytest.raises(ValueError, match="did you mean 'block places'"):
        simulated_cipher("block place", 0)
