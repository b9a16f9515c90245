"""Bit-plane encryption: some bit planes of every sample are XORed with a keystream.

Podesser, Schmidt and Uhl (2002) proposed it; Messadi, Cervia and Itier (2025) measure it.
"""

import operator
from dataclasses import dataclass
from typing import ClassVar, Literal, SupportsIndex

import numpy as np

from leakage.arguments import check_one_of
from leakage.schemes.base import Scheme
from leakage.schemes.keyed_randomness import TOGETHER, fair_bits, keystreams, nonzero_symbols


def check_bits(bits: SupportsIndex) -> int:
    """Refuse numbers of planes that are not an integer from 0 to 8.

    Examples
    --------
    >>> check_bits(3)
    3
    """
    try:
        if isinstance(bits, bool | np.bool_):
            raise TypeError
        bits = operator.index(bits)
    except TypeError:
        raise TypeError(f"bits must be an int from 0 to 8, not {bits!r}") from None
    if not 0 <= bits <= 8:
        raise ValueError(f"bits must be from 0 (nothing encrypted) to 8 (everything), not {bits}")
    return bits


def _check_planes(planes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        found = tuple(operator.index(plane) for plane in planes)
    except TypeError:
        raise TypeError(f"planes must be a tuple of ints, like (7, 6), not {planes!r}") from None
    if len(set(found)) < len(found) or not set(found) <= set(range(8)):
        raise ValueError(f"planes must be different numbers from 0 to 7, not {planes!r}")
    return tuple(sorted(found, reverse=True))


@dataclass(frozen=True)
class BitPlane(Scheme):
    """XOR of some planes with a uniform AES-CTR keystream.

    One keystream byte a sample, masked: the encrypted bits of a level are those of the level below
    and one plane more, so curves over `bits` are paired. ``bits=8`` is full encryption.

    Parameters
    ----------
    bits : int, optional
        Number of encrypted planes, 0 to 8. Left out when `planes` is given.
    order : {"msb", "lsb"}
        Which planes come first, the most or the least significant.
    planes : tuple of int, optional
        Any set of planes instead, 7 the most and 0 the least significant.
    packed : bool
        Take only as many keystream bits as there are bits to encrypt, most significant first. It
        costs less AES, but levels do not nest.

    Examples
    --------
    >>> image = np.full((1, 1, 4), 0b10110101, np.uint8)
    >>> encrypted = BitPlane(bits=3).encrypt(image, bytes(16))
    >>> [f"{value & 0b11111:05b}" for value in encrypted.ravel().tolist()]
    ['10101', '10101', '10101', '10101']
    >>> f"{BitPlane(planes=(7, 0)).mask:08b}"
    '10000001'
    """

    name: ClassVar[str] = "bitplane"
    family: ClassVar[str] = "bit planes"
    reference: ClassVar[str] = "Podesser, Schmidt and Uhl, 2002"
    clear: ClassVar[str] = "the planes that are not encrypted"
    bits: int | None = None
    order: Literal["msb", "lsb"] = "msb"
    planes: tuple[int, ...] | None = None
    packed: bool = False

    def __post_init__(self) -> None:
        if (self.bits is None) == (self.planes is None):
            raise TypeError(
                "bitplane needs bits=0..8, the number of encrypted bit planes, or planes=(7, ...), "
                "which ones, and not both"
            )
        check_one_of("order", self.order, ("msb", "lsb"))
        if self.bits is not None:
            object.__setattr__(self, "bits", check_bits(self.bits))
        if self.planes is not None:
            object.__setattr__(self, "planes", _check_planes(self.planes))

    @property
    def mask(self) -> int:
        """The encrypted planes as a byte."""
        if self.bits is None:
            return sum(1 << plane for plane in self.planes or ())
        full = (1 << self.bits) - 1
        return full << (8 - self.bits) if self.order == "msb" else full

    def _encrypt_all(self, images: np.ndarray, key: bytes, indices: list[int]) -> np.ndarray:
        if self.packed:
            return super()._encrypt_all(images, key, indices)
        flat = images.reshape(len(images), -1)
        out = np.empty(flat.shape, np.uint8)
        few = max(1, TOGETHER // flat.shape[1])
        for start in range(0, len(flat), few):
            part = slice(start, start + few)
            stream = keystreams(key, self.name, indices[part], flat.shape[1])
            stream &= np.uint8(self.mask)
            np.bitwise_xor(stream, flat[part], out=out[part])
        return out.reshape(images.shape)

    _decrypt_all = _encrypt_all

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        if not self.packed:
            return self._encrypt_all(image[None], key, [index])[0]
        positions = [plane for plane in range(7, -1, -1) if self.mask >> plane & 1]
        stream = fair_bits(key, self.name, index, image.size * len(positions))
        stream = stream.reshape(*image.shape, len(positions))
        encrypted = image.copy()
        for i, plane in enumerate(positions):
            encrypted ^= stream[..., i] << np.uint8(plane)
        return encrypted

    _decrypt = _encrypt


@dataclass(frozen=True)
class NonzeroKey(Scheme):
    """XOR of the `bits` most significant planes with a key that is never zero. Flawed on purpose.

    Excluding the zero key "so that every pixel changes" tells the reader of the ciphertext one
    value that the plaintext is not. At one bit the key is always 1: the plane is complemented and
    nothing is encrypted. We infer from the mean grey levels of its panels that the figure of
    Messadi, Cervia and Itier (2025) was made this way.

    Parameters
    ----------
    bits : int
        Number of planes, 0 to 8.

    Examples
    --------
    >>> NonzeroKey(bits=1).encrypt(np.array([[[0, 127, 128]]], np.uint8), bytes(16)).tolist()
    [[[128, 255, 0]]]
    """

    name: ClassVar[str] = "nonzero-key"
    family: ClassVar[str] = "bit planes"
    reference: ClassVar[str] = "inferred from Messadi, Cervia and Itier, 2025"
    clear: ClassVar[str] = "the other planes, and one value that each symbol is not"
    bits: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", check_bits(self.bits))

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        if self.bits == 0:
            return image.copy()
        symbols = nonzero_symbols(key, self.name, index, image.size, self.bits)
        return image ^ (symbols.reshape(image.shape) << np.uint8(8 - self.bits))

    _decrypt = _encrypt
