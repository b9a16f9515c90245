import math

import numpy as np
import pytest

import leakage
from leakage.attacks import (
    bits_from_success,
    fold,
    identify,
    jpeg_sketch,
    many_time_pad,
    recover_permutation,
    reidentify,
    replace_planes,
    success_bound,
    unwrap_planes,
)
from leakage.schemes.jpeg_coding import compressed


@pytest.fixture(scope="module")
def images():
    return leakage.load_images(size=128, count=12).images


def encrypted(images, key, name, **parameters):
    return leakage.get_scheme(name, **parameters).encrypt(images, key)


@pytest.mark.parametrize("candidates", [2, 16, 1000])
def test_success_and_bits_are_inverse(candidates):
    most = math.log2(candidates)
    assert success_bound(0, candidates) == 1 / candidates
    assert success_bound(most, candidates) == success_bound(most + 1, candidates) == 1
    assert bits_from_success(1, candidates) == most
    for bits in np.linspace(0.01, 0.99, 7) * most:
        assert bits_from_success(success_bound(bits, candidates), candidates) == pytest.approx(bits)
    rates = np.linspace(1 / candidates, 1, 20)
    assert np.all(np.diff([bits_from_success(rate, candidates) for rate in rates]) > 0)


def test_fano_holds_for_an_erasure_channel():
    """Of 16 names one is told with probability a: the best guess reaches at most the bound."""
    for told in (0.1, 0.5, 0.9):
        rate = told + (1 - told) / 16
        assert rate <= success_bound(4 * told, 16) + 1e-12
        assert bits_from_success(rate, 16) <= 4 * told + 1e-12


def test_one_plane_unwraps(images, key):
    """The median photograph is back but for a thousandth, or is its negative in the top plane."""
    found = unwrap_planes(encrypted(images, key, "bitplane", bits=1), 1)
    right = ((found ^ images) < 128).mean((1, 2))
    assert np.median(np.maximum(right, 1 - right)) > 0.99
    assert not np.any((found ^ images) & 127)
    assert identify(found, images).rate > 0.9


def test_unwrapping_gains_nothing_from_full_encryption(images, key):
    """512 candidates of 12 images; three hits or more have probability below 0.08."""
    found = unwrap_planes(encrypted(images, key, "bitplane", bits=8), 2)
    assert identify(found, images).rate <= 0.25


def test_replacement(images, key):
    cipher = encrypted(images, key, "bitplane", bits=2)
    pictures = replace_planes(cipher, 2)
    assert np.unique(pictures >> 6).tolist() == [2]
    assert not np.any((pictures ^ images) & 63)
    assert identify(pictures, images).rate > 0.5


def test_fold(images, key):
    assert np.array_equal(fold(encrypted(images, key, "skk")), fold(images))
    assert identify(fold(encrypted(images, key, "skk")), images).rate > 0.9


def test_many_time_pad(images, key):
    found = many_time_pad(encrypted(images, key, "reused-keystream"))
    assert np.array_equal(found, images[:-1] ^ images[1:])


@pytest.mark.parametrize("name", ["pixel-shuffle", "cat-map", "block-shuffle"])
def test_a_fixed_permutation_falls_to_two_images(name, images, key):
    scheme = leakage.get_scheme(name)
    calls = []

    def encrypt(chosen):
        calls.append(1)
        return scheme.encrypt(chosen, key, keying="fixed")

    places = recover_permutation(encrypt, 128, 128)
    assert len(calls) == 2
    cipher = scheme.encrypt(images, key, keying="fixed").reshape(len(images), -1)
    assert np.array_equal(cipher, images.reshape(len(images), -1)[:, places])


def test_fresh_permutations_do_not_fall(images, key):
    scheme, index = leakage.get_scheme("pixel-shuffle"), iter(range(9))
    with pytest.raises(ValueError, match="no fixed permutation"):
        recover_permutation(lambda x: scheme.encrypt(x, key, first_index=next(index)), 128, 128)


def test_sketch_survives_amplitudes(images, key):
    data = compressed(images[0], 75)
    for name in ("jpeg-ac-sign", "jpeg-ac", "jpeg-dc-ac"):
        cipher = leakage.encrypt_jpeg(data, key, leakage.get_scheme(name))
        assert np.array_equal(jpeg_sketch(cipher.data), jpeg_sketch(data))


def test_reidentification(rng):
    x = rng.normal(size=(300, 6))
    groups = np.repeat(np.arange(150), 2)
    found = reidentify(x, x + 0.3 * rng.normal(size=x.shape), groups=groups)
    assert found.low > 5 * found.chance
    assert found.low < found.rate < found.high
    # independent pairs: 60 of 300 ciphertexts at 1/60 each; false alarms below 0.001
    null = reidentify(x, rng.normal(size=x.shape), groups=groups)
    assert null.rate * null.n <= 16
    five = reidentify(x, x + 0.3 * rng.normal(size=x.shape), groups=groups, first=5)
    assert five.chance == pytest.approx(5 * found.chance)


def test_equal_scores_are_no_success(rng):
    """Of images of two kinds the kind is known, and not which of ten it is."""
    x = rng.permutation(np.repeat(rng.normal(size=(2, 3)), 50, axis=0))
    assert reidentify(x, x).rate < 0.1


def test_bad_requests(images):
    with pytest.raises(ValueError, match="1 to 7"):
        unwrap_planes(images, 8)
    with pytest.raises(ValueError, match="1 to 7"):
        replace_planes(images, 0)
    with pytest.raises(ValueError, match="gray images"):
        unwrap_planes(np.zeros((1, 8, 8, 3), np.uint8), 1)
    with pytest.raises(ValueError, match="at least two"):
        many_time_pad(images[:1])
    with pytest.raises(ValueError, match="they are pairs"):
        identify(images, images[:3])
    with pytest.raises(ValueError, match="at least 2 candidates"):
        success_bound(1.0, 1)
    with pytest.raises(ValueError, match="from 0 to 1"):
        bits_from_success(1.5, 4)
    with pytest.raises(ValueError, match="first must be"):
        reidentify(np.eye(20), np.eye(20), first=0)
