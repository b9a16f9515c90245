"""Images as blocks of any size, without padding: what is left at two edges is blocks too."""

from collections.abc import Callable, Iterator

import numpy as np

#: Gets the blocks of a part, and the part's number; returns blocks of the same shape.
Change = Callable[[np.ndarray, int], np.ndarray]


def check_block(block: int) -> None:
    """Refuse block sizes that are not a positive integer.

    Examples
    --------
    >>> check_block(8)
    """
    if not isinstance(block, int) or isinstance(block, bool) or block < 1:
        raise ValueError(f"block must be a positive int, the side of a block, not {block!r}")


def parts(height: int, width: int, block: int) -> Iterator[tuple[slice, slice, int, int]]:
    """Up to four parts of an image, each made of whole blocks of one shape.

    Yields
    ------
    rows, columns : slice
        Where the part lies.
    block_height, block_width : int
        The shape of its blocks: that asked for, or the rest at the bottom or the right edge.

    Examples
    --------
    >>> [(h, w) for _, _, h, w in parts(20, 16, 8)]
    [(8, 8), (4, 8)]
    """
    for rows, block_height in _runs(height, block):
        for columns, block_width in _runs(width, block):
            yield rows, columns, block_height, block_width


def _runs(length: int, block: int) -> list[tuple[slice, int]]:
    whole = length - length % block
    runs = [(slice(0, whole), block), (slice(whole, length), length - whole)]
    return [(where, size) for where, size in runs if where.start < where.stop]


def map_blocks(image: np.ndarray, block: int, change: Change) -> np.ndarray:
    """The image after `change` of its blocks.

    Parameters
    ----------
    image : ndarray of uint8
        Shape (H, W) or (H, W, 3).
    block : int
        Side of the blocks.
    change : callable
        Gets the blocks of a part, shape (n, block_height, block_width, channels), and the part's
        number; returns blocks of the same shape.

    Examples
    --------
    >>> map_blocks(np.eye(3, dtype=np.uint8), 2, lambda blocks, part: blocks[::-1]).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    height, width = image.shape[:2]
    deep = image.reshape(height, width, -1)
    out = np.empty_like(deep)
    for part, (rows, columns, high, wide) in enumerate(parts(height, width, block)):
        out[rows, columns] = from_blocks(
            change(to_blocks(deep[rows, columns], high, wide), part), out[rows, columns].shape
        )
    return out.reshape(image.shape)


def to_blocks(image: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Blocks in raster order of an (H, W, channels) image that they tile.

    Examples
    --------
    >>> to_blocks(np.zeros((4, 6, 1)), 2, 3).shape
    (4, 2, 3, 1)
    """
    height, width, channels = image.shape
    grid = image.reshape(height // high, high, width // wide, wide, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, high, wide, channels)


def from_blocks(blocks: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The inverse of `to_blocks`.

    Examples
    --------
    >>> image = np.arange(24).reshape(4, 6, 1)
    >>> np.array_equal(from_blocks(to_blocks(image, 2, 3), image.shape), image)
    True
    """
    height, width, channels = shape
    _, high, wide, _ = blocks.shape
    grid = blocks.reshape(height // high, width // wide, high, wide, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(shape)
