"""JPEG files as quantised DCT coefficients (ITU-T T.81, 1992), and back.

libjpeg reads and writes them. A file is written as baseline JPEG with the standard Huffman tables,
whatever its own coding was. Of application markers it keeps the colour profile and the orientation:
an Exif thumbnail or a comment would show the plain image.
"""

import io
import tempfile
from pathlib import Path

import jpeglib
import numpy as np
from PIL import Image

from leakage.pictures.formats import EXIF, exif_of, orientation_of
from leakage.pictures.jpeg_files import complaints, undamaged
from leakage.pictures.reading import read_header


def compressed(image: np.ndarray, quality: int) -> bytes:
    """An image as a JPEG file.

    Examples
    --------
    >>> compressed(np.zeros((8, 8), np.uint8), 75)[:2].hex()
    'ffd8'
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def read_coefficients(data: bytes) -> list[np.ndarray]:
    """Quantised coefficients of every component.

    Returns
    -------
    list of ndarray of int16, shape (rows of blocks, columns of blocks, 8, 8)

    Examples
    --------
    >>> [plane.shape for plane in read_coefficients(compressed(np.zeros((9, 17), np.uint8), 75))]
    [(2, 3, 8, 8)]
    """
    return [plane.copy() for plane in planes_of(read(data))]


def planes_of(jpeg: jpeglib.DCTJPEG) -> list[np.ndarray]:
    """The coefficients of every component, not copied.

    Examples
    --------
    >>> len(planes_of(read(compressed(np.zeros((8, 8, 3), np.uint8), 75))))
    3
    """
    return [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr) if plane is not None]


def legal_means(jpeg: jpeglib.DCTJPEG) -> list[range]:
    """Quantised means that samples from 0 to 255 can have: -1024 to 1016 before quantisation.

    Examples
    --------
    >>> legal_means(read(compressed(np.zeros((8, 8), np.uint8), 75)))
    [range(-128, 128)]
    """
    steps = [int(jpeg.qt[number][0, 0]) for number in jpeg.quant_tbl_no[: len(planes_of(jpeg))]]
    return [range(-((1024 + q // 2) // q), (1016 + q // 2) // q + 1) for q in steps]


def read(data: bytes) -> jpeglib.DCTJPEG:
    """The coefficients of a file; one that is damaged or not supported is refused.

    Examples
    --------
    >>> read(b"GIF89a")
    Traceback (most recent call last):
    ...
    ValueError: these bytes are no JPEG file; raster images go to Scheme.encrypt
    """
    if not isinstance(data, bytes | bytearray):
        raise TypeError(f"a JPEG file is given as bytes, not {type(data).__name__}")
    if data[:2] != b"\xff\xd8":
        raise ValueError("these bytes are no JPEG file; raster images go to Scheme.encrypt")
    try:
        read_header(bytes(data))
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
        jpeg = undamaged(bytes(data))
    except OSError:
        raise ValueError("the JPEG file is damaged or cut off") from None
    except ValueError as error:
        raise ValueError(f"the JPEG file {error}") from None
    if image.info.get("adobe_transform") == 0 and image.mode == "RGB":
        raise ValueError("JPEG files of R, G and B are not supported; compress again as YCbCr")
    _check_range(planes_of(jpeg))
    return jpeg


def _check_range(planes: list[np.ndarray]) -> None:
    """Baseline coding ends at 1023, which 8-bit samples never exceed; libjpeg cannot write more."""
    if any(plane.min() < -1024 or plane.max() > 1023 for plane in planes) or any(
        np.count_nonzero(plane == -1024) > np.count_nonzero(plane[..., 0, 0] == -1024)
        for plane in planes
    ):
        raise ValueError(
            "a coefficient is larger than any of an image of 8-bit samples; decode the file and "
            "compress it again"
        )


def _kept(markers: list[jpeglib.Marker]) -> list[jpeglib.Marker]:
    """What says how the samples are to be shown: the colour profile and the orientation."""
    kept = []
    for marker in markers:
        if marker.content.startswith(b"ICC_PROFILE"):
            kept.append(marker)
        elif marker.content.startswith(EXIF):
            orientation = orientation_of(marker.content)
            if orientation != 1:
                marker.content = exif_of(orientation)
                marker.length = len(marker.content)
                kept.append(marker)
    return kept


def written(jpeg: jpeglib.DCTJPEG) -> bytes:
    """A file with these coefficients.

    Examples
    --------
    >>> file = written(read(compressed(np.zeros((8, 8), np.uint8), 75)))
    >>> written(read(file)) == file
    True
    """
    jpeg.markers, jpeg.progressive_mode = _kept(jpeg.markers), False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.jpg")
        with complaints():
            jpeg.write_dct(str(path))
        return path.read_bytes()
