"""Thumbnail-preserving encryption: the mean of every block survives, its detail does not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.base import Scheme
from leakage.schemes.blocks import check_block, map_blocks
from leakage.schemes.keyed_randomness import integers, permutations
from leakage.schemes.permutations import check_iterations


@dataclass(frozen=True)
class TpeShuffle(Scheme):
    """The samples of each block and channel are permuted: the block's histogram stays.

    Parameters
    ----------
    block : int
        Side of a block.
    """

    name: ClassVar[str] = "tpe-shuffle"
    family: ClassVar[str] = "thumbnail-preserving"
    reference: ClassVar[str] = "Wright, Feng and Liu, 2015"
    clear: ClassVar[str] = "the histogram of every block and channel"
    block: int = 16

    def __post_init__(self) -> None:
        check_block(self.block)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            rows, shape = _rows(blocks)
            return _blocks(np.take_along_axis(rows, self._order(key, index, part, rows), 1), shape)

        return map_blocks(image, self.block, change)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            rows, shape = _rows(blocks)
            plain = np.empty_like(rows)
            np.put_along_axis(plain, self._order(key, index, part, rows), rows, axis=1)
            return _blocks(plain, shape)

        return map_blocks(image, self.block, change)

    def _order(self, key: bytes, index: int, part: int, rows: np.ndarray) -> np.ndarray:
        return permutations(key, f"{self.name}/{part}", index, *rows.shape)


@dataclass(frozen=True)
class TpeSum(Scheme):
    """The sum of each block and channel stays exactly, and ideally nothing else.

    Each round permutes the places of a block (alike in all blocks of the image), then moves every
    neighbouring pair (a, b) by a keyed amount along the pairs of bytes with the sum a + b.

    Parameters
    ----------
    block : int
        Side of a block.
    rounds : int
        Every round halves, on average, what a sample's expected value keeps of its own
        deviation from the block's mean.
    """

    name: ClassVar[str] = "tpe-sum"
    family: ClassVar[str] = "thumbnail-preserving"
    reference: ClassVar[str] = (
        "Tajik, Gunasekaran, Dutta, Ellis, Bobba, Rosulek, Wright and Feng, 2019"
    )
    clear: ClassVar[str] = "the sum of every block and channel"
    block: int = 16
    rounds: int = 32

    def __post_init__(self) -> None:
        check_block(self.block)
        check_iterations(self.rounds)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            rows, shape = _rows(blocks)
            for turn in range(self.rounds):
                label = f"{self.name}/{part}/{turn}"
                rows = _moved(rows[:, _places(key, label, index, rows)], key, label, index, +1)
            return _blocks(rows, shape)

        return map_blocks(image, self.block, change)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            rows, shape = _rows(blocks)
            for turn in reversed(range(self.rounds)):
                label = f"{self.name}/{part}/{turn}"
                rows = _moved(rows, key, label, index, -1)
                rows = rows[:, np.argsort(_places(key, label, index, rows))]
            return _blocks(rows, shape)

        return map_blocks(image, self.block, change)


def _rows(blocks: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """One row for each block and channel, and the shape to go back to."""
    planes = np.moveaxis(blocks, -1, 1)
    return planes.reshape(planes.shape[0] * planes.shape[1], -1), planes.shape


def _blocks(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.moveaxis(rows.reshape(shape), 1, -1)


def _places(key: bytes, label: str, index: int, rows: np.ndarray) -> np.ndarray:
    return permutations(key, f"{label}/place", index, 1, rows.shape[1])[0]


def _moved(rows: np.ndarray, key: bytes, label: str, index: int, sign: int) -> np.ndarray:
    pairs = rows.shape[1] // 2  # of an odd number the last one rests this round
    if not pairs:
        return rows
    first, second = (rows[:, i : 2 * pairs : 2].astype(np.int16) for i in (0, 1))
    total = first + second
    least = np.maximum(total - 255, 0)
    count = np.minimum(total, 255) - least + 1
    step = integers(key, f"{label}/pair", index, count).astype(np.int16)
    rank = first - least + sign * step
    moved = least + np.where(rank >= count, rank - count, np.where(rank < 0, rank + count, rank))
    out = rows.copy()
    out[:, 0 : 2 * pairs : 2] = moved
    out[:, 1 : 2 * pairs : 2] = total - moved
    return out
