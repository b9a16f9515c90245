"""The only randomness that a scheme may use: AES in counter mode, keyed by HKDF sub-keys."""

import numpy as np
from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

KEY_BYTES = 16
#: An image's index fills one half of the 16-byte counter block, the block counter the other:
#: images of up to 2**64 blocks never share a counter block.
MAX_INDEX = 2**64 - 1


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


def aes_ctr(key: bytes, counter_block: bytes, length: int) -> bytes:
    """Keystream of AES in counter mode (NIST SP 800-38A, section 6.5).

    Parameters
    ----------
    key : bytes
        16, 24 or 32 bytes.
    counter_block : bytes
        The first counter block, 16 bytes; incremented as one big-endian integer.
    length : int
        Number of keystream bytes.

    Examples
    --------
    The first block of example F.5.1 of the standard:

    >>> key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    >>> aes_ctr(key, bytes(range(0xF0, 0x100)), 16).hex()
    'ec8cdf7398607cb0f2d21675ea9ea1e4'
    """
    cipher = AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=counter_block)
    return cipher.encrypt(bytes(length))


def subkey(key: bytes, label: str) -> bytes:
    """A 16-byte key for one purpose (HKDF with SHA-256, RFC 5869; the label is its info field).

    Examples
    --------
    >>> subkey(bytes(16), "bitplane") != subkey(bytes(16), "permutation")
    True
    """
    return HKDF(check_key(key), KEY_BYTES, b"leakage", SHA256, context=label.encode())


def keystream(key: bytes, label: str, index: int, length: int) -> np.ndarray:
    """Keystream bytes for one image.

    Parameters
    ----------
    key : bytes
        Master key, at least 16 bytes.
    label : str
        Purpose: different labels give unrelated keystreams.
    index : int
        The image's index, 0 to 2**64 - 1, which is its nonce.
    length : int
        Number of bytes.

    Returns
    -------
    ndarray of uint8, shape (length,)

    Examples
    --------
    >>> keystream(bytes(16), "bitplane", 0, 4).shape
    (4,)
    """
    if not 0 <= index <= MAX_INDEX:
        raise ValueError(f"image index must be in 0..2**64 - 1, not {index}")
    counter_block = int(index).to_bytes(8, "big") + bytes(8)
    return np.frombuffer(aes_ctr(subkey(key, label), counter_block, length), np.uint8)


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
