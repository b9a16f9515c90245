import numpy as np
import pytest
from scipy.stats import chisquare

from leakage.keystream import MAX_INDEX, aes_ctr, keystream, nonzero_symbols, subkey

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
    stream = aes_ctr(bytes.fromhex(key), bytes(range(0xF0, 0x100)), 64)
    cipher = bytes(a ^ b for a, b in zip(bytes.fromhex(PLAIN), stream, strict=True))
    assert cipher.hex() == VECTORS[key]


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
