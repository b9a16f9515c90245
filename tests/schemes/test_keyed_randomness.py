import hashlib
import hmac

import numpy as np
import pytest
from Crypto.Cipher import AES
from scipy.stats import chisquare

from leakage.schemes.keyed_randomness import (
    MAX_INDEX,
    aes_ctr,
    fair_bits,
    integers,
    keystream,
    keystreams,
    nonzero_symbols,
    permutations,
    subkey,
)

PLAIN = (
    "6bc1bee22e409f96e93d7e117393172a" "ae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52ef" "f69f2445df4f9b17ad2b417be66c3710"
)  # fmt: skip
# NIST SP 800-38A, F.5.1, F.5.3, F.5.5: key and ciphertext of AES-128, -192, -256 in counter mode
VECTORS = {
    "2b7e151628aed2a6abf7158809cf4f3c": (
        "874d6191b620e3261bef6864990db6ce" "9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab" "1e031dda2fbe03d1792170a0f3009cee"
    ),
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b": (
        "1abc932417521ca24f2b0459fe7e6e0b" "090339ec0aa6faefd5ccc2c6f4ce8e94"
        "1e36b26bd1ebc670d1bd1d665620abf7" "4f78a7f6d29809585a97daec58c6b050"
    ),
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4": (
        "601ec313775789a5b7a7f504bbf3d228" "f443e3ca4d62b59aca84e990cacaf5c5"
        "2b0930daa23de94ce87017ba2d84988d" "dfc9c58db67aada613c2dd08457941a6"
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", VECTORS)
def test_sp_800_38a(key):
    index, first_block = (int.from_bytes(range(a, a + 8)) for a in (0xF0, 0xF8))
    stream = aes_ctr(bytes.fromhex(key), [index], 64, first_block=first_block)[0]
    cipher = bytes(a ^ b for a, b in zip(bytes.fromhex(PLAIN), stream.tolist(), strict=True))
    assert cipher.hex() == VECTORS[key]


@pytest.mark.parametrize("length", [1, 16, 1000, 70_000, 600_000])
def test_many_keystreams_are_the_library_s_counter_mode(key, length):
    indices = [0, 1, 2**40, 7, MAX_INDEX]
    for row, index in zip(keystreams(key, "a", indices, length), indices, strict=True):
        start = index.to_bytes(8, "big") + bytes(8)
        peer = AES.new(subkey(key, "a"), AES.MODE_CTR, nonce=b"", initial_value=start)
        assert row.tobytes() == peer.encrypt(bytes(length))
    assert keystreams(key, "a", [], 16).shape == (0, 16)


def test_shorter_is_a_prefix(key):
    assert np.array_equal(keystream(key, "a", 3, 100), keystream(key, "a", 3, 1000)[:100])


def test_no_two_images_share_keystream(key):
    """No 16-byte block occurs twice over images, labels and keys (chance: about 1e-31)."""
    streams = [
        keystream(k, label, index, 4096).tobytes()
        for k in (key, key[::-1])
        for label in ("a", "b")
        for index in (0, 1, 2, 255, 256, MAX_INDEX)
    ]  # fmt: skip
    blocks = [s[i : i + 16] for s in streams for i in range(0, len(s), 16)]
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize("bits", range(1, 9))
def test_nonzero_symbols_are_uniform(key, bits):
    """False alarms: 0.001 a level."""
    symbols = nonzero_symbols(key, "a", 0, 50_000, bits)
    counts = np.bincount(symbols, minlength=1 << bits)
    assert counts[0] == 0
    assert len(counts) == 1 << bits
    assert bits == 1 or chisquare(counts[1:]).pvalue > 0.001


def test_nonzero_symbols_do_not_depend_on_length(key):
    short, long = (nonzero_symbols(key, "a", 0, n, 2) for n in (10, 10_000))
    assert np.array_equal(short, long[:10])


@pytest.mark.parametrize(
    ("bad", "error"), [("sixteen letters!", TypeError), (None, TypeError), (bytes(15), ValueError)]
)
def test_bad_keys(bad, error):
    with pytest.raises(error, match=r"secrets\.token_bytes"):
        subkey(bad, "a")


@pytest.mark.parametrize("index", [-1, MAX_INDEX + 1])
def test_bad_index(key, index):
    with pytest.raises(ValueError, match="index"):
        keystream(key, "a", index, 16)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2, for up to 255 x 32 bytes."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    output = block = b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.new(extracted, block + info + bytes([counter]), hashlib.sha256).digest()
        output += block
    return output[:length]


def test_rfc_5869(key):
    """The standard's first test case fixes our HKDF, which fixes the sub-keys."""
    output = hkdf(bytes([0x0B] * 22), bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    assert output.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    assert subkey(key, "bitplane") == hkdf(key, b"leakage", b"bitplane", 16)


@pytest.mark.parametrize(("count", "n"), [(1, 1), (7, 3), (2, 256), (2, 257), (1, 70_000)])
def test_permutations_are_permutations(count, n, key):
    orders = permutations(key, "a", 1, count, n)
    assert orders.shape == (count, n)
    assert np.array_equal(np.sort(orders, axis=1), np.tile(np.arange(n), (count, 1)))
    assert n < 3 or not np.array_equal(orders, permutations(key, "a", 2, count, n))


def test_permutations_are_uniform(key):
    """All 24 orders of four, and where 300 values go; false alarms: 0.001 each."""
    orders = permutations(key, "a", 0, 24_000, 4)
    codes = orders @ np.array([64, 16, 4, 1])
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > 0.001
    places = permutations(key, "b", 0, 3000, 300)[:, 17]
    assert chisquare(np.bincount(places, minlength=300)).pvalue > 0.001


@pytest.mark.parametrize("bound", [1, 2, 3, 6, 200, 256, 65_536])
def test_integers_are_uniform(bound, key):
    """False alarms: 0.001 a bound."""
    drawn = integers(key, "a", 0, np.full((100, 300), bound))
    assert drawn.shape == (100, 300)
    counts = np.bincount(drawn.ravel() * min(bound, 300) // bound, minlength=min(bound, 300))
    assert len(counts) == min(bound, 300)
    expected = np.bincount(np.arange(bound) * min(bound, 300) // bound) * drawn.size / bound
    assert bound == 1 or chisquare(counts, expected).pvalue > 0.001


def test_integers_reject_what_would_favour_some(monkeypatch, key):
    """A word of zeros is rejected for 3 (2**32 = 1 mod 3), and the next one is taken."""
    stream = np.array([0, 0x80000000], "<u4").view(np.uint8)
    monkeypatch.setattr(
        "leakage.schemes.keyed_randomness.keystream", lambda *args: stream[: args[-1]]
    )
    assert integers(key, "a", 0, np.array([3])).tolist() == [1]
    assert integers(key, "a", 0, np.array([4])).tolist() == [0]


def test_fair_bits(key):
    """Ten thousand bits; false alarms: 6e-7 (five standard deviations)."""
    assert abs(fair_bits(key, "a", 0, 10_001).mean() - 0.5) < 0.025
