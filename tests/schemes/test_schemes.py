import hypothesis
import hypothesis.extra.numpy
import numpy as np
import pytest
from Crypto.Cipher import AES
from hypothesis import strategies as st
from scipy.stats import chisquare

import leakage
from leakage.schemes.blocks import parts, to_blocks
from leakage.schemes.keyed_randomness import keystream
from leakage.schemes.permutations import cat_map_period

SCHEMES = [
    *[("bitplane", {"bits": k, "order": order}) for k in range(9) for order in ("msb", "lsb")],
    *[("bitplane", {"bits": k, "packed": True}) for k in (1, 3, 8)],
    ("bitplane", {"planes": (7, 4, 0)}),
    ("bitplane", {"planes": ()}),
    *[("nonzero-key", {"bits": k}) for k in range(9)],
    ("aes-ecb", {}),
    *[("aes-ecb", {"unit": "planes", "bits": k}) for k in (0, 1, 8)],
    ("region", {}),
    ("region", {"bits": 3}),
    ("pixel-shuffle", {}),
    *[("block-shuffle", {"block": b}) for b in (1, 4)],
    ("cat-map", {}),
    ("cat-map", {"keyed": False, "iterations": 3}),
    *[("etc", {"block": b, "mode": mode}) for b in (3, 16) for mode in ("colour", "grey")],
    ("le", {}),
    ("ele", {}),
    *[("skk", {"colour_shuffle": shuffle}) for shuffle in (False, True)],
    ("tpe-shuffle", {"block": 5}),
    ("tpe-sum", {"block": 4, "rounds": 5}),
    ("logistic-xor", {}),
    ("logistic-xor", {"r": 3.9}),
    ("permute-diffuse", {}),
    ("identity", {}),
    ("public-keystream", {}),
    ("reused-keystream", {}),
    ("biased-keystream", {}),
]
every = pytest.mark.parametrize(("name", "parameters"), SCHEMES)
SHAPES = [(1, 1, 1), (1, 1, 7), (2, 5, 3), (2, 8, 8, 3), (1, 1, 1, 3), (2, 17, 31), (1, 40, 33, 3)]
UNKEYED = ("identity", "public-keystream")


def draw_images() -> st.SearchStrategy:
    sides = st.tuples(st.integers(1, 2), st.integers(1, 21), st.integers(1, 21))
    shapes = sides | st.tuples(*[sides, st.just((3,))]).map(lambda t: t[0] + t[1])
    return shapes.flatmap(lambda shape: hypothesis.extra.numpy.arrays(np.uint8, shape))


def fitting(name: str, images: np.ndarray) -> np.ndarray:
    """What of the images the scheme takes: the cat map wants squares."""
    side = min(images.shape[1:3])
    return images[:, :side, :side] if name == "cat-map" else images


@every
@hypothesis.given(images=draw_images(), key=st.binary(min_size=16, max_size=40),
                  index=st.integers(0, 2**63))  # fmt: skip
@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
def test_decrypt_inverts_encrypt(name, parameters, images, key, index):
    scheme, images = leakage.get_scheme(name, **parameters), fitting(name, images)
    before = images.copy()
    cipher = scheme.encrypt(images, key, first_index=index)
    assert cipher.shape == images.shape
    assert cipher.dtype == np.uint8
    assert np.array_equal(scheme.decrypt(cipher, key, first_index=index), images)
    assert np.array_equal(images, before)


@every
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keying", ["fresh", "fixed"])
def test_decrypt_inverts_encrypt_on_noise_and_constants(name, parameters, shape, keying, key, rng):
    scheme = leakage.get_scheme(name, **parameters)
    for images in (rng.integers(0, 256, shape, np.uint8), np.full(shape, 255, np.uint8)):
        images = fitting(name, images)
        cipher = scheme.encrypt(images, key, keying=keying)
        assert np.array_equal(scheme.decrypt(cipher, key, keying=keying), images)


@every
def test_wrong_key_does_not_decrypt(name, parameters, key, rng):
    if name in UNKEYED or parameters.get("bits") == 0 or parameters.get("planes") == ():
        pytest.skip("nothing is encrypted")
    if (name, parameters.get("bits")) == ("nonzero-key", 1) or parameters.get("keyed") is False:
        pytest.skip("no key is used")
    scheme = leakage.get_scheme(name, **parameters)
    images = rng.integers(0, 256, (1, 64, 64, 3), np.uint8)
    cipher = scheme.encrypt(images, key)
    for wrong in (key[::-1], bytes([key[0] ^ 1]) + key[1:], key[:-1] + bytes([key[-1] ^ 128])):
        assert np.mean(scheme.decrypt(cipher, wrong) != images) > 0.2
    assert np.mean(scheme.decrypt(cipher, key, first_index=1) != images) > 0.2 or (
        name == "reused-keystream"
    )


@pytest.mark.parametrize(("name", "parameters"), [s for s in SCHEMES if s[0] == "bitplane"])
def test_clear_planes_stay(name, parameters, key, photographs):
    scheme = leakage.get_scheme(name, **parameters)
    images = photographs.images[:10]
    difference = images ^ scheme.encrypt(images, key)
    assert not np.any(difference & ~np.uint8(scheme.mask))
    assert np.bitwise_or.reduce(difference, axis=None) == scheme.mask


@pytest.mark.parametrize("bits", range(9))
def test_nonzero_key_leaves_the_other_planes(bits, key, photographs):
    images = photographs.images[:10]
    difference = images ^ leakage.get_scheme("nonzero-key", bits=bits).encrypt(images, key)
    assert not np.any(difference & np.uint8((1 << (8 - bits)) - 1))


def test_planes_by_name_are_planes_by_number(key, photographs):
    images = photographs.images[:3]
    for packed in (False, True):
        by_number = leakage.get_scheme("bitplane", bits=3, packed=packed)
        by_name = leakage.get_scheme("bitplane", planes=(5, 7, 6), packed=packed)
        assert by_name.mask == by_number.mask
        assert np.array_equal(by_name.encrypt(images, key), by_number.encrypt(images, key))


def test_packed_takes_the_stream_bit_by_bit(key):
    cipher = leakage.get_scheme("bitplane", bits=3, packed=True).encrypt(
        np.zeros((1, 4, 6), np.uint8), key
    )
    stream = np.unpackbits(keystream(key, "bitplane", 0, 9)).reshape(24, 3)
    assert np.array_equal(cipher.ravel() >> 5, stream @ [4, 2, 1])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("pixel-shuffle", {}), ("cat-map", {}), ("block-shuffle", {}), ("tpe-shuffle", {})],
)
def test_permutations_keep_the_histogram(name, parameters, key, photographs):
    images = photographs.images[:5]
    cipher = leakage.get_scheme(name, **parameters).encrypt(images, key)
    assert not np.array_equal(cipher, images)
    for one, other in zip(images, cipher, strict=True):
        assert np.array_equal(np.bincount(one.ravel()), np.bincount(other.ravel()))


@pytest.mark.parametrize("shape", [(2, 48, 64), (1, 37, 50, 3)])
def test_thumbnails_stay(shape, key, rng):
    images = rng.integers(0, 256, shape, np.uint8) // 3
    for name, keep in (("tpe-sum", np.sum), ("tpe-shuffle", np.sort)):
        cipher = leakage.get_scheme(name, block=8).encrypt(images, key)
        for plain, other in zip(images, cipher, strict=True):
            deep, other = (image.reshape(*shape[1:3], -1) for image in (plain, other))
            for rows, columns, high, wide in parts(*shape[1:3], 8):
                one, two = (
                    to_blocks(image[rows, columns], high, wide).astype(int)
                    for image in (deep, other)
                )
                flat = (len(one), high * wide, one.shape[-1])
                assert np.array_equal(
                    keep(one.reshape(flat), axis=1), keep(two.reshape(flat), axis=1)
                )
                assert high * wide == 1 or not np.array_equal(one, two)


def test_tpe_sum_mixes(key):
    """Ideally all blocks of a sum are equally likely: here 20 of four samples with the sum 3.

    False alarms: 0.001. One round is not enough.
    """
    images = np.tile(np.array([[3, 0], [0, 0]], np.uint8), (1500, 1, 1))

    def p_value(rounds: int) -> float:
        scheme = leakage.get_scheme("tpe-sum", block=2, rounds=rounds)
        cipher = scheme.encrypt(images, key).reshape(-1, 4)
        _, counts = np.unique(cipher, axis=0, return_counts=True)
        return chisquare(np.pad(counts, (0, 20 - len(counts)))).pvalue

    assert p_value(1) < 1e-9
    assert p_value(32) > 0.001


def test_ecb_known_answers(key):
    """SP 800-38A, F.1.1, and that equal blocks of an image stay equal."""
    cipher = AES.new(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), AES.MODE_ECB)
    block = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert cipher.encrypt(block).hex() == "3ad77bb40d7a3660a89ecaf32466ef97"
    image = np.frombuffer(block * 6 + block[:5], np.uint8).reshape(1, 1, 101)
    encrypted = leakage.get_scheme("aes-ecb").encrypt(image, key).ravel()
    own = AES.new(keystream(key, "aes-ecb", 0, 16).tobytes(), AES.MODE_ECB)
    assert encrypted[:96].tobytes() == own.encrypt(block) * 6
    planes = leakage.get_scheme("aes-ecb", unit="planes", bits=1)
    flat = planes.encrypt(np.full((1, 16, 64), 200, np.uint8), key).reshape(8, 128)
    assert np.array_equal(flat, np.tile(flat[:1], (8, 1)))
    assert set(np.unique(flat)) == {72, 200}


@pytest.mark.parametrize("side", [12, 25, 64])
def test_cat_map_comes_back(side, key, rng):
    images = rng.integers(0, 256, (1, side, side), np.uint8)
    period = cat_map_period(side)
    again = leakage.get_scheme("cat-map", keyed=False, iterations=period).encrypt(images, key)
    assert np.array_equal(again, images)
    once = leakage.get_scheme("cat-map", keyed=False, iterations=1).encrypt(images, key)[0]
    assert once[(3 + 2 * 5) % side, (3 + 5) % side] == images[0, 5, 3]  # x = 3, y = 5


def test_cat_map_periods():
    assert [cat_map_period(n) for n in (128, 256, 512, 500)] == [96, 192, 384, 750]


def test_etc_keeps_blocks_up_to_96_changes(key, rng):
    """Each block of the ciphertext is one of the 96 images of exactly one plain block."""
    image = rng.integers(0, 256, (8, 12, 3), np.uint8)
    cipher = leakage.get_scheme("etc", block=4).encrypt(image[None], key)[0]

    def orbit(block):
        for turned in (block, np.rot90(block), np.rot90(block, 2), np.rot90(block, 3)):
            for mirrored in (turned, turned[:, ::-1]):
                for inverted in (mirrored, 255 - mirrored):
                    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
                        yield np.ascontiguousarray(inverted[..., order]).tobytes()

    orbits = [set(orbit(block)) for block in to_blocks(image, 4, 4)]
    assert all(len(found) == 96 for found in orbits)
    found = [[block.tobytes() in o for o in orbits]
             for block in map(np.ascontiguousarray, to_blocks(cipher, 4, 4))]  # fmt: skip
    assert np.array_equal(np.sum(found, axis=0), np.ones(6))
    assert np.array_equal(np.sum(found, axis=1), np.ones(6))


def test_le_treats_blocks_alike_and_ele_does_not(key, rng):
    block = rng.integers(0, 256, (4, 4, 3), np.uint8)
    images = np.tile(block, (3, 4, 1))[None]
    le, ele = (leakage.get_scheme(name).encrypt(images, key)[0] for name in ("le", "ele"))
    assert len({b.tobytes() for b in map(np.ascontiguousarray, to_blocks(le, 4, 4))}) == 1
    assert len({b.tobytes() for b in map(np.ascontiguousarray, to_blocks(ele, 4, 4))}) == 12


def test_skk_keeps_folded_values(key, photographs):
    images = photographs.images[:5]
    cipher = leakage.get_scheme("skk").encrypt(images, key)
    assert np.array_equal(np.minimum(images, 255 - images), np.minimum(cipher, 255 - cipher))
    assert 0.45 < np.mean(images == cipher) < 0.55


def test_region_touches_only_the_region(key, rng):
    images = rng.integers(0, 256, (2, 20, 30, 3), np.uint8)
    mask = rng.random((20, 30)) < 0.3
    boxes = ((2, 3, 5, 6), (10, 20, 10, 10))
    for scheme in (
        leakage.get_scheme("region", boxes=boxes),
        leakage.get_scheme("region", mask=mask),
    ):
        inside = scheme.inside(20, 30)
        cipher = scheme.encrypt(images, key)
        assert np.array_equal(cipher[:, ~inside], images[:, ~inside])
        assert np.mean(cipher[:, inside] != images[:, inside]) > 0.95
    # the keystream goes by place: where two regions overlap, they encrypt alike
    one = leakage.get_scheme("region", boxes=((0, 0, 9, 9),)).encrypt(images, key)
    two = leakage.get_scheme("region", boxes=((5, 5, 9, 9),)).encrypt(images, key)
    assert np.array_equal(one[:, 5:9, 5:9], two[:, 5:9, 5:9])


def test_reused_keystream_gives_the_xor_of_two_images(key, photographs):
    images = photographs.images[:2]
    cipher = leakage.get_scheme("reused-keystream").encrypt(images, key)
    assert np.array_equal(cipher[0] ^ cipher[1], images[0] ^ images[1])


def test_fixed_keying_is_one_map(key, photographs):
    images = np.repeat(photographs.images[:1], 2, axis=0)
    for name in ("pixel-shuffle", "skk", "aes-ecb"):
        scheme = leakage.get_scheme(name)
        fixed, fresh = (scheme.encrypt(images, key, keying=k) for k in ("fixed", "fresh"))
        assert np.array_equal(fixed[0], fixed[1])
        assert not np.array_equal(fresh[0], fresh[1])
        assert np.array_equal(fixed[0], fresh[0])


def test_blur_has_no_way_back(key, photographs):
    scheme = leakage.get_scheme("blur")
    cipher = scheme.encrypt(photographs.images[:2], key)
    assert cipher.std() < photographs.images[:2].std()
    with pytest.raises(ValueError, match="cannot be undone"):
        scheme.decrypt(cipher, key)


def test_table_of_schemes():
    table = leakage.list_schemes()
    assert {name for name, _ in SCHEMES} | {"blur"} <= set(table.index)
    assert table.map(lambda cell: cell != "").to_numpy()[:, [0, 2, 4]].all()
    assert not table.loc["blur", "lossless"]


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
    with pytest.raises(TypeError, match="no parameter 'plane'; it has bits, order"):
        leakage.get_scheme("bitplane", plane=1)
    with pytest.raises(TypeError, match="needs bits"):
        leakage.get_scheme("bitplane")
    with pytest.raises(ValueError, match="order must be"):
        leakage.get_scheme("bitplane", bits=1, order="middle")


@pytest.mark.parametrize(
    ("images", "error", "says"),
    [
        (np.zeros((2, 4, 4)), ValueError, "must be uint8, not float64"),
        (np.zeros((2, 4, 4), np.uint16), ValueError, ">> 8"),
        ([np.zeros((2, 2), np.uint8), np.zeros((3, 3), np.uint8)], ValueError, "differ in shape"),
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


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("bitplane", {"bits": 3, "planes": (7,)}, "not both"),
        ("bitplane", {"planes": (7, 7)}, "different numbers"),
        ("bitplane", {"planes": (8,)}, "from 0 to 7"),
        ("bitplane", {"planes": 3}, "tuple of ints"),
        ("aes-ecb", {"unit": "rows"}, "'pixels' or 'planes'"),
        ("aes-ecb", {"bits": 3}, "unit='planes'"),
        ("region", {"boxes": ((0, 0, 0, 4),)}, "positive sides"),
        ("region", {"mask": np.ones((3, 3))}, "array of bool"),
        ("block-shuffle", {"block": 0}, "positive int"),
        ("etc", {"mode": "gray"}, "'colour' or 'grey'"),
        ("cat-map", {"iterations": 0}, "positive int"),
        ("tpe-sum", {"rounds": 1.5}, "positive int"),
        ("logistic-xor", {"r": 3.2}, "3.57 to 4"),
        ("biased-keystream", {"bias": 1.1}, "from 0 to 1"),
        ("blur", {"sigma": 0}, "must be positive"),
    ],
)
def test_bad_parameters(name, parameters, says):
    with pytest.raises((ValueError, TypeError), match=says):
        leakage.get_scheme(name, **parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("cat-map", {}, "needs square images"),
        ("region", {"boxes": ((0, 0, 9, 3),)}, "ends outside"),
        ("region", {"mask": np.ones((3, 3), bool)}, "make one of the images' size"),
    ],
)
def test_images_that_do_not_fit(name, parameters, says, key):
    with pytest.raises(ValueError, match=says):
        leakage.get_scheme(name, **parameters).encrypt(np.zeros((1, 8, 9), np.uint8), key)


def test_bad_keying(key):
    with pytest.raises(ValueError, match="'fresh' or 'fixed'"):
        leakage.get_scheme("skk").encrypt(np.zeros((1, 8, 8), np.uint8), key, keying="reused")
