"""Generated scenes with the statistics of photographs: as many independent pictures as one needs.

The dead-leaves model: a plane covered by opaque leaves that hide each other, whose radii r have
the density r^-3, so that details of every scale are equally common. Each leaf has a tone, a colour,
a shading and a texture of its own; a lens blurs, a camera sharpens, a tone curve saturates and a
sensor adds noise. A scene is a window of such a plane. After Lee, Mumford and Huang, "Occlusion
models for natural images", International Journal of Computer Vision 41, 2001; the figures below
were chosen so that medians over scenes are near those over photographs
(`benchmarks/scene_statistics.py`).
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

#: Sides of a scene in pixels.
SMALLEST, LARGEST = 8, 512
#: Scenes of a set that does not say how many.
COUNT = 256

#: Third word of a scene's seed, so that no key or split that is drawn of the same numbers shares
#: its random numbers: a seed of one or two words is one that ends in zeros.
_STREAM = 3

#: Leaves above a point of the plane, on average. One point in 55 has none and shows the ground.
_LAYERS = 4.0
#: Radius in pixels of the largest leaves, and the range of that of a scene's smallest ones.
_LARGEST_LEAF, _SMALLEST_LEAF = 300.0, (1.2, 16.0)
#: How many times longer than wide: at most the square of this. And the share of rectangles.
_STRETCH, _SQUARES = 1.6, 0.3

#: Light is on a logarithmic scale (base e): 0 is middle gray, 2 is 225 of 255.
#: Mean and standard deviation, over scenes, of a scene's middle tone.
_MIDDLE = (-0.38, 0.54)
#: Standard deviation of the tones of leaves of radius 30: its median over scenes, and the standard
#: deviation of its logarithm. It grows with this power of the radius, for small things are often
#: parts of one larger thing.
_CONTRAST, _CONTRASTS, _GROWTH = 0.74, 0.35, 0.25
#: Standard deviation of the shading from the middle of a leaf to its rim.
_SHADING = 0.05
#: Texture: its median strength, standard deviations of the logarithm over scenes and over leaves,
#: the range of the exponent of the spectrum's amplitude, fields among which leaves choose.
_TEXTURE, _TEXTURE_OF_SCENE, _TEXTURE_OF_LEAF = 0.15, 1.0, 0.7
_ROUGHNESS, _FIELDS = (0.4, 0.85), 2
#: Colour, yellow against blue and red against green: its mean, and its standard deviation over
#: scenes and again over leaves.
_TINT, _COLOURS = np.array([[0.2], [0.0]]), np.array([[0.25], [0.18]])

#: Ranges over scenes: blur in pixels, sharpening, noise in gray levels.
_BLUR, _SHARPENING, _NOISE = (0.5, 0.8), (0.1, 1.2), (0.5, 3.5)
#: Pixels rendered around a scene and cut off, for blur takes from beyond the edge.
_MARGIN = 4
#: Where pixels outside the window are moved, so that no leaf covers them.
_FAR = 1e9


class _Leaves(NamedTuple):
    """Leaves from front to back, an entry each: centres, half axes, direction, form, reach."""

    row: np.ndarray
    column: np.ndarray
    long: np.ndarray
    short: np.ndarray
    angle: np.ndarray
    square: np.ndarray
    reach: np.ndarray


def check_side(size: int | None) -> int:
    """Refuse sizes that no scene has.

    Examples
    --------
    >>> check_side(64)
    64
    >>> check_side(None)
    Traceback (most recent call last):
    ValueError: generated scenes have no size of their own; give size=..., from 8 to 512
    """
    limits = f"from {SMALLEST} to {LARGEST}"
    if size is None:
        raise ValueError(f"generated scenes have no size of their own; give size=..., {limits}")
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size of generated scenes must be {limits}, not {size}")
    return size


def scene(seed: int, index: int, size: int, mode: str = "gray") -> np.ndarray:
    """One generated scene, which depends on these arguments alone.

    Parameters
    ----------
    seed, index : int
        From 0; which scene of which series.
    size : int
        Side in pixels, from SMALLEST to LARGEST. Sizes give different scenes, not parts of one.
    mode : {"gray", "rgb"}
        Gray is the luma of the same scene in colour, as of a photograph.

    Returns
    -------
    ndarray of uint8, shape (size, size) or (size, size, 3)
        The same on every machine on which NumPy draws the same random numbers, as far as its
        mathematical functions round alike.

    Examples
    --------
    >>> scene(0, 17, 64).shape, scene(0, 17, 32, "rgb").shape
    ((64, 64), (32, 32, 3))
    """
    rng = np.random.default_rng([seed, index, _STREAM])
    side = size + 2 * _MARGIN
    leaves = _leaves(rng, side)
    light = _light(rng, leaves, _in_front(leaves, side))
    blur, sharpening = rng.uniform(*_BLUR), rng.uniform(*_SHARPENING)
    light = gaussian_filter(light, (blur, blur, 0))
    light += sharpening * (light - gaussian_filter(light, (1, 1, 0)))
    light = light[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    noise = _between(rng, _NOISE) * rng.standard_normal(light.shape)
    samples = 255 / (1 + np.exp(-light)) + noise
    picture = np.clip(np.rint(samples), 0, 255).astype(np.uint8)
    return picture if mode == "rgb" else np.asarray(Image.fromarray(picture).convert("L"))


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number of uniform logarithm."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def _leaves(rng: np.random.Generator, side: int) -> _Leaves:
    """The leaves that reach into a window: centres of a Poisson process, radii r of density r^-3.

    The area of a leaf is pi r^2, whatever its form.
    """
    smallest = _between(rng, _SMALLEST_LEAF)
    radii = np.geomspace(smallest, _LARGEST_LEAF, 256)
    # drawn are leaves whose centres are in the window or less than two radii from it
    density = (side + 4 * radii) ** 2 / radii**3
    below = np.concatenate([[0], np.cumsum(np.diff(radii) * (density[1:] + density[:-1]) / 2)])
    intensity = _LAYERS / (np.pi * np.log(_LARGEST_LEAF / smallest))
    count = rng.poisson(intensity * below[-1])
    radius = np.interp(rng.random(count) * below[-1], below, radii)
    centre = rng.random((2, count)) * (side + 4 * radius) - 2 * radius
    angle = rng.random(count) * np.pi
    square = rng.random(count) < _SQUARES
    stretch = _STRETCH ** rng.random(count)
    half = radius * np.where(square, np.sqrt(np.pi) / 2, 1)
    long, short = half * stretch, half / stretch
    reach = np.where(square, np.hypot(long, short), long)
    gap = np.hypot(*(centre - np.clip(centre, 0, side - 1)))
    seen = gap < reach
    return _Leaves(*(each[seen] for each in (*centre, long, short, angle, square, reach)))


def _in_front(leaves: _Leaves, side: int) -> np.ndarray:
    """Which leaf each pixel shows, (side, side); their number where there is none."""
    count = len(leaves.row)
    front = np.full(side * side, count)
    # a box around each leaf, of as few widths as will do
    widths = 2 ** np.ceil(np.log2(2 * leaves.reach + 2)).astype(int)
    for width in np.unique(widths[widths < side]):
        members = np.flatnonzero(widths == width)
        rows, columns = (
            np.rint(centre[members, None]).astype(int) - width // 2 + np.arange(width)
            for centre in (leaves.row, leaves.column)
        )
        covered = np.flatnonzero(_covered(leaves, members, rows, columns, side))
        which, place = np.divmod(covered, width * width)
        offsets = (np.arange(width)[:, None] * side + np.arange(width)).ravel()
        pixels = (rows[:, 0] * side + columns[:, 0])[which] + offsets[place]
        np.minimum.at(front, pixels, members[which])
    large = np.flatnonzero(widths >= side)
    window = np.arange(side)[None]
    covered = _covered(leaves, large, window, window, side)
    nearest = np.where(covered, large[:, None, None], count).min(0, initial=count)
    return np.minimum(front.reshape(side, side), nearest)


def _covered(
    leaves: _Leaves, members: np.ndarray, rows: np.ndarray, columns: np.ndarray, side: int
) -> np.ndarray:
    """Whether each of these leaves covers each pixel of its rows and columns in the window."""
    down, right = (
        np.where((pixels >= 0) & (pixels < side), pixels - centre[members, None], _FAR)
        for pixels, centre in ((rows, leaves.row), (columns, leaves.column))
    )
    cos, sin = np.cos(leaves.angle[members, None]), np.sin(leaves.angle[members, None])
    long, short, square = leaves.long[members, None], leaves.short[members, None], leaves.square
    along, across = (
        a.astype(np.float32)[:, :, None] + b.astype(np.float32)[:, None, :]
        for a, b in (
            (cos * down / long, sin * right / long),
            (-sin * down / short, cos * right / short),
        )
    )
    along *= along
    across *= across
    inside = along + across < 1
    of_square = square[members]
    inside[of_square] = np.maximum(along[of_square], across[of_square]) < 1
    return inside


def _light(rng: np.random.Generator, leaves: _Leaves, front: np.ndarray) -> np.ndarray:
    """Logarithm of the light of each pixel in red, green and blue, (side, side, 3)."""
    side, count = len(front), len(leaves.row) + 1  # the last one is the ground
    pixels = np.arange(side)
    radius = np.append(np.sqrt(leaves.long * leaves.short), _LARGEST_LEAF)
    contrast = _CONTRAST * np.exp(_CONTRASTS * rng.standard_normal()) * (radius / 30) ** _GROWTH
    tone = rng.normal(*_MIDDLE) + contrast * rng.standard_normal(count)
    down, right = _SHADING * rng.standard_normal((2, count)) / radius
    rows, columns = (np.append(c, side / 2) for c in (leaves.row, leaves.column))
    strength = _TEXTURE * np.exp(
        _TEXTURE_OF_SCENE * rng.standard_normal() + _TEXTURE_OF_LEAF * rng.standard_normal(count)
    )
    field = rng.integers(_FIELDS, size=count)
    fields = np.stack([_texture(rng, side) for _ in range(_FIELDS)])
    light = (tone - down * rows - right * columns)[front]
    light += down[front] * pixels[:, None] + right[front] * pixels
    light += strength[front] * fields[field[front], pixels[:, None], pixels]
    of_scene, of_leaves = rng.standard_normal((2, 1)), rng.standard_normal((2, count))
    yellow, red = _TINT + _COLOURS * (of_scene + of_leaves)
    colour = np.stack([yellow / 2 + red, yellow / 2 - red, -yellow], 1)
    return light[:, :, None] + colour[front]


def _texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Gaussian noise of a power-law spectrum, of expected mean 0 and variance 1."""
    length = -(-5 * side // 64) * 16  # its ends meet beyond the window; quick to transform
    exponent, stretch = rng.uniform(*_ROUGHNESS), _between(rng, (0.5, 2))
    down, right = np.fft.fftfreq(length)[:, None] * stretch, np.fft.rfftfreq(length) / stretch
    # flat below one cycle in 50 pixels, so that the variance does not grow with the window
    amplitude = (down**2 + right**2 + 0.02**2) ** (-exponent / 2)
    noise = rng.standard_normal((2, *amplitude.shape))
    spectrum = (noise[0] + 1j * noise[1]) * amplitude
    field = np.fft.irfft2(spectrum, (length, length), norm="ortho")
    return field[:side, :side] / np.sqrt(2 * np.mean(amplitude**2))
