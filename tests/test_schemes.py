import numpy as np
import pytest

import leakage

SCHEMES = [
    *[("bitplane", {"bits": k, "order": order}) for k in range(9) for order in ("msb", "lsb")],
    *[("nonzero-key", {"bits": k}) for k in range(9)],
]
every = pytest.mark.parametrize(("name", "parameters"), SCHEMES)
SHAPES = [(1, 1, 1), (1, 1, 7), (2, 5, 3), (3, 8, 8, 3), (1, 1, 1, 3), (2, 17, 31)]


@every
@pytest.mark.parametrize("shape", SHAPES)
def test_decrypt_inverts_encrypt(name, parameters, shape, key, rng):
    scheme = leakage.get_scheme(name, **parameters)
    for images in (rng.integers(0, 256, shape, np.uint8), np.full(shape, 255, np.uint8)):
        cipher = scheme.encrypt(images, key, first_index=5)
        assert cipher.shape == shape
        assert cipher.dtype == np.uint8
        assert np.array_equal(scheme.decrypt(cipher, key, first_index=5), images)


@every
def test_wrong_key_does_not_decrypt(name, parameters, key, rng):
    if parameters["bits"] == 0 or (name == "nonzero-key" and parameters["bits"] == 1):
        pytest.skip("no key is used: nothing is encrypted")
    scheme = leakage.get_scheme(name, **parameters)
    images = rng.integers(0, 256, (1, 32, 32), np.uint8)
    cipher = scheme.encrypt(images, key)
    for wrong in (key[::-1], bytes([key[0] ^ 1]) + key[1:]):
        assert np.mean(scheme.decrypt(cipher, wrong) != images) > 0.3


@every
def test_clear_planes_stay(name, parameters, key, photographs):
    scheme = leakage.get_scheme(name, **parameters)
    images = photographs.images[:20]
    bits = parameters["bits"]
    mask = (1 << bits) - 1
    if parameters.get("order") != "lsb":
        mask <<= 8 - bits
    difference = images ^ scheme.encrypt(images, key)
    assert not np.any(difference & ~np.uint8(mask))


@pytest.mark.parametrize("order", ["msb", "lsb"])
def test_levels_nest(order, key, photographs):
    """Planes encrypted at two levels are encrypted alike."""
    images = photographs.images[:5]
    levels = [leakage.get_scheme("bitplane", bits=k, order=order) for k in range(9)]
    streams = [scheme.encrypt(images, key) ^ images for scheme in levels]
    for scheme, stream, more in zip(levels, streams, streams[1:], strict=False):
        assert np.array_equal(more & np.uint8(scheme.mask), stream)


def test_encrypted_bits_are_fair(key):
    """64 x 4096 x 8 bits; false alarms below 1e-6 (five standard deviations)."""
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(np.zeros((64, 64, 64), np.uint8), key)
    bits = np.unpackbits(cipher)
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


def test_two_images_never_share_keystream(key):
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(np.zeros((50, 16, 16), np.uint8), key)
    blocks = {block.tobytes() for block in cipher.reshape(-1, 16)}
    assert len(blocks) == cipher.size // 16


def test_two_calls_continue_one(key, rng):
    images = rng.integers(0, 256, (6, 8, 8), np.uint8)
    scheme = leakage.get_scheme("bitplane", bits=5)
    parts = scheme.encrypt(images[:2], key), scheme.encrypt(images[2:], key, first_index=2)
    assert np.array_equal(np.concatenate(parts), scheme.encrypt(images, key))


@pytest.mark.parametrize("bits", range(1, 9))
def test_nonzero_key_changes_every_sample(bits, key, photographs):
    images = photographs.images[:20]
    cipher = leakage.get_scheme("nonzero-key", bits=bits).encrypt(images, key)
    assert not np.any(images == cipher)
    if bits == 1:
        assert np.array_equal(cipher, images ^ 128)


@pytest.mark.parametrize("name", ["bitplane", "nonzero-key"])
@pytest.mark.parametrize(
    ("bits", "error"),
    [(-1, ValueError), (9, ValueError), (True, TypeError), (2.5, TypeError), ("3", TypeError)],
)
def test_bad_bits(name, bits, error):
    with pytest.raises(error, match="bits must be"):
        leakage.get_scheme(name, bits=bits)


def test_bad_requests():
    with pytest.raises(ValueError, match="did you mean 'bitplane'"):
        leakage.get_scheme("bitplanes", bits=1)
    with pytest.raises(TypeError, match="no parameter 'planes'; it has bits, order"):
        leakage.get_scheme("bitplane", planes=1)
    with pytest.raises(TypeError, match="needs bits"):
        leakage.get_scheme("bitplane")
    with pytest.raises(ValueError, match="order must be"):
        leakage.get_scheme("bitplane", bits=1, order="middle")


@pytest.mark.parametrize(
    ("images", "error", "says"),
    [
        (np.zeros((2, 4, 4)), ValueError, "must be uint8, not float64"),
        (np.zeros((2, 4, 4), np.uint16), ValueError, ">> 8"),
        ([np.zeros((2, 2), np.uint8), np.zeros((3, 3), np.uint8)], TypeError, "one numpy array"),
        (np.array([None, None]), ValueError, "differ in shape"),
        (np.zeros((0, 4, 4), np.uint8), ValueError, "empty"),
        (np.zeros((4, 4), np.uint8), ValueError, r"images\[None\]"),
        (np.zeros((2, 4, 4, 4), np.uint8), ValueError, r"\(N, H, W, 3\)"),
    ],
)
def test_bad_images(images, error, says, key):
    scheme = leakage.get_scheme("bitplane", bits=3)
    for call in (scheme.encrypt, scheme.decrypt):
        with pytest.raises(error, match=says):
            call(images, key)


@pytest.mark.parametrize("name", ["bitplane", "nonzero-key"])
@pytest.mark.parametrize("bits", [0, 1, 8])
def test_bad_key(name, bits):
    with pytest.raises(TypeError, match="key must be bytes"):
        leakage.get_scheme(name, bits=bits).encrypt(np.zeros((1, 2, 2), np.uint8), "key")
