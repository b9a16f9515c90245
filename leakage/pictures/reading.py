"""The one reader of picture files: what it cannot give unchanged it refuses, with the reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A file of which no more than the header is read, or the reason why it is refused."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"is not one of {', '.join(SUFFIXES)}")
    try:
        with Image.open(path) as picture:
            if (frames := getattr(picture, "n_frames", 1)) > 1:
                raise ValueError(f"holds {frames} pictures, expected one")
            if picture.mode not in ("1", "L", "P", "RGB"):
                raise ValueError(
                    f"has pixel mode {picture.mode!r}; convert it to 8-bit gray or RGB "
                    "without an alpha channel"
                )
            if picture.mode == "P" and "transparency" in picture.info:
                raise ValueError("has transparent pixels; flatten it first")
            yield picture
    except UnidentifiedImageError:
        raise ValueError("is not an image that can be read") from None
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise ValueError(f"cannot be read ({error})") from None


def read_image(path: Path, mode: str) -> np.ndarray:
    """One file as uint8 (H, W) or (H, W, 3).

    Parameters
    ----------
    path : Path
        One of `SUFFIXES`.
    mode : {"gray", "rgb"}
        What it is converted to.

    Raises
    ------
    ValueError
        Gives the reason, not the name: "cannot be read", "has transparent pixels".

    Examples
    --------
    >>> from leakage.pictures.photographs import PHOTOGRAPHS
    >>> read_image(PHOTOGRAPHS[0].file(), "rgb").shape
    (512, 512, 3)
    """
    with _opened(path) as picture:
        return np.asarray(picture.convert("L" if mode == "gray" else "RGB"))


def image_shape(path: Path) -> tuple[int, int]:
    """Height and width in pixels, from the header alone.

    Raises
    ------
    ValueError
        As `read_image`; a file that is broken further on is not found out.

    Examples
    --------
    >>> from leakage.pictures.photographs import PHOTOGRAPHS
    >>> image_shape(PHOTOGRAPHS[0].file())
    (512, 512)
    """
    with _opened(path) as picture:
        return picture.height, picture.width


def image_colour(path: Path) -> bool:
    """Whether a file can hold colour, from the header alone.

    Raises
    ------
    ValueError
        As `image_shape`.

    Examples
    --------
    >>> from leakage.pictures.photographs import PHOTOGRAPHS
    >>> image_colour(PHOTOGRAPHS[0].file())
    True
    """
    with _opened(path) as picture:
        if picture.mode == "P":
            palette = np.array(picture.getpalette()).reshape(-1, 3)
            return bool((palette != palette[:, :1]).any())
        return picture.mode == "RGB"
