"""Maps of single pairs: the leak is found where it is, and nowhere where there is none."""

import numpy as np
import pytest
from scipy.stats import binom

import leakage
from leakage.estimators.pair_maps import rolls


def noise(images, rng):
    return rng.integers(0, 256, images.shape, np.uint8)


def test_map_of_a_single_pair(rng):
    scenes = leakage.load_images("scenes", size=64, count=2, seed=3).images
    box = np.zeros((64, 64), bool)
    box[16:48, 16:48] = True
    for clear in (0xFF, 0x0F):
        hidden = np.where(box, 0xFF ^ clear, 0xFF).astype(np.uint8)
        cipher = scenes ^ (noise(scenes, rng) & hidden)
        found = leakage.leak_map(scenes, cipher, critic="pretrained")
        assert found.marked.shape == (2, 15, 15)
        both = (found.mask & box).sum((1, 2)) / (found.mask | box).sum((1, 2))
        assert both.min() > 0.6
        assert (found.p_value < 0.05).all()


def test_maps_under_noise(rng):
    """At 5 %, 40 maps: more than 7 with marks have a chance below 0.2 %."""
    x = leakage.load_images("scenes", size=32, count=40).images
    found = leakage.leak_map(x, noise(x, rng), critic="pretrained")
    assert found.marked.any((1, 2)).sum() <= 7
    assert binom.sf(7, 40, 0.05) < 0.002


def test_rolls_differ_and_are_of_whole_blocks(rng):
    found = rolls(64, 32, 25, rng)
    assert found.shape == (26, 2)
    assert (found[0] == 0).all()
    assert len(np.unique(found, axis=0)) == 26
    assert (found % 8 == 0).all()
    assert (rolls(8, 8, 25, rng)[1:].any(1)).all()
    with pytest.raises(ValueError, match="too small for 25"):
        rolls(4, 4, 25, rng)
