"""Indices of images: every integer and nothing else, so that no two pictures share keystream."""

import dataclasses
import zlib
from contextlib import contextmanager
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from unittest import mock

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import leakage
from leakage.schemes import JpegCipher, Scheme, decrypt_jpeg, encrypt_jpeg, keyed_randomness
from leakage.schemes.jpeg_coding import compressed
from leakage.schemes.keyed_randomness import MAX_INDEX, aes_ctr, check_index, fair_bits, keystream

REQUIRED = {"bitplane": {"bits": 8}, "nonzero-key": {"bits": 4}}
NAMES = list(leakage.list_schemes().index)
#: Without a keystream, or with one for all images, as they say.
SHARING = {"identity", "blur", "public-keystream", "reused-keystream"}
INTEGERS = [np.dtype(code).type for code in "bBhHiIlLqQ"]
every_scheme = pytest.mark.parametrize("name", NAMES)


class Number(IntEnum):
    SEVEN = 7


def made(name):
    return leakage.get_scheme(name, **REQUIRED.get(name, {}))


def some_images(count):
    return np.random.default_rng(count).integers(0, 256, (count, 16, 16), np.uint8)


@every_scheme
@pytest.mark.parametrize("kind", [*INTEGERS, Number])
def test_every_integer_means_its_value(name, kind, key):
    scheme, images = made(name), some_images(2)
    found = scheme.encrypt(images, key, first_index=kind(7))
    assert np.array_equal(found, scheme.encrypt(images, key, first_index=7))
    if scheme.lossless:
        assert np.array_equal(scheme.decrypt(found, key, first_index=kind(7)), images)


@pytest.mark.parametrize("kind", INTEGERS)
def test_no_width_wraps(kind, key):
    last = np.iinfo(kind).max
    images, scheme = np.zeros((5, 8, 8), np.uint8), made("bitplane")
    first = int(last) - 1
    if first + 4 > MAX_INDEX:
        with pytest.raises(ValueError, match=r"0\.\.2\*\*64 - 1"):
            scheme.encrypt(images, key, first_index=kind(first))
        return
    found = scheme.encrypt(images, key, first_index=kind(first))
    assert np.array_equal(found, scheme.encrypt(images, key, first_index=first))
    assert len({image.tobytes() for image in found}) == 5


NO_INDEX = {
    "float": (2.0**60, TypeError), "whole float": (1.0, TypeError), "nan": (np.nan, TypeError),
    "float32": (np.float32(1), TypeError), "bool": (True, TypeError),
    "numpy bool": (np.True_, TypeError), "text": ("1", TypeError), "bytes": (b"1", TypeError),
    "None": (None, TypeError), "list": ([1], TypeError), "array": (np.array([1, 2]), TypeError),
    "0-d float array": (np.array(1.0), TypeError), "decimal": (Decimal(1), TypeError),
    "fraction": (Fraction(1), TypeError), "complex": (1 + 0j, TypeError),
    "duration": (np.timedelta64(1), TypeError), "time": (np.datetime64(1, "s"), TypeError),
    "negative": (-1, ValueError), "negative int8": (np.int8(-1), ValueError),
    "too large": (2**64, ValueError), "far too large": (10**40, ValueError),
    "the last one too large": (2**64 - 1, ValueError),
}  # fmt: skip


@pytest.mark.parametrize(("index", "error"), NO_INDEX.values(), ids=NO_INDEX)
def test_what_is_no_index_is_refused_by_all_that_take_one(index, error, key):
    images = some_images(2)
    with pytest.raises(error, match=r"2\*\*64 - 1"):
        check_index(index, 2)
    for name in NAMES:
        for does in (made(name).encrypt, made(name).decrypt):
            with pytest.raises(error, match=r"2\*\*64 - 1"):
                does(images, key, first_index=index)
    with pytest.raises(error, match=r"2\*\*64 - 1"):
        leakage.metrics.differential(made("bitplane"), images, key, first_index=index)


@pytest.mark.parametrize("index", [2.0**60, True, None, -1, 2**64, "0", np.float64(3)])
def test_one_index_alone_is_checked_too(index, key):
    file = compressed(some_images(1)[0], 75)
    cipher, scheme = encrypt_jpeg(file, key, made("p3"), index=np.uint8(3)), made("p3")
    assert decrypt_jpeg(cipher, key, scheme, index=3) == decrypt_jpeg(
        cipher, key, scheme, index=np.int64(3)
    )
    for call in (
        lambda: encrypt_jpeg(file, key, scheme, index=index),
        lambda: decrypt_jpeg(cipher, key, scheme, index=index),
        lambda: keystream(key, "a", index, 16),
        lambda: fair_bits(key, "a", index, 16),
        lambda: aes_ctr(key, [0, index], 16),
    ):
        with pytest.raises((TypeError, ValueError), match=r"2\*\*64 - 1"):
            call()


def test_a_fixed_index_may_be_the_last(key):
    images = some_images(3)
    cipher = made("bitplane").encrypt(images, key, first_index=MAX_INDEX, keying="fixed")
    assert len({(c ^ i).tobytes() for c, i in zip(cipher, images, strict=True)}) == 1
    with pytest.raises(ValueError, match="for 3 images"):
        made("bitplane").encrypt(images, key, first_index=MAX_INDEX - 1)


def test_counter_blocks_do_not_wrap():
    with pytest.raises(ValueError, match=r"2\*\*64 - 1"):
        aes_ctr(bytes(16), [0], 17, first_block=MAX_INDEX)


@contextmanager
def recorded():
    """Every use of AES: under which key, and at which counters."""
    used = set()

    def record(key, indices, length, *, first_block=0):
        used.update((bytes(key), int(index)) for index in indices if length)
        return aes_ctr(key, indices, length, first_block=first_block)

    with mock.patch.object(keyed_randomness, "aes_ctr", record):
        yield used


@every_scheme
@hypothesis.given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    first=st.integers(0, 255) | st.integers(2**32 - 3, 2**32) | st.just(MAX_INDEX - 15),
    data=st.data(),
)
@hypothesis.settings(max_examples=8, deadline=None, derandomize=True)
def test_two_pictures_never_share_keystream(name, sizes, first, data):
    """However a set is split into batches, and whatever integers count them."""
    if name in SHARING:
        pytest.skip("has one keystream for all, as it says, or none")
    fitting = [kind for kind in (*INTEGERS, int) if kind is int or np.iinfo(kind).max >= first]
    scheme, image, key = made(name), some_images(1), bytes(range(16))
    owner = {}
    at = data.draw(st.sampled_from(fitting))(first)
    for size in sizes:
        with recorded() as together:
            scheme.encrypt(np.repeat(image, size, axis=0), key, first_index=at)
        alone = set()
        for i in range(int(at), int(at) + size):
            with recorded() as used:
                scheme.encrypt(image, key, first_index=i)
            assert used, "no keystream was drawn"
            for block in used:
                assert owner.setdefault(block, i) == i, "two pictures share keystream"
            alone |= used
        assert together == alone, "a batch draws what its images draw"
        at = int(at) + size


@dataclasses.dataclass(frozen=True)
class Keyed(Scheme):
    """As a user writes it, with a key as a field."""

    name = "keyed"
    family = reference = clear = "a user's own"
    secret: bytes = b"do not print me"

    def _encrypt(self, image, key, index):
        return image

    _decrypt = _encrypt


@dataclasses.dataclass(frozen=True)
class KeyedPlane(type(made("bitplane"))):
    """One of ours, with a key added."""

    secret: bytes = b"do not print me"


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted(Keyed):
    other: str = "do not print me"


class Telling(Keyed):
    def __repr__(self):
        return f"Telling({self.secret})"


@pytest.mark.parametrize("scheme", [Keyed(), KeyedPlane(bits=3), Slotted(), Telling()])
def test_no_field_of_a_users_class_is_printed(scheme, key):
    printed = [repr(scheme), str(scheme), f"{scheme}", repr([scheme]), repr({"scheme": scheme})]
    for call in (
        lambda: leakage.exact_leakage(scheme, some_images(2)),
        lambda: encrypt_jpeg(compressed(some_images(1)[0], 75), key, scheme),
        lambda: leakage.truth.scenes.noisy_scenes(scheme, draws=10),
    ):
        try:
            call()
        except (TypeError, ValueError) as error:
            printed.append(str(error))
    assert not [text for text in printed if "do not" in text]
    assert all(type(scheme).__name__ in text for text in printed[:3])


def test_a_class_that_is_no_scheme_is_not_printed_either(key):
    @dataclasses.dataclass
    class Other:
        secret: bytes = b"do not print me"

    for call in (
        lambda: leakage.metrics.differential(Other(), some_images(2), key),
        lambda: leakage.exact_leakage(Other(), some_images(2)),
        lambda: encrypt_jpeg(compressed(some_images(1)[0], 75), key, Other()),
    ):
        with pytest.raises((TypeError, ValueError), match="Other") as caught:
            call()
        assert "do not" not in str(caught.value)


def test_parameters_of_our_own_are_printed():
    assert repr(made("bitplane")) == "BitPlane(bits=8, order='msb', planes=None, packed=False)"
    assert repr(made("identity")) == "Identity()"


def peak_of(call):
    """Bytes that a call took at most; Python's own memory, in which zlib unpacks."""
    import tracemalloc

    tracemalloc.start()
    try:
        call()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "plain",
    [bytes(2**27), bytes(3 * 2 * 256 + 1), b"short"],
    ids=["a bomb", "a byte too long", "too short"],  # not the bytes: half a gigabyte
)
def test_a_bomb_in_the_secret_part_is_refused_in_little_memory(plain, key):
    scheme = made("p3")
    cipher = encrypt_jpeg(compressed(some_images(1)[0], 75), key, scheme)
    packed = zlib.compress(plain)
    del plain
    bomb = JpegCipher(cipher.data, scheme._masked(packed, key, 0), 0.0)

    def refused():
        with pytest.raises(ValueError, match="does not belong"):
            decrypt_jpeg(bomb, key, scheme)

    assert peak_of(refused) < 2**20


@pytest.mark.parametrize("more", [b"\0", b"more", zlib.compress(b"more")])
def test_the_secret_part_is_one_stream_and_whole(more, key):
    scheme = made("p3")
    cipher = encrypt_jpeg(compressed(some_images(1)[0], 75), key, scheme)
    packed = scheme._masked(cipher.side, key, 0)
    for wrong in (packed + more, packed[:-1], packed[: len(packed) // 2]):
        side = scheme._masked(wrong, key, 0)
        with pytest.raises(ValueError, match="does not belong"):
            decrypt_jpeg(JpegCipher(cipher.data, side, 0.0), key, scheme)
