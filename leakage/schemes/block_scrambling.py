"""Encryption then compression: whole blocks are moved, turned, inverted and recoloured."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from leakage.arguments import check_one_of
from leakage.schemes.base import Scheme
from leakage.schemes.blocks import Change, check_block, map_blocks
from leakage.schemes.keyed_randomness import fair_bits, integers, permutations

#: The orders of three channels; entry i undoes entry UNDO_CHANNEL_ORDERS[i].
CHANNEL_ORDERS = np.array([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
UNDO_CHANNEL_ORDERS = np.array([0, 1, 2, 4, 3, 5])


@dataclass(frozen=True)
class Etc(Scheme):
    """Block scrambling that JPEG still compresses: four keyed steps on every block.

    (1) Blocks change places. (2) Each is turned and mirrored: 8 distinct results, 4 for the oblong
    blocks at an edge. (3) Half of them are inverted, p -> 255 - p, all channels together. (4) The
    channels of each are put in one of 6 orders.

    Parameters
    ----------
    block : int
        Side of a block: 16 for JPEG with 4:2:0 subsampling, 8 for 4:4:4 and for grey.
    mode : {"colour", "grey"}
        ``"grey"`` treats the channels of a colour image as one large grey image (Chuman,
        Sirichotedumrong and Kiya, 2019): blocks move between channels, and step 4 falls away.

    Examples
    --------
    >>> image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    >>> scheme = Etc(block=2)
    >>> np.array_equal(scheme.decrypt(scheme.encrypt(image, bytes(16)), bytes(16)), image)
    True
    """

    name: ClassVar[str] = "etc"
    family: ClassVar[str] = "encryption then compression"
    reference: ClassVar[str] = "Kurihara, Kikuchi, Imaizumi, Shiota and Kiya, 2015"
    clear: ClassVar[str] = "all blocks, but for place, orientation, inversion and order of colours"
    block: int = 16
    mode: Literal["colour", "grey"] = "colour"

    def __post_init__(self) -> None:
        check_block(self.block)
        check_one_of("mode", self.mode, ("colour", "grey"))

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            steps = _Steps(key, f"{self.name}/{part}", index, blocks)
            blocks = _oriented(blocks[steps.order], steps.orientations)
            blocks = blocks ^ steps.inversions
            return _recoloured(blocks, CHANNEL_ORDERS[steps.colours])

        return self._map(image, change)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        def change(blocks: np.ndarray, part: int) -> np.ndarray:
            steps = _Steps(key, f"{self.name}/{part}", index, blocks)
            blocks = _recoloured(blocks, CHANNEL_ORDERS[UNDO_CHANNEL_ORDERS[steps.colours]])
            blocks = blocks ^ steps.inversions
            plain = np.empty_like(blocks)
            plain[steps.order] = _oriented(blocks, steps.orientations, undo=True)
            return plain

        return self._map(image, change)

    def _map(self, image: np.ndarray, change: Change) -> np.ndarray:
        if self.mode == "colour" or image.ndim == 2:
            return map_blocks(image, self.block, change)

        def grey(blocks: np.ndarray, part: int) -> np.ndarray:
            n, high, wide, channels = blocks.shape
            planes = np.moveaxis(blocks, -1, 0).reshape(channels * n, high, wide, 1)
            return np.moveaxis(change(planes, part).reshape(channels, n, high, wide), 0, -1)

        return map_blocks(image, self.block, grey)


class _Steps:
    """What the key decides for the blocks of one part."""

    def __init__(self, key: bytes, label: str, index: int, blocks: np.ndarray):
        n, high, wide, _ = blocks.shape
        self.order = permutations(key, f"{label}/place", index, 1, n)[0]
        kinds = np.full(n, 8 if high == wide else 4)
        self.orientations = integers(key, f"{label}/orientation", index, kinds)
        inverted = fair_bits(key, f"{label}/inversion", index, n)
        self.inversions = (inverted * np.uint8(255))[:, None, None, None]
        self.colours = integers(key, f"{label}/colour", index, np.full(n, 6))


def _oriented(blocks: np.ndarray, orientations: np.ndarray, undo: bool = False) -> np.ndarray:
    """Bit 0 mirrors the columns, bit 1 the rows, bit 2 then exchanges rows and columns."""
    blocks = blocks.copy()

    def exchange() -> None:
        chosen = orientations & 4 > 0
        if chosen.any():  # oblong blocks never are
            blocks[chosen] = blocks[chosen].swapaxes(1, 2)

    if undo:
        exchange()
    blocks[orientations & 1 > 0] = blocks[orientations & 1 > 0][:, :, ::-1]
    blocks[orientations & 2 > 0] = blocks[orientations & 2 > 0][:, ::-1]
    if not undo:
        exchange()
    return blocks


def _recoloured(blocks: np.ndarray, orders: np.ndarray) -> np.ndarray:
    if blocks.shape[-1] != 3:
        return blocks
    return np.take_along_axis(blocks, orders[:, None, None, :], axis=-1)
