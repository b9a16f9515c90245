"""Ciphertexts that know nothing of their images, and keystream that images share."""

import sys
from pathlib import Path

import numpy as np
import pytest

import leakage
from leakage.audits.couples import coupled
from leakage.audits.pairs import from_arrays, groups_of
from leakage.audits.structure import Structure

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from sound_ciphertexts import KINDS, aes, photographs


def answers(plain, cipher, groups=None):
    pairs = from_arrays(plain, cipher)
    labels = groups_of(pairs.names, pairs.same, groups)
    checks = Structure(pairs, coupled(pairs.shapes, labels))
    for pair in pairs:
        checks.add(*pair)
    return {finding.name: finding for finding in checks.findings()}


def photos(seed, count=40):
    return photographs(np.random.default_rng(seed), count, 64)


@pytest.mark.parametrize("kind", KINDS)
def test_what_knows_nothing_is_not_accused(kind):
    """Facts never, and p-values above what an audit would take for a leak."""
    for seed in range(2):
        rng = np.random.default_rng([seed, 22])
        found = answers(*KINDS[kind](rng, photos(seed)))
        assert not [name for name, finding in found.items() if finding.leaks]
        p_value = found["uneven keystream"].p_value
        assert p_value is None or p_value > 0.001


def test_a_codebook_is_seen_where_all_images_are_flat_at_the_same_places():
    """Black bars of all images have equal blocks in all ciphertexts, as a header has them."""
    images = leakage.load_images("scenes", size=64, count=20, seed=5).images.copy()
    images[:, :8] = images[:, -8:] = 0
    cipher = leakage.get_scheme("aes-ecb").encrypt(images, bytes(16))
    assert answers(images, cipher)["equal blocks stay equal"].leaks
    # a header that is no picture of the bars: it ends before they do
    header = aes(np.random.default_rng(0), images)
    header[:, :2] = np.tile(np.arange(16, dtype=np.uint8), (2, 4))
    assert answers(images, header)["equal blocks stay equal"].leaks is False


def test_a_codebook_of_planes_is_found_where_no_samples_repeat(rng):
    """Top planes that are flat for most of an image, under random lower ones."""
    images = rng.integers(0, 128, (20, 64, 64), np.uint8)
    images[:, 40:] |= 128 * rng.integers(0, 2, (20, 24, 64), np.uint8)
    cipher = leakage.get_scheme("aes-ecb", unit="planes").encrypt(images, bytes(16))
    found = answers(images, cipher)["equal blocks stay equal"]
    assert found.leaks
    assert "top plane" in found.meaning


def test_no_codebook_is_not_said_of_images_that_never_repeat(rng):
    images = rng.integers(0, 256, (20, 64, 64), np.uint8)
    cipher = leakage.get_scheme("aes-ecb").encrypt(images, bytes(16))
    found = answers(images, cipher)["equal blocks stay equal"]
    assert found.leaks is None
    assert "cannot be seen" in found.meaning


def test_a_record_saved_twice_is_named_as_that():
    plain, cipher, _ = KINDS["saved twice"](np.random.default_rng(0), photos(0))
    found = answers(plain, cipher)
    assert found["equal pairs"].leaks is None
    assert found["equal pairs"].meaning.startswith("3 pairs repeat an earlier one")
    assert not found["keystream reused"].leaks


@pytest.mark.parametrize("operation", ["XOR", "additive"])
@pytest.mark.parametrize("kept", [slice(None), slice(1000, 2000)], ids=["whole", "part"])
def test_two_images_that_share_keystream_at_another_offset(operation, kept):
    plain = photos(1)
    stream = aes(np.random.default_rng(1), np.zeros_like(plain)).reshape(len(plain), -1)
    stream[31, kept] = np.roll(stream[7], 16)[kept]
    stream = stream.reshape(plain.shape)
    found = answers(plain, plain ^ stream if operation == "XOR" else plain + stream)
    assert found["keystream reused"].leaks
    assert "same in 2 images, for instance 7 from" in found["keystream reused"].meaning


def test_equal_parts_of_images_and_ciphertexts_are_no_shared_keystream():
    """A run counts only where the images differ: here both are black below one random stamp."""
    plain = photos(2)
    cipher = aes(np.random.default_rng(2), plain)
    plain[:, :20] = 0
    cipher[:, :20] = np.random.default_rng(3).integers(0, 256, (20, 64), np.uint8)
    assert not answers(plain, cipher)["keystream reused"].leaks


def test_a_constant_key_byte_of_each_image_is_uneven():
    plain = photos(4, 60)
    key = np.random.default_rng(4).integers(0, 256, (60, 1, 1), np.uint8)
    for cipher in (plain ^ key, plain + key):
        assert answers(plain, cipher)["uneven keystream"].p_value < 5e-4


def test_one_clear_sample_in_64_is_uneven():
    plain = photos(5, 60)
    rng = np.random.default_rng(5)
    cipher = np.where(rng.random(plain.shape) < 1 / 64, plain, aes(rng, plain))
    assert answers(plain, cipher)["uneven keystream"].p_value < 5e-4
