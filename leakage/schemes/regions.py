"""Region of interest: only chosen pixels are encrypted."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.base import Scheme
from leakage.schemes.bit_planes import check_bits
from leakage.schemes.keyed_randomness import keystream


@dataclass(frozen=True, eq=False)
class Region(Scheme):
    """XOR of the `bits` most significant planes inside a region.

    The keystream goes by the place in the whole image, so that moving the region never uses it
    twice. The region itself is public: its place and shape leak.

    Parameters
    ----------
    boxes : tuple of (top, left, height, width), optional
        In pixels. Without boxes and mask the region is the middle half of each side.
    mask : ndarray of bool, shape (H, W), optional
        Any other region, of the images' size.
    bits : int
        Number of encrypted planes inside.

    Examples
    --------
    >>> image = np.zeros((1, 2, 4), np.uint8)
    >>> Region(boxes=((0, 1, 2, 2),)).encrypt(image, bytes(16))[0, :, [0, 3]].any()
    np.False_
    """

    name: ClassVar[str] = "region"
    family: ClassVar[str] = "region of interest"
    reference: ClassVar[str] = "Rodrigues, Puech and Bors, 2006"
    clear: ClassVar[str] = "everything outside, and the place of the region"
    boxes: tuple[tuple[int, int, int, int], ...] | None = None
    mask: np.ndarray | None = None
    bits: int = 8

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.boxes is not None and self.mask is not None:
            raise TypeError("give boxes or a mask, not both")
        if self.mask is not None and (self.mask.dtype != bool or self.mask.ndim != 2):
            raise ValueError("mask must be an array of bool, shape (H, W)")
        for box in self.boxes or ():
            if len(box) != 4 or min(box) < 0 or min(box[2:]) < 1:
                raise ValueError(
                    f"a box is (top, left, height, width) in pixels with positive sides, not {box}"
                )

    def inside(self, height: int, width: int) -> np.ndarray:
        """The region in an image of that size.

        Returns
        -------
        ndarray of bool, shape (height, width)

        Examples
        --------
        >>> int(Region().inside(8, 8).sum())
        16
        """
        if self.mask is not None:
            if self.mask.shape != (height, width):
                raise ValueError(
                    f"the mask is {self.mask.shape}, the images are {(height, width)}; "
                    "make one of the images' size"
                )
            return self.mask
        chosen = np.zeros((height, width), bool)
        for top, left, high, wide in self.boxes or (_middle(height, width),):
            if top + high > height or left + wide > width:
                raise ValueError(
                    f"box {(top, left, high, wide)} ends outside images of {height} x {width}"
                )
            chosen[top : top + high, left : left + wide] = True
        return chosen

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        inside = self.inside(*image.shape[:2])
        mask = np.uint8(0xFF << (8 - self.bits) & 0xFF)
        stream = keystream(key, self.name, index, image.size).reshape(image.shape) & mask
        where = inside if image.ndim == 2 else inside[..., None]
        return image ^ np.where(where, stream, np.uint8(0))

    _decrypt = _encrypt


def _middle(height: int, width: int) -> tuple[int, int, int, int]:
    return height // 4, width // 4, -(-height // 2), -(-width // 2)
