"""The only randomness that a scheme may use: AES in counter mode, keyed by HKDF sub-keys."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral

import numpy as np
from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

KEY_BYTES = 16
#: An image's index fills one half of the 16-byte counter block, the block counter the other:
#: images of up to 2**64 blocks never share a counter block.
MAX_INDEX = 2**64 - 1
#: Bytes of keystream that are made in one call: they stay in the processor's cache.
TOGETHER = 1 << 18


def check_key(key: bytes) -> bytes:
    """Refuse keys that are not `bytes` of at least 16.

    Examples
    --------
    >>> check_key(bytes(16)) == bytes(16)
    True
    """
    if not isinstance(key, bytes | bytearray):
        raise TypeError(
            f"key must be bytes, not {type(key).__name__}; secrets.token_bytes(16) makes one"
        )
    if len(key) < KEY_BYTES:
        raise ValueError(
            f"key has {len(key)} bytes, at least {KEY_BYTES} are needed; "
            "secrets.token_bytes(16) makes one"
        )
    return bytes(key)


def check_index(index: object, count: int = 1) -> int:
    """The index of the first of so many images, as an int: the one check of all that take one.

    Parameters
    ----------
    index : int
        A Python or NumPy integer, which does not wrap here whatever its width.
    count : int
        Images that get `index` and the indices after it.

    Raises
    ------
    TypeError
        No integer: two floats can be two indices in name and one keystream in fact.
    ValueError
        Not in 0..2**64 - 1, or the last image's is not.

    Examples
    --------
    >>> check_index(np.uint8(254), 5) + 4
    258
    """
    if isinstance(index, bool | np.timedelta64) or not isinstance(index, Integral):
        raise TypeError(
            f"an image's index must be an int from 0 to 2**64 - 1, not {type(index).__name__}; "
            "int(...) makes one of a number"
        )
    first = int(index)
    if first < 0 or first + count - 1 > MAX_INDEX:
        last = f" for {count} images" if count > 1 else ""
        raise ValueError(
            f"an image's index must be in 0..2**64 - 1, and the last one's too: {first}{last} is "
            "not; count from 0, and change the key before the indices end"
        )
    return first


def aes_ctr(key: bytes, indices: Sequence[int], length: int, *, first_block: int = 0) -> np.ndarray:
    """Keystreams of AES in counter mode (NIST SP 800-38A, section 6.5), one for each index.

    All come from few calls of the block cipher on counter blocks: a cipher object for each image
    would take longer to make than a small image to encrypt.

    Parameters
    ----------
    key : bytes
        16, 24 or 32 bytes.
    indices : sequence of int
        First halves of the counter blocks, 0 to 2**64 - 1: see `check_index`.
    length : int
        Bytes of each keystream.
    first_block : int
        Second half of the first counter block; of later ones it is one more each.

    Returns
    -------
    ndarray of uint8, shape (len(indices), length)

    Examples
    --------
    The first block of example F.5.1 of the standard:

    >>> key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    >>> aes_ctr(key, [0xF0F1F2F3F4F5F6F7], 16, first_block=0xF8F9FAFBFCFDFEFF).tobytes().hex()
    'ec8cdf7398607cb0f2d21675ea9ea1e4'
    """
    indices = [check_index(index) for index in indices]
    blocks = -(-length // 16)
    check_index(first_block, blocks)
    out = np.empty((len(indices), blocks * 16), np.uint8)
    if not out.size:
        return out
    together = min(len(indices), max(1, TOGETHER // (blocks * 16)))
    counters = np.empty((together, blocks, 2), ">u8")
    counters[..., 1] = np.arange(blocks, dtype=np.uint64) + np.uint64(first_block)
    cipher = AES.new(key, AES.MODE_ECB)
    for start in range(0, len(indices), together):
        rows = out[start : start + together]
        part = counters[: len(rows)]
        part[..., 0] = np.array(indices[start : start + together], np.uint64)[:, None]
        cipher.encrypt(part.reshape(-1).view(np.uint8).data, output=rows.reshape(-1).data)
    return out[:, :length]


def subkey(key: bytes, label: str) -> bytes:
    """A 16-byte key for one purpose (HKDF with SHA-256, RFC 5869; the label is its info field).

    Examples
    --------
    >>> subkey(bytes(16), "bitplane") != subkey(bytes(16), "permutation")
    True
    """
    return _derived(check_key(key), label)


@lru_cache(maxsize=64)  # a set of images asks for the same sub-key again and again
def _derived(key: bytes, label: str) -> bytes:
    return HKDF(key, KEY_BYTES, b"leakage", SHA256, context=label.encode())


def keystreams(key: bytes, label: str, indices: Sequence[int], length: int) -> np.ndarray:
    """Keystream bytes for images of one size.

    Parameters
    ----------
    key : bytes
        Master key, at least 16 bytes.
    label : str
        Purpose: different labels give unrelated keystreams.
    indices : sequence of int
        The images' indices, 0 to 2**64 - 1, which are their nonces.
    length : int
        Number of bytes for each.

    Returns
    -------
    ndarray of uint8, shape (len(indices), length)

    Examples
    --------
    >>> keystreams(bytes(16), "bitplane", [0, 1, 2], 4).shape
    (3, 4)
    """
    return aes_ctr(subkey(key, label), indices, length)


def keystream(key: bytes, label: str, index: int, length: int) -> np.ndarray:
    """Keystream bytes for one image: `keystreams` of one index.

    Returns
    -------
    ndarray of uint8, shape (length,)

    Examples
    --------
    >>> keystream(bytes(16), "bitplane", 0, 4).shape
    (4,)
    """
    return keystreams(key, label, [index], length)[0]


def words(key: bytes, label: str, index: int, count: int) -> np.ndarray:
    """The keystream as 64-bit words, so that no result depends on the machine's byte order.

    Returns
    -------
    ndarray of uint64, shape (count,)

    Examples
    --------
    >>> words(bytes(16), "demo", 0, 2).shape
    (2,)
    """
    return keystream(key, label, index, 8 * count).view("<u8").astype(np.uint64, copy=False)


def permutations(key: bytes, label: str, index: int, count: int, n: int) -> np.ndarray:
    """Permutations of 0..n-1, each drawn uniformly: the order of n random words.

    Equal words would favour some orders, so all are drawn anew when two in a row are equal.

    Returns
    -------
    ndarray of intp, shape (count, n)

    Examples
    --------
    >>> sorted(permutations(bytes(16), "demo", 0, 1, 5)[0].tolist())
    [0, 1, 2, 3, 4]
    """
    drawn = 0
    while True:
        drawn += count * n
        # the last of a longer and longer keystream
        chosen = words(key, label, index, drawn)[drawn - count * n :].reshape(count, n)
        if n <= 256:  # the place in the low byte: sorting is faster than ranking
            ranked = chosen & ~np.uint64(255)
            ranked |= np.arange(n, dtype=np.uint64)
            ranked.sort(axis=1)
            order = ranked.astype(np.uint8).astype(np.intp)
            ranked >>= np.uint64(8)
        else:  # a radix sort on 16 bits a pass: three times as fast for long rows
            digits = chosen.astype("<u8").view("<u2").reshape(count, n, 4)
            order = np.lexsort(np.moveaxis(digits, -1, 0), axis=-1)
            ranked = np.take_along_axis(chosen, order, axis=1)
        if not np.any(ranked[:, 1:] == ranked[:, :-1]):
            return order


def integers(key: bytes, label: str, index: int, bounds: np.ndarray) -> np.ndarray:
    """Integers uniform on 0..bound-1, one for each bound, by rejection.

    Parameters
    ----------
    key, label, index
        As for `keystream`.
    bounds : ndarray of int, any shape
        From 1 to 65,536.

    Returns
    -------
    ndarray of int64, of the shape of `bounds`

    Examples
    --------
    >>> integers(bytes(16), "demo", 0, np.array([1, 1, 1])).tolist()
    [0, 0, 0]
    """
    flat = np.asarray(bounds, np.uint64).ravel()
    # of a bound's multiples, 2**32 mod bound many would favour some integers (Lemire, 2019)
    excess = (1 << 32) % np.arange(1, int(flat.max()) + 1, dtype=np.uint64)
    values = np.zeros(flat.size, np.int64)
    left, used = slice(None), 0
    while True:
        bound = flat[left]
        stream = keystream(key, label, index, 4 * (used + bound.size))[4 * used :]
        used += bound.size
        multiples = stream.view("<u4") * bound
        values[left] = multiples >> np.uint64(32)
        rejected = (multiples & np.uint64(0xFFFFFFFF)) < excess[bound - np.uint64(1)]
        if not rejected.any():
            return values.reshape(np.shape(bounds))
        left = np.arange(flat.size)[left][rejected]


def fair_bits(key: bytes, label: str, index: int, count: int) -> np.ndarray:
    """Fair bits.

    Returns
    -------
    ndarray of uint8, shape (count,)

    Examples
    --------
    >>> set(fair_bits(bytes(16), "demo", 0, 100).tolist())
    {0, 1}
    """
    return np.unpackbits(keystream(key, label, index, -(-count // 8)), count=count)


def nonzero_symbols(key: bytes, label: str, index: int, length: int, bits: int) -> np.ndarray:
    """Symbols uniform on 1..2**bits - 1, by rejection of zeros from the keystream.

    Returns
    -------
    ndarray of uint8, shape (length,)

    Examples
    --------
    >>> set(nonzero_symbols(bytes(16), "demo", 0, 1000, bits=2).tolist())
    {1, 2, 3}
    """
    drawn = 2 * length + 64
    while True:
        # a longer keystream starts with the shorter one, so the result does not depend on `drawn`
        symbols = keystream(key, label, index, drawn) >> (8 - bits)
        symbols = symbols[symbols > 0]
        if len(symbols) >= length:
            return symbols[:length]
        drawn *= 2
