"""Permutation-only schemes: every value survives, only its place is hidden.

Li and Lo (2011), and Jolfaei, Wu and Muthukkumarasamy (2016), break all of them with
ceil(log_L(N)) chosen images of N pixels and L grey levels when the permutation is kept.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.base import Scheme
from leakage.schemes.blocks import check_block, map_blocks
from leakage.schemes.keyed_randomness import integers, permutations

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PixelShuffle(Scheme):
    """One keyed permutation of all pixels; the channels of a pixel stay together.

    Examples
    --------
    >>> image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    >>> sorted(PixelShuffle().encrypt(image, bytes(16)).ravel().tolist())
    [0, 1, 2, 3, 4, 5]
    """

    name: ClassVar[str] = "pixel-shuffle"
    family: ClassVar[str] = "permutation"
    reference: ClassVar[str] = "Li and Lo, 2011"
    clear: ClassVar[str] = "the histogram"

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        height, width = image.shape[:2]
        order = permutations(key, self.name, index, 1, height * width)[0]
        return image.reshape(height * width, -1)[order].reshape(image.shape)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        height, width = image.shape[:2]
        order = permutations(key, self.name, index, 1, height * width)[0]
        plain = np.empty((height * width, image.size // (height * width)), np.uint8)
        plain[order] = image.reshape(plain.shape)
        return plain.reshape(image.shape)


@dataclass(frozen=True)
class BlockShuffle(Scheme):
    """A keyed permutation of blocks; incomplete blocks at an edge change places among themselves.

    Parameters
    ----------
    block : int
        Side of a block.
    """

    name: ClassVar[str] = "block-shuffle"
    family: ClassVar[str] = "permutation"
    reference: ClassVar[str] = "Li and Lo, 2011"
    clear: ClassVar[str] = "all blocks, without their places"
    block: int = 8

    def __post_init__(self) -> None:
        check_block(self.block)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return map_blocks(image, self.block, lambda b, part: b[self._order(key, index, part, b)])

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return map_blocks(
            image, self.block, lambda b, part: b[np.argsort(self._order(key, index, part, b))]
        )

    def _order(self, key: bytes, index: int, part: int, blocks: np.ndarray) -> np.ndarray:
        return permutations(key, f"{self.name}/{part}", index, 1, len(blocks))[0]


@dataclass(frozen=True)
class CatMap(Scheme):
    """Arnold's cat map with keyed coefficients, iterated: (x, y) -> (x + a y, b x + (a b + 1) y).

    Square images only. Pixel (0, 0) never moves, and with ``keyed=False`` (a = b = 1) there is no
    key at all: `cat_map_period` iterations bring back the image.

    Parameters
    ----------
    iterations : int
    keyed : bool
        Whether a and b are drawn from the key, each from 1 to N, or both are 1.
    """

    name: ClassVar[str] = "cat-map"
    family: ClassVar[str] = "permutation"
    reference: ClassVar[str] = "Chen, Mao and Chui, 2004"
    clear: ClassVar[str] = "the histogram, and the pixel (0, 0)"
    iterations: int = 10
    keyed: bool = True

    def __post_init__(self) -> None:
        check_iterations(self.iterations)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        y, x = self._places(image, key, index)
        cipher = np.empty_like(image)
        cipher[y, x] = image
        return cipher

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return image[self._places(image, key, index)]

    def _places(self, image: np.ndarray, key: bytes, index: int) -> tuple[np.ndarray, np.ndarray]:
        side = image.shape[0]
        if image.shape[1] != side:
            raise ValueError(
                f"cat-map needs square images, not {side} x {image.shape[1]}; crop them, or use "
                "pixel-shuffle"
            )
        a = b = 1
        if self.keyed:
            a, b = (integers(key, self.name, index, np.array([side, side])) + 1).tolist()
        (p, q), (r, s) = _power(((1, a), (b, a * b + 1)), self.iterations, side)
        y, x = np.mgrid[:side, :side]
        return (r * x + s * y) % side, (p * x + q * y) % side


def check_iterations(iterations: int) -> None:
    """Refuse numbers of iterations that are not a positive integer.

    Examples
    --------
    >>> check_iterations(1)
    """
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise ValueError(f"it takes a positive int of iterations or rounds, not {iterations!r}")


def _power(matrix: Matrix, exponent: int, modulus: int) -> Matrix:
    result: Matrix = ((1, 0), (0, 1))
    while exponent:
        if exponent & 1:
            result = _product(result, matrix, modulus)
        matrix = _product(matrix, matrix, modulus)
        exponent >>= 1
    return result


def _product(m: Matrix, n: Matrix, modulus: int) -> Matrix:
    columns = list(zip(*n, strict=True))
    return tuple(
        tuple(sum(u * v for u, v in zip(row, column, strict=True)) % modulus for column in columns)
        for row in m
    )


def cat_map_period(side: int) -> int:
    """Iterations of the cat map with a = b = 1 after which an image of that side is itself again.

    At most three times the side (Dyson and Falk, 1992).

    Examples
    --------
    >>> [cat_map_period(side) for side in (100, 124, 128, 256, 512)]
    [150, 15, 96, 192, 384]
    """
    if side < 1:
        raise ValueError(f"side must be a positive int, not {side}")
    unit = tuple(tuple(v % side for v in row) for row in ((1, 0), (0, 1)))
    matrix, period = _product(unit, ((1, 1), (1, 2)), side), 1
    while matrix != unit:
        matrix, period = _product(matrix, ((1, 1), (1, 2)), side), period + 1
    return period
