"""Maps of leaks: the leak is found where it is, and nowhere where there is none."""

import numpy as np
import pytest
from scipy.stats import binom

import leakage


def overlap(found, true):
    """Intersection over union, of one map or of each of many."""
    return (found & true).sum((-2, -1)) / (found | true).sum((-2, -1))


def noise(images, rng):
    return rng.integers(0, 256, images.shape, np.uint8)


@pytest.fixture(scope="module")
def plain():
    return leakage.load_images(count=100).images


def test_a_clear_box_at_one_place(plain, rng):
    box = np.zeros((64, 64), bool)
    box[21:37, 33:49] = True
    found = leakage.leak_map(plain, np.where(box, plain, noise(plain, rng)), by="counting")
    assert overlap(found.mask, box) >= 0.7
    assert found.p_value <= 0.001
    assert (found.marked <= (found.bits > found.threshold)).all()
    assert found.bits.max() > 4


def test_a_clear_box_elsewhere_in_every_image(plain, rng):
    box = np.zeros(plain.shape, bool)
    for one, (top, left) in zip(box, rng.integers(0, 49, (100, 2)), strict=True):
        one[top : top + 16, left : left + 16] = True
    cipher = np.where(box, plain, noise(plain, rng))
    found = leakage.leak_map(plain, cipher, over="images", by="counting")
    assert np.median(overlap(found.mask, box)) >= 0.7
    assert "100 of 100 images" in str(found)


@pytest.mark.parametrize("over", ["set", "images"])
def test_two_clear_planes_in_one_quadrant(plain, rng, over):
    quadrant = np.zeros((64, 64), bool)
    quadrant[:32, 32:] = True
    hidden = noise(plain, rng) & np.where(quadrant, 0xFC, 0xFF).astype(np.uint8)
    found = leakage.leak_map(plain, plain ^ hidden, over=over, by="counting")
    assert np.median(overlap(found.mask, quadrant)) >= 0.7


def test_the_critic_is_chosen_where_single_samples_tell_nothing(rng):
    plain = leakage.load_images("scenes", size=32, count=60).images
    cipher = noise(plain, rng)
    cipher[:, :, :16] = plain[:, :, :16] ^ rng.integers(0, 256, (60, 1, 1), np.uint8)
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    found = leakage.leak_map(plain, cipher, steps=160)
    assert found.method == "convolutional critic"
    assert overlap(found.mask, left) >= 0.6


def test_noise_is_not_marked(rng):
    """At 5 % a map: more than 17 of 200 have a chance below 1.5 %, 4 of 12 below 0.3 %."""
    plain = leakage.load_images(size=32, count=200).images
    each = leakage.leak_map(plain, noise(plain, rng), over="images", by="counting")
    assert binom.sf(17, 200, 0.05) < 0.015
    assert each.marked.any((1, 2)).sum() <= 17
    over_set = [
        leakage.leak_map(plain[:30], noise(plain[:30], rng), by="counting", seed=seed,
                         permutations=99).marked.any()
        for seed in range(12)
    ]  # fmt: skip
    assert binom.sf(3, 12, 0.05) < 0.003
    assert sum(over_set) <= 3


def test_level_of_the_critic_where_images_of_a_group_are_alike():
    """At less than 5 % a map, groups of three: more than 5 of 24 have a chance below 0.2 %."""
    alarms = 0
    groups = np.repeat(np.arange(12), 3)
    for seed in range(24):
        rng = np.random.default_rng(seed)
        sides = (rng.integers(0, 256, (12, 16, 16), np.uint8)[groups] for _ in range(2))
        x, y = (side ^ rng.integers(0, 4, (36, 16, 16), np.uint8) for side in sides)
        alarms += leakage.leak_map(
            x, y, groups=groups, by="critic", steps=1, permutations=99, seed=seed
        ).marked.any()
    assert binom.sf(5, 24, 0.05) < 0.002
    assert alarms <= 5


def test_uneven_groups_and_colour(rng):
    groups = np.repeat(np.arange(44), np.where(np.arange(44) == 0, 5, 1))
    x = rng.integers(0, 256, (48, 16, 16, 3), np.uint8)
    found = leakage.leak_map(x, x, over="images", groups=groups, by="counting")
    assert found.bits.shape == found.threshold.shape == (48, 3, 3)
    assert found.p_value.shape == (48,)
    assert found.marked[:5].any()
    assert "<svg" in found._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"over": "all"}, "over must be"),
        ({"by": "eye"}, "by must be"),
        ({"level": 0}, "level must be"),
        ({"permutations": 19}, "more than 1 / level, 21"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"permutations": -1}, "permutations must be at least 0"),
        ({"stride": 9}, "stride must be from 1 to patch, 8"),
        ({"over": "images"}, "42 groups are needed"),
    ],
)
def test_refusals(rng, change, message):
    x = rng.integers(0, 256, (12, 16, 16), np.uint8)
    with pytest.raises(ValueError, match=message):
        leakage.leak_map(x, x, **change)
