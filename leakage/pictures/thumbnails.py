"""Pictures inside pages: small enough, as PNG, as addresses that hold the file itself."""

import base64
import io

import numpy as np
from PIL import Image


def png(picture: np.ndarray) -> bytes:
    """A picture as the content of a PNG file.

    Examples
    --------
    >>> png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return file.getvalue()


def data_address(content: bytes) -> str:
    """A PNG file as an address that holds the file itself.

    Examples
    --------
    >>> data_address(b"1")
    'data:image/png;base64,MQ=='
    """
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def thumbnail(picture: np.ndarray, side: int) -> np.ndarray:
    """Every k-th row and column of a picture, so few that none of its sides is above `side`.

    Not a mean: the mean of noise is gray, and a ciphertext would no longer look like noise.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
        As large as it may be.
    side : int
        The largest height and width, in pixels.

    Examples
    --------
    >>> thumbnail(np.zeros((100, 250, 3), np.uint8), 96).shape
    (34, 84, 3)
    """
    step = -(-max(picture.shape[:2]) // side)
    return picture[::step, ::step]
