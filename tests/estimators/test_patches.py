"""The critic of raw patches: what it sees depends on how samples are written."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

import leakage

SMALL = {"patch": 8, "steps": 80, "inputs": "bits"}


@pytest.fixture(scope="module")
def plain():
    return leakage.load_images("scenes", size=32, count=60).images


def test_bits_see_what_gray_values_do_not(plain, key):
    cipher = leakage.get_scheme("bitplane", bits=7).encrypt(plain, key)
    bits = leakage.patch_mi(plain, cipher, **SMALL)
    assert bits.bits > bits.details["ceiling"] - 1
    assert bits.low < bits.bits < bits.high
    assert bits.p_value < 0.001
    gray = leakage.patch_mi(plain, cipher, **SMALL | {"inputs": "gray"})
    assert gray.bits < 0.05
    assert gray.p_value > 1e-4


def test_a_leak_that_is_only_spatial(plain, rng):
    """One key byte a row: over images every sample is independent of its ciphertext."""
    shape = (60, 32, 1)
    found = leakage.patch_mi(plain, plain ^ rng.integers(0, 256, shape, np.uint8), **SMALL)
    assert found.bits > 1
    assert found.p_value < 0.001


def test_level_where_images_of_a_group_are_alike():
    """At 5 %, 30 runs: more than 5 false alarms have a chance below 0.4 %."""
    alarms = 0
    groups = np.repeat(np.arange(12), 3)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sides = (rng.integers(0, 256, (12, 8, 8), np.uint8)[groups] for _ in range(2))
        x, y = (side ^ rng.integers(0, 4, (36, 8, 8), np.uint8) for side in sides)
        found = leakage.patch_mi(x, y, groups=groups, patch=8, steps=1, permutations=99, seed=seed)
        alarms += found.p_value <= 0.05
    assert binom.sf(5, 30, 0.05) < 0.004
    assert alarms <= 5


def test_same_seed_same_number_and_colour(rng):
    x, y = rng.integers(0, 256, (2, 12, 16, 16, 3), np.uint8)
    found = [leakage.patch_mi(x, y, patch=8, steps=2, seed=s) for s in (3, 3, 4)]
    assert found[0] == found[1]
    assert found[0].p_value != found[2].p_value
    assert abs(found[0].bits) < 0.1


def test_equal_images_are_one_group(rng):
    x = np.repeat(rng.integers(0, 256, (5, 8, 8), np.uint8), 4, axis=0)
    with pytest.raises(ValueError, match="20 images from 5 groups are too few, 6"):
        leakage.patch_mi(x, x, patch=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": "bytes"}, "inputs must be"),
        ({"patch": 64}, "shorter side, 16"),
        ({"patch": 2}, "patch must be from 4"),
        ({"steps": 0}, "steps must be"),
        ({"groups": np.arange(3)}, "one label an image"),
        ({"device": "gpu"}, "device must be"),
        ({"cipher": np.zeros((12, 16, 15), np.uint8)}, "they are pairs"),
    ],
)
def test_refusals(rng, change, message):
    x = rng.integers(0, 256, (12, 16, 16), np.uint8)
    with pytest.raises(ValueError, match=message):
        leakage.patch_mi(**{"plain": x, "cipher": x} | change)


@pytest.mark.parametrize(
    "settings",
    [
        {"critic": "pretrained"},
        {"critic": "trained", "patch": 8, "steps": 2},
        {"critic": "adapted", "steps": 2},
    ],
)
@pytest.mark.filterwarnings("error")
def test_pictures_that_cannot_be_written_and_state_of_torch(rng, settings):
    """Neither a warning, nor a draw from the generator of whoever asks, nor a need of gradients."""
    x, y = rng.integers(0, 256, (2, 24, 32, 32), np.uint8)
    free = leakage.patch_mi(x, y, **settings)
    for side in (x, y):
        side.flags.writeable = False
    before = torch.get_rng_state()
    with torch.no_grad():
        assert leakage.patch_mi(x, y, **settings) == free
    assert torch.equal(torch.get_rng_state(), before)


def test_new_images_of_too_few_sources_are_told(rng):
    x = rng.integers(0, 256, (7, 16, 16), np.uint8)
    found = leakage.patch_mi_in_batches([(x[:6], x[:6]), (x[5:], x[5:])])
    assert found.flags[-2:] == (
        "1 images repeat those of earlier batches: they are left out",
        "1 images are of fewer new sources than a batch needs: they are left out",
    )
