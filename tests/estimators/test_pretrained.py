"""The critic that the package carries: what it finds in a handful, and that it invents nothing."""

import hashlib
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binom

import leakage
from leakage.estimators.pretrained import FILE, load_critic


def asked(plain, cipher, **options):
    return leakage.patch_mi(plain, cipher, critic="pretrained", **options)


def noise(images, rng):
    return rng.integers(0, 256, images.shape, np.uint8)


@pytest.fixture(scope="module")
def scenes():
    return leakage.load_images("scenes", size=64, count=8, seed=3).images


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("bitplane", {"bits": 7}),
        ("jpeg-ac-sign", {}),
        ("tpe-shuffle", {}),
        ("biased-keystream", {"bias": 0.45}),
        ("biased-keystream", {"bias": 0.55}),  # own pairs are less alike than others
    ],
)
def test_found_in_eight_pictures(scenes, key, scheme, options):
    cipher = leakage.get_scheme(scheme, **options).encrypt(scenes, key)
    found = asked(scenes, cipher)
    assert found.p_value < 0.001
    assert found.low <= found.bits <= found.high


def test_what_six_pictures_can_reach(scenes):
    found = asked(scenes[:6], scenes[:6] ^ 7)
    assert found.p_value == found.details["reach"] == 1 / 720
    assert found.details["ceiling"] == np.log2(6)
    assert not any("few pictures" in flag for flag in found.flags)
    few = asked(scenes[:3], scenes[:3])
    assert few.p_value == few.details["reach"] == 1 / 6
    assert any("p can be no less than 0.17" in flag for flag in few.flags)
    two = asked(scenes[:2], scenes[:2])  # as far apart in either order
    assert two.p_value == two.details["reach"] == 1


def test_bits_are_not_above_the_exact_value(scenes, key):
    for bias in (0.45, 0.49):
        scheme = leakage.get_scheme("biased-keystream", bias=bias)
        exact = leakage.exact_leakage(scheme, scenes).bits * 16**2
        found = asked(scenes, scheme.encrypt(scenes, key))
        assert (found.bits if found.low is None else found.low) <= exact


def test_level_under_noise(scenes):
    """At 5 %, 40 runs: more than 7 false alarms have a chance below 0.2 %."""
    alarms, bits = 0, []
    for seed in range(40):
        found = asked(
            scenes[:6, :32, :32], noise(scenes[:6, :32, :32], np.random.default_rng(seed))
        )
        alarms += found.p_value <= 0.05
        bits.append(found.bits)
    assert binom.sf(7, 40, 0.05) < 0.002
    assert alarms <= 7
    assert abs(np.median(bits)) < 0.01


def test_level_where_images_of_a_group_are_alike():
    """At 5 %, 40 runs: more than 7 false alarms have a chance below 0.2 %."""
    alarms, groups = 0, np.repeat(np.arange(6), 2)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sides = (rng.integers(0, 256, (6, 1, 1), np.uint8)[groups] for _ in range(2))
        x, y = (side ^ rng.integers(0, 4, (12, 16, 16), np.uint8) for side in sides)
        alarms += asked(x, y, groups=groups).p_value <= 0.05
    assert binom.sf(7, 40, 0.05) < 0.002
    assert alarms <= 7


def test_many_pictures_and_colour(rng):
    x = leakage.load_images("scenes", size=32, count=30, mode="rgb").images
    found = asked(x, x ^ (noise(x, rng) & 0xF0), permutations=99)
    assert found.p_value == pytest.approx(1e-4)
    assert found.details["exchanged"] == "30 groups"
    again = asked(x, x ^ (noise(x, rng) & 0xF0), permutations=0)
    assert again.p_value is None


def test_batches_are_read_one_by_one(rng):
    x = leakage.load_images("scenes", size=32, count=24).images
    cipher = x ^ (noise(x, rng) & 0xFE)
    assert leakage.patch_mi_in_batches([(x, cipher)]) == asked(x, cipher)
    halves = [(x[i : i + 12], cipher[i : i + 12], np.arange(12)) for i in (0, 12)]
    found = leakage.patch_mi_in_batches(iter(halves))
    assert found.p_value == pytest.approx(1e-4)
    assert found.details["exchanged"] == "24 groups"
    again = leakage.patch_mi_in_batches([*halves, halves[0], (x[6:18], cipher[6:18])])
    assert again.bits == found.bits
    assert again.details["exchanged"] == "24 groups"
    assert again.flags[-1] == "24 images repeat those of earlier batches: they are left out"
    with pytest.raises(ValueError, match="no batch of images"):
        leakage.patch_mi_in_batches([])
    with pytest.raises(ValueError, match=r"images of \(32, 32\) and of \(16, 16\)"):
        leakage.patch_mi_in_batches([halves[0], (x[:4, :16, :16], cipher[:4, :16, :16])])


def test_images_in_a_file_are_enough(tmp_path, rng):
    x = leakage.load_images("scenes", size=32, count=6).images
    np.save(tmp_path / "x.npy", x)
    stored = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert asked(stored, stored) == asked(x, x)


def test_certified_bits():
    """Samples are independent, and the cipher hides all of them, or all but one plane."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 256, (40, 16, 16), np.uint8)
    hidden = asked(x, noise(x, rng), patch=8).details["certified"]
    clear = asked(x, x ^ (noise(x, rng) & 0xFE), patch=8).details["certified"]
    assert hidden == 0
    assert 0.2 < clear < math.log2(40)


def test_same_seed_same_number(scenes, rng):
    cipher = noise(scenes, rng)
    assert asked(scenes, cipher, seed=4) == asked(scenes, cipher, seed=4)


def test_constant_images_say_nothing():
    x = np.zeros((4, 16, 16), np.uint8)
    found = asked(x + np.arange(4, dtype=np.uint8)[:, None, None], x)
    assert found.p_value == 1
    assert found.bits == 0
    assert found.low is found.high is None
    assert any("0 is no estimate" in flag for flag in found.flags)


def test_weights_are_small_and_verified(tmp_path):
    data = FILE.read_bytes()
    assert len(data) <= 2e6
    missing = tmp_path / "none.npz"
    with pytest.raises(ValueError, match=r"critic is missing.*reinstall"):
        load_critic(missing)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(data[:-1] + b"x")
    with pytest.raises(ValueError, match=r"has SHA-256 .*, expected .*reinstall"):
        load_critic(damaged)


def test_nothing_is_unpickled(tmp_path):
    file = tmp_path / "pickled.npz"
    np.savez(file, heads=np.array([{"a": 1}], object))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="allow_pickle"):
        load_critic(file, digest)
    assert pickle  # what must not run here


def test_what_takes_memory_is_not_imported():
    code = (
        "import sys, leakage; leakage.patch_mi; "
        "print({'matplotlib', 'pandas', 'scipy.stats', 'sklearn', 'torchvision'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_refusals(scenes):
    with pytest.raises(ValueError, match="critic must be"):
        leakage.patch_mi(scenes, scenes, critic="famous")
    with pytest.raises(ValueError, match="1 groups are too few, 2"):
        asked(scenes[:1], scenes[:1])
