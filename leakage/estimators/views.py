"""What counting can look at in images: samples, neighbours, small blocks, in small alphabets.

A view writes plain images and ciphertexts as codes, place by place. Codes of both are functions of
a small neighbourhood, so their information is at most that of the neighbourhoods.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from leakage.estimators.pixels import MASKS

#: Classes of the signed step from one neighbour to the next.
STEPS = np.array([-32, -8, 0, 1, 9, 33])
#: Sides of the blocks whose means and contrasts are compared.
BLOCKS = (2, 8)


class View(NamedTuple):
    """One way to write an image as codes.

    Attributes
    ----------
    name : str
        In words.
    unit : str
        What one code stands for.
    levels : int
        Codes are 0 to levels - 1; bytes are also seen through fewer planes.
    plain, cipher : callable
        Of images as int16, shape (N, C, H, W), to codes of uint8, (N, C, ...).
    """

    name: str
    unit: str
    levels: int
    plain: Callable[[np.ndarray], np.ndarray]
    cipher: Callable[[np.ndarray], np.ndarray]

    def codes(self, plain: np.ndarray, cipher: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes of images (N, H, W) or (N, H, W, 3) and of their ciphertexts, each (N, places)."""
        pair = ((self.plain, plain), (self.cipher, cipher))
        a, b = (of(_deep(images)).astype(np.uint8).reshape(len(images), -1) for of, images in pair)
        return a, b


def _deep(images: np.ndarray) -> np.ndarray:
    return (images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)).astype(np.int16)


def _along(axis: int, of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable:
    """A function of every two neighbours along an axis of (N, C, H, W)."""

    def neighbours(images: np.ndarray) -> np.ndarray:
        n = images.shape[axis]
        first = np.take(images, np.arange(n - 1), axis)
        return of(first, np.take(images, np.arange(1, n), axis))

    return neighbours


def _order(images: np.ndarray) -> np.ndarray:
    """Which of the samples of every square of two by two is below which: six comparisons."""
    a, b = images[..., :-1, :-1], images[..., :-1, 1:]
    c, d = images[..., 1:, :-1], images[..., 1:, 1:]
    pairs = ((a, b), (a, c), (a, d), (b, c), (b, d), (c, d))
    return np.sum([(one < other) << i for i, (one, other) in enumerate(pairs)], axis=0)


def _tiles(images: np.ndarray, side: int) -> np.ndarray:
    n, channels, height, width = images.shape
    rows, columns = height // side, width // side
    cut = images[..., : rows * side, : columns * side]
    grid = cut.reshape(n, channels, rows, side, columns, side).swapaxes(3, 4)
    return grid.reshape(n, channels, rows * columns, side * side).astype(np.float32)


def _mean(side: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: _tiles(images, side).mean(-1)


def _contrast(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Standard deviation within a block, in sixteen classes of equal ratio."""
    return lambda images: np.clip(2 * np.log2(1 + _tiles(images, side).std(-1)), 0, 15)


def _inner(images: np.ndarray) -> np.ndarray:
    return images[..., 1:-1, 1:-1]


def _around(images: np.ndarray) -> np.ndarray:
    """Mean of the four neighbours of every inner sample, itself left out."""
    down, across = images[..., 1:-1], images[..., 1:-1, :]
    return (
        down[..., :-2, :] + down[..., 2:, :] + across[..., :-2] + across[..., 2:]
    ) // 4  # fmt: skip


def _alike(name: str, unit: str, levels: int, of: Callable[[np.ndarray], np.ndarray]) -> View:
    return View(name, unit, levels, of, of)


def views_of(shape: tuple[int, ...]) -> Iterator[View]:
    """All views of images of this shape; the first is that of samples by themselves.

    Parameters
    ----------
    shape : tuple of int
        (N, H, W) or (N, H, W, 3).

    Examples
    --------
    >>> [view.name for view in views_of((9, 1, 4))][:3]
    ['samples', 'XOR of neighbours in a row', 'differences of neighbours in a row']
    """
    height, width = shape[1:3]
    yield _alike("samples", "sample", 256, lambda images: images)
    for axis, where, length in ((3, "a row", width), (2, "a column", height)):
        if length > 1:
            unit, of = "pair of neighbours", f"neighbours in {where}"
            yield _alike(f"XOR of {of}", unit, 256, _along(axis, lambda a, b: a ^ b))
            yield _alike(
                f"differences of {of}", unit, 256, _along(axis, lambda a, b: (b - a) & 255)
            )
            signs = _along(axis, lambda a, b: np.digitize(b - a, STEPS))
            yield _alike(f"signs of steps between {of}", unit, len(STEPS) + 1, signs)
    if min(height, width) > 1:
        yield _alike("order within squares of 2 x 2", "square of 2 x 2", 64, _order)
    if min(height, width) > 2:
        yield View("samples and the mean around them", "sample", 256, _inner, _around)
    for side in BLOCKS:
        if min(height, width) >= side:
            unit = f"block of {side} x {side}"
            yield _alike(f"means of blocks of {side} x {side}", unit, 256, _mean(side))
            yield _alike(f"contrasts of blocks of {side} x {side}", unit, 16, _contrast(side))
    if len(shape) == 4:
        unit = "pair of colours"
        yield _alike("XOR of colours", unit, 256, lambda v: v[:, :-1] ^ v[:, 1:])
        yield _alike("differences of colours", unit, 256, lambda v: (v[:, 1:] - v[:, :-1]) & 255)


def through(name: str, codes: np.ndarray) -> np.ndarray:
    """Codes of a byte seen through some of its planes, counted from 0.

    Examples
    --------
    >>> through("the least significant plane", np.array([6, 7], np.uint8)).tolist()
    [0, 1]
    """
    mask = MASKS[name]
    return (codes & np.uint8(mask)) >> (0 if mask & 1 else 8 - mask.bit_count())
