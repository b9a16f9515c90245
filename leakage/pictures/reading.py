"""The one reader of picture files: what it cannot give unchanged it refuses, with the reason."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, TiffImagePlugin

from leakage.arguments import check_one_of
from leakage.pictures import formats
from leakage.pictures.jpeg_files import undamaged

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff")
#: What files are read as instead of as they are.
MODES = ("gray", "rgb")

#: What turns a picture upright, by its orientation.
_UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}
_TRANSPOSED = (5, 6, 7, 8)


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its samples.

    Attributes
    ----------
    kind : str
        Its format by its content, as Pillow names it: "BMP", "JPEG", "PNG", "PPM" or "TIFF".
    shape : tuple of int
        Height and width of the picture, upright.
    colour : bool
        Whether it can hold colour.
    orientation : int
        From 1, upright, to 8: how it is turned to be shown (tag 274 of TIFF and Exif).
    """

    kind: str
    shape: tuple[int, int]
    colour: bool
    orientation: int


@contextmanager
def _pillow() -> Iterator[None]:
    """Whatever Pillow raises of a broken file is a ValueError: no list of it is complete."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that are no concern here
            yield
    except Exception as error:
        told = str(error) or type(error).__name__
        if "cannot identify" in told or "Token too long" in told:  # with addresses, or with samples
            told = "its header is damaged"
        raise ValueError(f"cannot be read ({told})") from None


@contextmanager
def _opened(source: Path | bytes, whole: bool) -> Iterator[tuple[Image.Image, Header, int]]:
    """A picture that is not decoded yet, its header, and how many colours its palette has.

    All that is wrong is a ValueError with the reason.
    """
    with _stream(source) as file:
        kind = formats.kind_of(file)
        stored = file.seek(0, 2)
        if kind == "TIFF":
            formats.check_tiff_directory(file, stored)
        facts = None if kind == "TIFF" else _facts(file, kind, stored, whole)
        if kind == "JPEG" and whole:
            undamaged(source)
        file.seek(0)
        with _pillow():  # no format but this one is tried: for some, it starts other programs
            picture = Image.open(file, formats=[kind])
        with picture:
            if facts is None:
                tags = cast(TiffImagePlugin.TiffImageFile, picture).tag_v2
                facts = formats.check_tiff(tags, stored)
                formats.check_size(facts, stored)
                if whole:
                    with _pillow():
                        formats.check_tiff_sums(file, tags)
            with _pillow():
                pictures = getattr(picture, "n_frames", 1)
            if pictures > 1:
                raise ValueError(f"holds {pictures} pictures; save one alone")
            if picture.mode not in ("L", "P", "RGB"):
                raise ValueError(f"has pixel mode {picture.mode!r}; convert it to gray or RGB")
            shape = facts.height, facts.width
            if facts.orientation in _TRANSPOSED:
                shape = facts.width, facts.height
            header = Header(kind, shape, _has_colour(picture), facts.orientation)
            yield picture, header, facts.colours


@contextmanager
def _stream(source: Path | bytes) -> Iterator[BinaryIO]:
    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    with stream:
        yield cast(BinaryIO, stream)


def _facts(file: BinaryIO, kind: str, stored: int, whole: bool) -> formats.Facts:
    if kind == "PNG":
        facts = formats.check_png(file, whole)
    else:
        check = {"JPEG": formats.check_jpeg, "BMP": formats.check_bmp, "PPM": formats.check_netpbm}
        facts = check[kind](file)
    formats.check_size(facts, stored)
    return facts


def _has_colour(picture: Image.Image) -> bool:
    if picture.mode != "P" or picture.palette is None:
        return picture.mode == "RGB"
    channels = len(picture.palette.rawmode or picture.palette.mode)
    colours = np.frombuffer(bytes(picture.palette.palette), np.uint8)
    red, green, blue = (
        colours[i : len(colours) // channels * channels : channels] for i in range(3)
    )
    return not (np.array_equal(red, green) and np.array_equal(green, blue))


def check_mode(mode: str | None) -> None:
    """Refuse what files cannot be read as.

    Examples
    --------
    >>> check_mode(None)
    >>> check_mode("gray")
    """
    if mode is not None:
        check_one_of("mode", mode, MODES)


def read_image(source: Path | bytes, mode: str | None = None) -> np.ndarray:
    """One picture, each sample as its file has it.

    Parameters
    ----------
    source : Path or bytes
        A file, or all that is in one.
    mode : {None, "gray", "rgb"}
        None keeps colour where there is some. "gray" is the luma of ITU-R BT.601, as Pillow
        computes it; "rgb" gives a gray picture three equal channels.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)
        Upright: turned as the file's orientation asks.

    Raises
    ------
    ValueError
        Gives the reason, not the name: "cannot be read", "has transparent pixels".

    Examples
    --------
    >>> from leakage.pictures.photographs import PHOTOGRAPHS
    >>> read_image(PHOTOGRAPHS[0].file()).shape
    (512, 512, 3)
    """
    check_mode(mode)
    with _opened(source, whole=True) as (picture, header, colours):
        for name in ("xmp", "XML:com.adobe.xmp"):  # Pillow turns a TIFF picture by these as well
            picture.info.pop(name, None)
        wanted = {"gray": "L", "rgb": "RGB", None: "RGB" if header.colour else "L"}[mode]
        with _pillow():
            picture.load()
            most = np.asarray(picture).max()
            samples = np.asarray(picture.convert(wanted))
        if most >= colours:  # decoders make of such samples what they like
            raise ValueError(f"has samples beyond the {colours} colours of its palette")
    upright = samples if header.kind == "TIFF" else _UPRIGHT[header.orientation](samples)
    return np.ascontiguousarray(upright)  # Pillow has turned a TIFF picture itself


def read_header(source: Path | bytes) -> Header:
    """What a file says of itself, its samples not read.

    Raises
    ------
    ValueError
        As `read_image`; a file that is broken further on is not found out.

    Examples
    --------
    >>> from leakage.pictures.photographs import PHOTOGRAPHS
    >>> read_header(PHOTOGRAPHS[0].file())
    Header(kind='PNG', shape=(512, 512), colour=True, orientation=1)
    """
    with _opened(source, whole=False) as (_, header, _):
        return header
