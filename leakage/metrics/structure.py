"""Measures made for encrypted images: what blocks, edges and texture still show."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import correlate1d
from skimage.feature import canny, graycomatrix, graycoprops

from leakage.metrics.quality import check_large_pairs

_BLOCK = 8
_DIRECTIONS = 8
_GRAY_BINS = 16
_TEXTURE = ("contrast", "homogeneity", "energy")


def lss(
    plain: np.ndarray, cipher: np.ndarray, *, alpha: float = 0.1, beta: float = 3.0
) -> np.ndarray:
    """Luminance similarity score (Mao and Wu, 2006), at most 1, negative for unlike images.

    Mean over blocks of 8x8 pixels of 1 where the block means y1 and y2 of the luma differ by less
    than beta / 2, else of -alpha * round(abs(y1 - y2) / beta), half to even. Incomplete blocks at
    the right and bottom edge are left out. At least -alpha * 255 / beta.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, of sides of 8 pixels or more.
    alpha : float
        Weight of unlike blocks.
    beta : float
        Step of the difference, in gray levels.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    Examples
    --------
    >>> image = np.full((1, 8, 16), 100, np.uint8)
    >>> lss(image, image + 1).tolist(), lss(image, image + 30).tolist()
    ([1.0], [-1.0])
    """
    plain, cipher = check_large_pairs(plain, cipher, _BLOCK, "LSS")
    means = [_by_blocks(_luma(images)).mean((2, 4)) for images in (plain, cipher)]
    apart = np.abs(means[0] - means[1])
    scores = np.where(apart < beta / 2, 1.0, -alpha * np.round(apart / beta))
    return scores.mean((1, 2))


def ess(plain: np.ndarray, cipher: np.ndarray, *, edge: float = 8.0) -> np.ndarray:
    """Edge similarity score (Mao and Wu, 2006), 0 to 1.

    Each block of 8x8 pixels gets a direction or none. Our reading of "dominant direction": the
    gradient of the luma is Sobel's, divided by 8, so that it counts gray levels a pixel; its
    direction, modulo 180 degrees, falls into one of eight bins of 22.5 degrees, the first centred
    on 0; pixels whose gradient is at least `edge` add its length to their bin; the largest bin is
    the direction, and a block without such a pixel has none. The score is the sum over blocks of
    abs(cos(angle between the two directions)), 0 where one of them is none, divided by the number
    of blocks where at least one is not none; 0.5 where that number is 0. Incomplete blocks at the
    right and bottom edge are left out.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, of sides of 8 pixels or more.
    edge : float
        Least gradient of an edge, in gray levels a pixel.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images with an edge.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    Examples
    --------
    >>> stripes = np.zeros((1, 16, 16), np.uint8)
    >>> stripes[..., ::4] = 255
    >>> ess(stripes, 255 - stripes).tolist()
    [1.0]
    >>> ess(stripes, stripes.swapaxes(1, 2)).round(6).tolist()
    [0.0]
    """
    plain, cipher = check_large_pairs(plain, cipher, _BLOCK, "ESS")
    # an image at a time: gradients and their directions take some hundred bytes a pixel
    one, other = (
        np.concatenate([_directions(_luma(image[None]), edge) for image in images])
        for images in (plain, cipher)
    )
    alike = np.abs(np.cos((one - other) * np.pi / _DIRECTIONS))
    both, either = (one >= 0) & (other >= 0), (one >= 0) | (other >= 0)
    total = either.sum((1, 2))
    return np.where(total, np.sum(alike * both, (1, 2)) / np.maximum(total, 1), 0.5)


def vsi(
    plain: np.ndarray, cipher: np.ndarray, *, thresholds: Sequence[float] = (8, 16, 32, 64)
) -> np.ndarray:
    """Our variant of the visual security index of Xiang, Guo and Li (2016), 0 to 1, 1 if equal.

    Like theirs it joins the similarity of Canny edges at several thresholds with that of the
    texture in gray-level co-occurrence matrices. The details are ours, so its values are not
    comparable with published ones.

    Edges: scikit-image's Canny with sigma 1.5 on the luma. For each of the `thresholds`, which is
    the upper one of the hysteresis and twice the lower one, in gray levels of Sobel's gradient
    times 8, the similarity is twice the number of pixels that are edges in both images, divided by
    the sum of the numbers of edges (1 where there are none); their mean is the edge part.
    Texture: the luma in 16 equal bins, symmetric matrices at distance 1 in four directions; of
    contrast, homogeneity and energy, each the mean a over directions in one image and b in the
    other, 2ab / (a² + b²) (1 where both are 0); their mean is the texture part.
    The index is the mean of the two parts; theirs weighs them by the image.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, of sides of 8 pixels or more.
    thresholds : sequence of float
        Of Canny's hysteresis, at least one.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    Examples
    --------
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> vsi(image, image).tolist()
    [1.0]
    """
    plain, cipher = check_large_pairs(plain, cipher, _BLOCK, "VSI")
    pairs = zip(_luma(plain), _luma(cipher), strict=True)
    return np.array([(_edge_part(a, b, thresholds) + _texture_part(a, b)) / 2 for a, b in pairs])


def _luma(images: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601, float64."""
    return images @ np.array([0.299, 0.587, 0.114]) if images.ndim == 4 else images.astype(float)


def _by_blocks(values: np.ndarray) -> np.ndarray:
    """View (N, H, W) as (N, rows of blocks, 8, columns of blocks, 8), edges cut."""
    rows, columns = values.shape[1] // _BLOCK, values.shape[2] // _BLOCK
    cut = values[:, : rows * _BLOCK, : columns * _BLOCK]
    return cut.reshape(len(values), rows, _BLOCK, columns, _BLOCK)


def _directions(luma: np.ndarray, edge: float) -> np.ndarray:
    """Direction of each block, 0 to 7 in steps of 22.5 degrees, -1 for none."""
    smooth, slope = [1, 2, 1], [-1, 0, 1]
    across = correlate1d(correlate1d(luma, smooth, 1), slope, 2) / 8
    down = correlate1d(correlate1d(luma, smooth, 2), slope, 1) / 8
    length = _by_blocks(np.hypot(across, down))
    turn = np.arctan2(_by_blocks(down), _by_blocks(across)) * _DIRECTIONS / np.pi
    bins = np.round(turn).astype(int) % _DIRECTIONS
    strong = np.where(length >= edge, length, 0)
    sums = np.stack([np.sum(strong * (bins == b), (2, 4)) for b in range(_DIRECTIONS)])
    return np.where(sums.max(0) > 0, sums.argmax(0), -1)


def _edge_part(a: np.ndarray, b: np.ndarray, thresholds: Sequence[float]) -> float:
    parts = []
    for high in thresholds:
        one, other = (
            canny(x, sigma=1.5, low_threshold=high / 2, high_threshold=high) for x in (a, b)
        )
        total = one.sum() + other.sum()
        parts.append(2 * np.sum(one & other) / total if total else 1.0)
    return float(np.mean(parts))


def _texture_part(a: np.ndarray, b: np.ndarray) -> float:
    angles = np.arange(4) * np.pi / 4
    binned = [(x * (_GRAY_BINS / 256)).astype(np.uint8) for x in (a, b)]
    matrices = [
        graycomatrix(x, [1], angles, _GRAY_BINS, symmetric=True, normed=True) for x in binned
    ]
    one, other = (np.array([graycoprops(m, p).mean() for p in _TEXTURE]) for m in matrices)
    size = one**2 + other**2
    return float(np.mean(np.where(size > 0, 2 * one * other / np.where(size > 0, size, 1), 1.0)))
