"""Learnable encryption: images that a neural network may still classify."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.base import Scheme
from leakage.schemes.block_scrambling import CHANNEL_ORDERS, UNDO_CHANNEL_ORDERS
from leakage.schemes.blocks import check_block, map_blocks
from leakage.schemes.keyed_randomness import fair_bits, integers, permutations


@dataclass(frozen=True)
class Le(Scheme):
    """Learnable encryption: the half bytes of each block are permuted and some inverted, v -> 15-v.

    All blocks of an image are treated alike. The inversion mask is drawn independently of the
    permutation; in a much-used implementation the former is a function of the latter.

    Parameters
    ----------
    block : int
        Side of a block; 4 in the original, so 96 half bytes of a colour block.
    """

    name: ClassVar[str] = "le"
    family: ClassVar[str] = "learnable"
    reference: ClassVar[str] = "Tanaka, 2018"
    clear: ClassVar[str] = "all blocks up to one permutation and one mask for the whole image"
    block: int = 4

    def __post_init__(self) -> None:
        check_block(self.block)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return map_blocks(
            image,
            self.block,
            lambda blocks, part: _scrambled(
                blocks, *_half_byte_keys(self, key, index, part, blocks, 1)
            ),
        )

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return map_blocks(
            image,
            self.block,
            lambda blocks, part: _unscrambled(
                blocks, *_half_byte_keys(self, key, index, part, blocks, 1)
            ),
        )


@dataclass(frozen=True)
class Ele(Scheme):
    """Extended learnable encryption: blocks change places, then each has half-byte keys of its own.

    Parameters
    ----------
    block : int
        Side of a block.
    """

    name: ClassVar[str] = "ele"
    family: ClassVar[str] = "learnable"
    reference: ClassVar[str] = "Madono, Tanaka, Onishi and Ogawa, 2020"
    clear: ClassVar[str] = "each block up to a permutation and a mask of its half bytes"
    block: int = 4

    def __post_init__(self) -> None:
        check_block(self.block)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            order = permutations(key, f"{self.name}/place/{part}", index, 1, len(blocks))[0]
            keys = _half_byte_keys(self, key, index, part, blocks, len(blocks))
            return _scrambled(blocks[order], *keys)

        return map_blocks(image, self.block, change)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            order = permutations(key, f"{self.name}/place/{part}", index, 1, len(blocks))[0]
            keys = _half_byte_keys(self, key, index, part, blocks, len(blocks))
            plain = np.empty_like(blocks)
            plain[order] = _unscrambled(blocks, *keys)
            return plain

        return map_blocks(image, self.block, change)


def _half_byte_keys(
    scheme: Scheme, key: bytes, index: int, part: int, blocks: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """`count` permutations of a block's half bytes, and as many inversion masks."""
    halves = 2 * blocks[0].size
    order = permutations(key, f"{scheme.name}/order/{part}", index, count, halves)
    mask = fair_bits(key, f"{scheme.name}/mask/{part}", index, count * halves) * np.uint8(15)
    return order, mask.reshape(count, halves)


def _scrambled(blocks: np.ndarray, order: np.ndarray, mask: np.ndarray) -> np.ndarray:
    halves = _half_bytes(blocks)
    return _whole_bytes(halves.ravel()[_flat(order, halves)] ^ mask, blocks.shape)


def _unscrambled(blocks: np.ndarray, order: np.ndarray, mask: np.ndarray) -> np.ndarray:
    halves = _half_bytes(blocks)
    plain = np.empty_like(halves)
    plain.ravel()[_flat(order, halves)] = halves ^ mask
    return _whole_bytes(plain, blocks.shape)


def _flat(order: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Places in the flat array: several times as fast as one index for each axis."""
    return order + np.arange(0, rows.size, rows.shape[1])[:, None]


def _half_bytes(blocks: np.ndarray) -> np.ndarray:
    samples = blocks.reshape(len(blocks), -1)
    return np.concatenate([samples >> 4, samples & 15], axis=1)


def _whole_bytes(halves: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    high, low = np.split(halves, 2, axis=1)
    return (high << 4 | low).reshape(shape)


@dataclass(frozen=True)
class Skk(Scheme):
    """Pixel-based perceptual encryption: every sample is inverted, p -> 255 - p, or not, by a coin.

    Parameters
    ----------
    colour_shuffle : bool
        Also put the three channels of every pixel in one of 6 orders.
    """

    name: ClassVar[str] = "skk"
    family: ClassVar[str] = "learnable"
    reference: ClassVar[str] = "Sirichotedumrong, Kinoshita and Kiya, 2019"
    clear: ClassVar[str] = "min(p, 255 - p) of every sample"
    colour_shuffle: bool = False

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return self._shuffled(self._inverted(image, key, index), key, index, CHANNEL_ORDERS)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        plain = self._shuffled(image, key, index, CHANNEL_ORDERS[UNDO_CHANNEL_ORDERS])
        return self._inverted(plain, key, index)

    def _inverted(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        coins = fair_bits(key, f"{self.name}/inversion", index, image.size)
        return image ^ (coins * np.uint8(255)).reshape(image.shape)

    def _shuffled(
        self, image: np.ndarray, key: bytes, index: int, orders: np.ndarray
    ) -> np.ndarray:
        if not self.colour_shuffle or image.ndim == 2:
            return image
        drawn = integers(key, f"{self.name}/colour", index, np.full(image.shape[:2], 6))
        return np.take_along_axis(image, orders[drawn], axis=-1)
