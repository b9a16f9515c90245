"""Steps that simulated ciphers are made of: keystreams, permutations, blocks, 8 x 8 transforms.

Each takes images (N, H, W, C) of uint8 and a generator that stands for the key. Sides need not be
multiples of a block: what is left over at the lower and right edge stays as it is, but for what is
done sample by sample.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.fft import dctn, idctn

#: What a cipher does to images under the keys that a generator draws.
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
#: What one element of a key covers.
Covers = Literal["image", "row", "column", "block"]

#: Luminance table of ITU-R T.81, K.1: how coarsely JPEG keeps each coefficient at quality 50.
QUANTISERS = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip


def uniform(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Bytes of a sound keystream.

    Examples
    --------
    >>> uniform((2, 3), np.random.default_rng(0)).shape
    (2, 3)
    """
    return np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)


def of_law(law: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Bytes of a given law, drawn through a table of 65,536 equally likely entries.

    Examples
    --------
    >>> of_law(np.eye(256)[7], (1, 4), np.random.default_rng(0)).tolist()
    [[7, 7, 7, 7]]
    """
    edges = np.rint(np.cumsum(law) / np.sum(law) * 65536).astype(int)
    table = np.searchsorted(edges, np.arange(65536), side="right").astype(np.uint8)
    drawn = np.frombuffer(rng.bytes(2 * int(np.prod(shape))), np.uint16)
    return table[drawn].reshape(shape)


def biased_bytes(ones: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Bytes whose bit b is 1 with probability ``ones[b]``, independently.

    Examples
    --------
    >>> biased_bytes(np.eye(8)[0], (1, 3), np.random.default_rng(0)).tolist()
    [[1, 1, 1]]
    """
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    return of_law(np.where(bits == 1, ones, 1 - ones).prod(1), shape, rng)


def repeated(
    shape: tuple[int, ...], covers: Covers, block: int, rng: np.random.Generator
) -> np.ndarray:
    """A byte for every image, row, column or block of (N, H, W, C), spread over what it covers.

    Examples
    --------
    >>> repeated((1, 2, 4, 1), "row", 2, np.random.default_rng(0)).shape
    (1, 2, 4, 1)
    """
    n, height, width, _ = shape
    high, wide = {
        "image": (height, width), "row": (1, width), "column": (height, 1),
        "block": (block, block),
    }[covers]  # fmt: skip
    drawn = uniform((n, -(-height // high), -(-width // wide), 1), rng)
    spread = drawn.repeat(high, 1).repeat(wide, 2)[:, :height, :width]
    return np.broadcast_to(spread, shape)


def orders(count: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """So many random permutations.

    Examples
    --------
    >>> np.sort(orders(2, 3, np.random.default_rng(0)), 1).tolist()
    [[0, 1, 2], [0, 1, 2]]
    """
    return rng.random((count, length), np.float32).argsort(1)


def moved_lines(x: np.ndarray, rows: bool, columns: bool, rng: np.random.Generator) -> np.ndarray:
    """The rows, the columns, or both, of (N, H, W, C) change places, in each image anew."""
    n, height, width, _ = x.shape
    if rows:
        x = np.take_along_axis(x, orders(n, height, rng)[:, :, None, None], 1)
    if columns:
        x = np.take_along_axis(x, orders(n, width, rng)[:, None, :, None], 2)
    return x


def on_blocks(
    images: np.ndarray, block: int, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Apply a change to the whole blocks of every channel, (N, blocks, block, block, C).

    Examples
    --------
    >>> on_blocks(np.ones((1, 5, 4, 1), np.uint8), 4, lambda b: 2 * b)[0, :, 0, 0].tolist()
    [2, 2, 2, 2, 1]
    """
    n, height, width, channels = images.shape
    high, wide = height // block, width // block
    if not high * wide:
        return images.copy()
    inner = images[:, : high * block, : wide * block]
    blocks = inner.reshape(n, high, block, wide, block, channels).swapaxes(2, 3)
    changed = change(blocks.reshape(n, high * wide, block, block, channels))
    changed = changed.reshape(n, high, wide, block, block, channels).swapaxes(2, 3)
    out = images.copy()
    out[:, : high * block, : wide * block] = changed.reshape(inner.shape)
    return out


def moved_blocks(turned: bool, inverted: bool, rng: np.random.Generator) -> Callable:
    """Blocks change places within their image; each may be turned, mirrored, and inverted.

    Examples
    --------
    >>> change = moved_blocks(False, False, np.random.default_rng(0))
    >>> sorted(on_blocks(np.arange(4, dtype="u1").reshape(1, 2, 2, 1), 1, change).ravel().tolist())
    [0, 1, 2, 3]
    """

    def change(blocks: np.ndarray) -> np.ndarray:
        n, count = blocks.shape[:2]
        order = orders(n, count, rng)
        out = np.take_along_axis(blocks, order[:, :, None, None, None], 1)
        if turned:
            for bit, axis in ((1, 2), (2, 3)):
                chosen = (rng.integers(0, 2, (n, count)) * bit) > 0
                out[chosen] = np.flip(out[chosen], axis - 1)
            chosen = rng.integers(0, 2, (n, count)) > 0
            out[chosen] = out[chosen].swapaxes(1, 2)
        if inverted:
            out = out ^ (rng.integers(0, 2, (n, count, 1, 1, 1)) * 255).astype(np.uint8)
        return out

    return change


def shuffled_inside(alike: bool, rng: np.random.Generator) -> Callable:
    """The samples of each block change places, in all blocks of an image alike or in each anew."""

    def change(blocks: np.ndarray) -> np.ndarray:
        n, count, high, wide, channels = blocks.shape
        order = orders(n * (1 if alike else count), high * wide, rng)
        order = order.reshape(n, -1, high * wide, 1)
        rows = blocks.reshape(n, count, high * wide, channels)
        return np.take_along_axis(rows, order, 2).reshape(blocks.shape)

    return change


def scrambled_halves(alike: bool, moved: bool, rng: np.random.Generator) -> Callable:
    """The half bytes of each block change places, and some are inverted, v to 15 - v."""

    def change(blocks: np.ndarray) -> np.ndarray:
        n, count = blocks.shape[:2]
        if moved:
            blocks = np.take_along_axis(blocks, orders(n, count, rng)[:, :, None, None, None], 1)
        rows = blocks.reshape(n, count, -1)
        halves = np.concatenate([rows >> 4, rows & 15], 2)
        keys = (n, 1 if alike else count, halves.shape[2])
        order = orders(keys[0] * keys[1], keys[2], rng).reshape(keys)
        mask = (rng.integers(0, 2, keys, np.uint8)) * np.uint8(15)
        halves = np.take_along_axis(halves, np.broadcast_to(order, halves.shape), 2) ^ mask
        high, low = np.split(halves, 2, axis=2)
        return (high << 4 | low).reshape(blocks.shape)

    return change


def kept_sums(rounds: int, rng: np.random.Generator) -> Callable:
    """Samples of a block are paired at random and moved along their sum, round by round."""

    def change(blocks: np.ndarray) -> np.ndarray:
        n, count, high, wide, channels = blocks.shape
        rows = blocks.reshape(n * count, high * wide, channels).astype(np.int16)
        half = high * wide // 2
        for _ in range(rounds):
            rows = rows[:, rng.permutation(high * wide)]
            total = rows[:, :half] + rows[:, half : 2 * half]
            least = np.maximum(total - 255, 0)
            room = np.minimum(total, 255) - least + 1
            first = least + (rng.random(total.shape, np.float32) * room).astype(np.int16)
            rows[:, :half], rows[:, half : 2 * half] = first, total - first
        return rows.astype(np.uint8).reshape(blocks.shape)

    return change


def on_coefficients(
    quality: int, change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """A change of the quantised 8 x 8 DCT coefficients of blocks, (N, blocks, 8, 8, C).

    Examples
    --------
    >>> blocks = np.full((1, 1, 8, 8, 1), 100, np.uint8)
    >>> int(on_coefficients(90, lambda c: c)(blocks).max())
    100
    """
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    steps = np.maximum(np.rint(QUANTISERS * scale), 1).astype(np.float32)[:, :, None]

    def of_samples(blocks: np.ndarray) -> np.ndarray:
        samples = blocks.astype(np.float32) - 128
        coded = np.rint(dctn(samples, axes=(2, 3), norm="ortho") / steps)
        back = idctn(change(coded).astype(np.float32) * steps, axes=(2, 3), norm="ortho")
        return np.clip(np.rint(back + 128), 0, 255).astype(np.uint8)

    return of_samples


def hidden_signs(share: float, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Signs of this share of the coefficients other than means are drawn anew."""

    def change(coded: np.ndarray) -> np.ndarray:
        signs = 1 - 2 * rng.integers(0, 2, coded.shape, np.int8)
        signs[rng.random(coded.shape, np.float32) >= share] = 1
        signs[:, :, 0, 0] = 1
        return coded * signs

    return change


def hidden_amounts(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Coefficients other than means keep their category, the number of their amplitude bits."""

    def change(coded: np.ndarray) -> np.ndarray:
        least = np.exp2(np.floor(np.log2(np.maximum(np.abs(coded), 1))))
        amount = least + np.floor(rng.random(coded.shape, np.float32) * least)
        signs = 1 - 2 * rng.integers(0, 2, coded.shape, np.int8)
        out = np.where(coded == 0, 0, amount * signs)
        out[:, :, 0, 0] = coded[:, :, 0, 0]
        return out

    return change


def hidden_means(quality: int, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Means of blocks are drawn anew, from all that a mean can be at this quality."""
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    most = int(1024 / max(round(16 * scale), 1))

    def change(coded: np.ndarray) -> np.ndarray:
        out = coded.copy()
        out[:, :, 0, 0] = rng.integers(-most, most, out[:, :, 0, 0].shape)
        return out

    return change
