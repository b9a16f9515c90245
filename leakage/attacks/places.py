"""Attacks on permutations: chosen images tell where pixels go, borders tell where blocks belong."""

from collections.abc import Callable

import numpy as np

from leakage.arguments import check_images
from leakage.schemes.blocks import check_block, from_blocks, to_blocks

#: Least compatibility of two blocks: one bad border does not outweigh several good ones.
WORST = -1.0
#: Row and column step to the neighbour on the right, on the left, below, above.
STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def recover_permutation(
    encrypt: Callable[[np.ndarray], np.ndarray], shape: tuple[int, int]
) -> np.ndarray:
    """The places of a fixed permutation of pixels, by chosen images (Li and Lo, 2011).

    Pixels are numbered, and each image shows one base-256 digit of the numbers: for H x W pixels
    it takes ceil(log256(H W)) images.

    Parameters
    ----------
    encrypt : callable
        Encrypts images of shape (n, H, W), all under one permutation, for instance
        ``lambda images: scheme.encrypt(images, key, keying="fixed")``.
    shape : (int, int)
        H and W.

    Returns
    -------
    ndarray of int64, shape (H * W,)
        ``cipher.ravel()[i]`` is ``plain.ravel()[places[i]]``; `unshuffle` uses it.

    Raises
    ------
    ValueError
        What `encrypt` does is no permutation of pixels that is the same for every image.

    Examples
    --------
    >>> recover_permutation(lambda images: images[:, ::-1], (3, 1)).tolist()
    [2, 1, 0]
    """
    pixels = int(np.prod(shape))
    if len(shape) != 2 or pixels < 1:
        raise ValueError(f"shape must be height and width, not {shape!r}")
    digits = max(1, -(-(pixels - 1).bit_length() // 8))
    shift = 8 * np.arange(digits)[:, None]
    chosen = (np.arange(pixels) >> shift & 255).astype(np.uint8)
    seen = np.asarray(encrypt(chosen.reshape(digits, *shape)))
    if seen.shape != (digits, *shape):
        raise ValueError(f"encrypt made shape {seen.shape} of {(digits, *shape)}")
    places = (seen.reshape(digits, pixels).astype(np.int64) << shift).sum(0)
    if not np.array_equal(np.sort(places), np.arange(pixels)):
        raise ValueError("this is no permutation of pixels, or not the same for every image")
    return places


def unshuffle(cipher: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Undo a permutation that `recover_permutation` found.

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Under that permutation; the channels of a pixel stay together.
    places : ndarray of int, shape (H * W,)
        Where each pixel of the ciphertext comes from.

    Returns
    -------
    ndarray of uint8, of the shape of `cipher`
        The images.

    Raises
    ------
    ValueError
        As many places as pixels are needed.

    Examples
    --------
    >>> unshuffle(np.array([[[7, 8, 9]]], np.uint8), np.array([2, 0, 1])).tolist()
    [[[8, 9, 7]]]
    """
    cipher = check_images(cipher)
    height, width = cipher.shape[1:3]
    if np.shape(places) != (height * width,):
        raise ValueError(f"{np.shape(places)} places for images of {height} x {width} pixels")
    pixels = cipher.reshape(len(cipher), height * width, -1)
    plain = np.empty_like(pixels)
    plain[:, places] = pixels
    return plain.reshape(cipher.shape)


def jigsaw(cipher: np.ndarray, block: int) -> np.ndarray:
    """Put shuffled blocks together by their borders.

    A border fits if the grey levels that go on across it as they come meet those on the other
    side. Compatibility is one minus its misfit relative to the second best of either block
    (Paikin and Tal, 2015). From the best pair on, the free place and the block that suit
    best come next (Pomeranz, Shemesh and Ben-Shahar, 2011); the frame is found last.

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Under ``get_scheme("block-shuffle", block=block)``; `block` divides H and W.
    block : int
        Side of a block, at least 2.

    Returns
    -------
    ndarray of uint8, of the shape of `cipher`
        `placement` scores it.

    Raises
    ------
    ValueError
        `block` is less than 2 or does not divide the sides, or there is only one block.

    Examples
    --------
    >>> image = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 3 / 4).astype(np.uint8)[None]
    >>> shuffled = np.concatenate([image[:, :, 4:], image[:, :, :4]], axis=2)
    >>> np.array_equal(jigsaw(shuffled, 4), image)
    True
    """
    rows, columns = _grid(cipher, block)
    if block < 2 or rows * columns < 2:
        raise ValueError(
            f"{rows} x {columns} blocks of side {block}: borders need at least 2 blocks of side 2"
        )
    out = np.empty_like(cipher)
    for i, image in enumerate(cipher):
        deep = image.reshape(*image.shape[:2], -1)
        blocks = to_blocks(deep, block, block)
        order = _assembled(_compatibility(blocks.astype(np.float32)), rows, columns)
        out[i] = from_blocks(blocks[order], deep.shape).reshape(image.shape)
    return out


def _grid(images: np.ndarray, block: int) -> tuple[int, int]:
    images = check_images(images)
    check_block(block)
    height, width = images.shape[1:3]
    if height % block or width % block:
        raise ValueError(f"blocks of side {block} do not tile images of {height} x {width} pixels")
    return height // block, width // block


def _compatibility(blocks: np.ndarray) -> np.ndarray:
    """[direction, i, j]: how well block j goes to the right, to the left, below, above block i."""
    right = _one_way(blocks)
    below = _one_way(blocks.swapaxes(1, 2))
    return np.stack([right, right.T, below, below.T])


def _one_way(blocks: np.ndarray) -> np.ndarray:
    n = len(blocks)
    last, before = blocks[:, :, -1].reshape(n, -1), blocks[:, :, -2].reshape(n, -1)
    first, after = blocks[:, :, 0].reshape(n, -1), blocks[:, :, 1].reshape(n, -1)
    misfit = np.empty((n, n), np.float32)
    for i in range(n):  # all pairs of borders at once would fill the memory
        misfit[i] = np.abs(2 * last[i] - before[i] - first).sum(1)
        misfit[i] += np.abs(2 * first - after - last[i]).sum(1)
    np.fill_diagonal(misfit, np.inf)
    if n == 2:  # nothing to compare with
        return np.where(np.eye(n, dtype=bool), WORST, -misfit / np.float32(misfit[0, 1] + 1))
    second = np.minimum(
        np.partition(misfit, 1, axis=1)[:, 1, None], np.partition(misfit, 1, axis=0)[1]
    )
    # one level of misfit in a border says nothing
    return np.maximum(1 - misfit / (second + 1), WORST)


def _assembled(compatibility: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Block of each place in raster order: one block after the other, best first."""
    n = rows * columns
    allowed = np.array([columns > 1, columns > 1, rows > 1, rows > 1])
    best = np.where(allowed[:, None, None], compatibility, -np.inf)
    _, start, _ = np.unravel_index(best.argmax(), best.shape)
    free = np.ones(n, bool)
    support: dict[tuple[int, int], np.ndarray] = {}  # of every block at the places next to others
    chosen: dict[tuple[int, int], tuple[float, int]] = {}  # the best block for each of these
    placed: dict[tuple[int, int], int] = {}
    place, piece = (0, 0), int(start)
    while True:
        placed[place] = piece
        free[piece] = False
        if len(placed) == n:
            break
        support.pop(place, None)
        chosen.pop(place, None)
        changed = [p for p, (_, block) in chosen.items() if block == piece]
        for direction, (down, across) in enumerate(STEPS):
            beside = place[0] + down, place[1] + across
            if beside not in placed:
                support[beside] = support.get(beside, 0) + compatibility[direction, piece]
                changed.append(beside)
        top, left = (min(p[axis] for p in placed) for axis in (0, 1))
        bottom, right = (max(p[axis] for p in placed) for axis in (0, 1))
        for p in changed:
            values = np.where(free, support[p], -np.inf)
            chosen[p] = float(values.max()), int(values.argmax())
        inside = (
            p
            for p in chosen
            if max(bottom, p[0]) - min(top, p[0]) < rows
            and max(right, p[1]) - min(left, p[1]) < columns
        )
        place = max(inside, key=lambda p: chosen[p][0])
        piece = chosen[place][1]
    return np.array([placed[place] for place in sorted(placed)])


def placement(pictures: np.ndarray, plain: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """How well blocks were put together (Gallagher, 2012). Equal blocks replace each other.

    Parameters
    ----------
    pictures, plain : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Results of `jigsaw` and the images, paired.
    block : int
        Side of a block; divides H and W.

    Returns
    -------
    direct : ndarray of float, shape (N,)
        Share of the blocks at their place.
    neighbour : ndarray of float, shape (N,)
        Share of the pairs of blocks side by side that are so in the image, wherever.

    Raises
    ------
    ValueError
        Shapes differ, or `block` does not divide the sides.

    Examples
    --------
    >>> image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    >>> [score.tolist() for score in placement(np.roll(image, 2, axis=1), image, 2)]
    [[0.0], [0.5]]
    """
    rows, columns = _grid(pictures, block)
    plain = check_images(plain, "plain")
    if pictures.shape != plain.shape:
        raise ValueError(f"pictures have shape {pictures.shape}, plain {plain.shape}")
    direct, neighbour = np.empty(len(plain)), np.empty(len(plain))
    for i, pair in enumerate(zip(pictures, plain, strict=True)):
        blocks = np.concatenate(
            [to_blocks(image.reshape(*image.shape[:2], -1), block, block) for image in pair]
        )
        flat = blocks.reshape(len(blocks), -1)
        _, kinds = np.unique(flat, axis=0, return_inverse=True)
        found, true = kinds.reshape(2, rows, columns)
        direct[i] = (found == true).mean()
        right = [
            np.isin(_pairs(a, len(blocks)), _pairs(b, len(blocks)))
            for a, b in ((found, true), (found.T, true.T))
        ]
        neighbour[i] = np.concatenate(right).mean() if rows * columns > 1 else 1.0
    return direct, neighbour


def _pairs(kinds: np.ndarray, count: int) -> np.ndarray:
    """A number for each pair of kinds side by side."""
    return (kinds[:, :-1] * count + kinds[:, 1:]).ravel()
