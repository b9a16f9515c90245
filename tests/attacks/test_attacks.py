import math

import numpy as np
import pytest

import leakage
from leakage import attacks
from leakage.schemes.jpeg_coding import compressed


def test_pictures_of_full_encryption_are_of_no_use(photographs, encrypted, assert_guessing):
    plain = photographs.images[::8]
    groups = photographs.groups[::8]
    cipher = encrypted("bitplane", plain, bits=8)
    pictures = {
        "replace": attacks.replace_planes(cipher, 0b11000000, median=3),
        "unwrap": attacks.unwrap_planes(cipher, 2),
        "fold": attacks.fold(cipher),
        "jigsaw": attacks.jigsaw(cipher, 16),
    }
    for name, picture in pictures.items():
        assert_guessing(attacks.identify(picture, plain, groups=groups, name=name))
    pairs = attacks.many_time_pad(cipher, plain[0])
    assert_guessing(attacks.identify(pairs, plain[1:], groups=groups[1:]))


@pytest.mark.parametrize("value", ["mid", "zero", "mean"])
def test_replaced_planes(one_each, value, key):
    scheme = leakage.get_scheme("bitplane", bits=1)
    cipher = scheme.encrypt(one_each, key)
    picture = attacks.replace_planes(cipher, scheme.mask, value)
    np.testing.assert_array_equal(
        picture, attacks.replace_planes(one_each, scheme.mask, value)
    )  # nothing of the encrypted plane is left
    assert attacks.identify(picture, one_each).low > 1 / len(one_each)


def test_replacement_values():
    cipher = np.array([[[0b11100011, 0b00000011]]], np.uint8)
    assert attacks.replace_planes(cipher, 0b01100000).tolist() == [[[0b11000011, 0b01000011]]]
    assert attacks.replace_planes(cipher, 0b01100000, "zero").tolist() == [[[0b10000011, 3]]]
    assert attacks.replace_planes(cipher, 0b11100000, "mean").tolist() == [[[128, 128]]]
    assert attacks.replace_planes(cipher, 0).tolist() == cipher.tolist()
    assert attacks.replace_planes(cipher, 255).tolist() == [[[128, 128]]]


def test_replacement_filter():
    cipher = np.zeros((1, 5, 5, 3), np.uint8)
    cipher[0, 2, 2, 1] = 15
    assert attacks.replace_planes(cipher, 0xF0, "zero", median=3).max() == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [({"mask": 256}, "mask"), ({"mask": True}, "mask"), ({"mask": 1, "value": "max"}, "value"),
     ({"mask": 1, "median": 2}, "median")],
)  # fmt: skip
def test_replacement_refuses(options, says):
    with pytest.raises(ValueError, match=says):
        attacks.replace_planes(np.zeros((1, 2, 2), np.uint8), **options)


def test_unwrapping_photographs(large, encrypted):
    one = attacks.unwrap_planes(encrypted("bitplane", large, bits=1), 1)
    right = (one >> 7 == large >> 7).mean((1, 2))
    assert np.median(right) > 0.98
    assert right.mean() > 0.8
    two = attacks.unwrap_planes(encrypted("bitplane", large, bits=2), 2)
    assert np.all(two & 63 == large & 63)
    assert attacks.identify(two, large).rate > 0.5


def test_unwrapping_is_exact_on_smooth_images(encrypted):
    y, x = np.mgrid[:48, :64]
    waves = 127.5 + 120 * np.sin(x / 20) * np.cos(y / 17)
    image = waves.astype(np.uint8)[None]
    for bits in (1, 2, 3):
        cipher = encrypted("bitplane", image, bits=bits)
        np.testing.assert_array_equal(attacks.unwrap_planes(cipher, bits), image)


def test_unwrapping_colour_and_small_images():
    y, x = np.mgrid[:32, :32]
    image = np.stack([4 * x + 4 * y, 8 * x, 255 - 8 * y], -1).astype(np.uint8)[None]
    np.testing.assert_array_equal(attacks.unwrap_planes(image & 127, 1), image)
    assert attacks.unwrap_planes(np.zeros((1, 2, 2), np.uint8), 7).shape == (1, 2, 2)


@pytest.mark.parametrize("bits", [0, 8, 1.0, True])
def test_unwrapping_refuses_planes(bits):
    with pytest.raises(ValueError, match="planes"):
        attacks.unwrap_planes(np.zeros((1, 4, 4), np.uint8), bits)


def test_unwrapping_refuses_lines():
    with pytest.raises(ValueError, match="2 pixels"):
        attacks.unwrap_planes(np.zeros((1, 1, 4), np.uint8), 1)


def test_fold_undoes_inversions(one_each, encrypted):
    cipher = encrypted("skk", one_each)
    np.testing.assert_array_equal(attacks.fold(cipher), attacks.fold(one_each))
    found = attacks.identify(attacks.fold(cipher), attacks.fold(one_each))
    assert found.rate == 1
    assert found.bits == pytest.approx(math.log2(len(one_each)))


def test_many_time_pad(one_each, encrypted):
    cipher = encrypted("reused-keystream", one_each)
    np.testing.assert_array_equal(attacks.many_time_pad(cipher, one_each[0]), one_each[1:])
    np.testing.assert_array_equal(attacks.many_time_pad(cipher), one_each[1:] ^ one_each[0])
    flat = np.concatenate([np.full_like(one_each[:1], 77), one_each])
    cipher = encrypted("reused-keystream", flat)
    np.testing.assert_array_equal(attacks.many_time_pad(cipher, 77), one_each)


@pytest.mark.parametrize("known", [256, -1, 0.5, np.zeros((2, 2), np.uint8), np.zeros((4, 4))])
def test_many_time_pad_refuses(known):
    with pytest.raises(ValueError, match="known"):
        attacks.many_time_pad(np.zeros((2, 4, 4), np.uint8), known)
    with pytest.raises(ValueError, match="two"):
        attacks.many_time_pad(np.zeros((1, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("name", "side", "count"),
    [("pixel-shuffle", 16, 1), ("pixel-shuffle", 17, 2), ("cat-map", 64, 2)],
)
def test_recovered_permutation(name, side, count, rng, key):
    scheme = leakage.get_scheme(name)
    asked = []

    def encrypt(images):
        asked.append(len(images))
        return scheme.encrypt(images, key, keying="fixed")

    places = attacks.recover_permutation(encrypt, (side, side))
    assert asked == [count]
    for shape in ((3, side, side), (2, side, side, 3)):
        plain = rng.integers(0, 256, shape, dtype=np.uint8)
        cipher = scheme.encrypt(plain, key, keying="fixed")
        np.testing.assert_array_equal(attacks.unshuffle(cipher, places), plain)


def test_permutation_refuses(key):
    fresh = leakage.get_scheme("pixel-shuffle")
    with pytest.raises(ValueError, match="not the same"):
        attacks.recover_permutation(lambda images: fresh.encrypt(images, key), (32, 32))
    full = leakage.get_scheme("bitplane", bits=8)
    with pytest.raises(ValueError, match="no permutation"):
        attacks.recover_permutation(lambda images: full.encrypt(images, key), (8, 8))
    with pytest.raises(ValueError, match="made shape"):
        attacks.recover_permutation(lambda images: images[:, :2], (8, 8))
    with pytest.raises(ValueError, match="height and width"):
        attacks.recover_permutation(lambda images: images, (8,))
    with pytest.raises(ValueError, match="places"):
        attacks.unshuffle(np.zeros((1, 2, 2), np.uint8), np.arange(3))


@pytest.mark.parametrize("name", ["jpeg-ac-sign", "jpeg-ac"])
def test_sketch_survives(photographs, name, key):
    image = photographs.images[photographs.groups == 2][:4].reshape(256, 64)
    file = compressed(image, 75)
    cipher = leakage.encrypt_jpeg(file, key, leakage.get_scheme(name))
    plain, found = attacks.jpeg_sketch(file), attacks.jpeg_sketch(cipher.data)
    assert plain.counts.shape == plain.energy.shape == (32, 8)
    np.testing.assert_array_equal(plain.counts, found.counts)
    assert np.array_equal(plain.energy, found.energy) == (name == "jpeg-ac-sign")


def test_sketch_refuses():
    with pytest.raises(ValueError, match="no JPEG"):
        attacks.jpeg_sketch(b"GIF89a")


def test_jigsaw(large, encrypted):
    plain = large[:6]
    cipher = encrypted("block-shuffle", plain, block=32)
    picture = attacks.jigsaw(cipher, 32)
    direct, neighbour = attacks.placement(picture, plain, 32)
    shuffled = attacks.placement(cipher, plain, 32)
    assert np.median(direct) > 0.9
    assert neighbour.mean() > 0.8
    assert shuffled[0].mean() < 0.1
    assert shuffled[1].mean() < 0.1
    # the same blocks, whatever their places
    for a, b in zip(picture, plain, strict=True):
        assert np.array_equal(np.bincount(a.ravel()), np.bincount(b.ravel()))


def test_jigsaw_of_colour_and_of_stripes(rng):
    smooth = np.cumsum(rng.integers(-4, 5, (16, 48, 3)), axis=1)
    image = (smooth + 128).astype(np.uint8)[None]
    strips = np.concatenate(np.split(image, 3, axis=2)[::-1], axis=2)
    picture = attacks.jigsaw(strips, 16)
    assert attacks.placement(picture, image, 16)[0] == 1


def test_placement_of_equal_blocks():
    image = np.zeros((1, 8, 8), np.uint8)
    direct, neighbour = attacks.placement(image, image, 4)
    assert direct == neighbour == 1
    with pytest.raises(ValueError, match="shape"):
        attacks.placement(image, image[:, :4], 4)


def test_jigsaw_refuses():
    image = np.zeros((1, 8, 8), np.uint8)
    for block in (1, 8):
        with pytest.raises(ValueError, match="at least 2 blocks"):
            attacks.jigsaw(image, block)
    with pytest.raises(ValueError, match="tile"):
        attacks.jigsaw(image, 3)
