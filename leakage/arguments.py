"""What callers hand over: checks that every room shares, and objects found by ``module:name``."""

import difflib
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import numpy as np


def check_images(images: np.ndarray, what: str = "images") -> np.ndarray:
    """Refuse everything that is not a non-empty uint8 array (N, H, W) or (N, H, W, 3).

    Raises
    ------
    TypeError
        `images` is not an array of one shape.
    ValueError
        Wrong dtype, wrong number of dimensions, or empty.

    Examples
    --------
    >>> check_images(np.zeros((2, 4, 4), np.uint8)).shape
    (2, 4, 4)
    """
    if not isinstance(images, np.ndarray):
        raise TypeError(
            f"{what} must be one numpy array of uint8, not {type(images).__name__}; images of one "
            "size are joined by numpy.stack, others are cut to patches by load_images(size=...)"
        )
    if images.dtype == object:
        raise ValueError(f"{what} differ in shape; cut them to patches of one size first")
    if images.dtype != np.uint8:
        raise ValueError(
            f"{what} must be uint8, not {images.dtype}; a silent conversion would change them, so "
            "convert on purpose: floats in [0, 1] by numpy.round(255 * images).astype('uint8'), "
            "16-bit by (images >> 8).astype('uint8')"
        )
    if images.ndim == 2:
        raise ValueError(f"{what} must be (N, H, W) or (N, H, W, 3); one image is images[None]")
    if not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
        raise ValueError(f"{what} must be (N, H, W) or (N, H, W, 3), not {images.shape}")
    if images.size == 0:
        raise ValueError(f"{what} are empty: shape {images.shape}")
    return images


def check_one_of(what: str, value: object, known: Iterable[str]) -> None:
    """Refuse a word that is not one of those known, and name the closest.

    Parameters
    ----------
    what : str
        Name of the argument.
    value : object
        What was given for it.
    known : iterable of str
        What it may be.

    Raises
    ------
    ValueError
        Names the argument, the words it may be, and the closest of them.

    Examples
    --------
    >>> check_one_of("keying", "fresh", ("fresh", "fixed"))
    >>> check_one_of("keying", "frsh", ("fresh", "fixed"))
    Traceback (most recent call last):
    ValueError: keying must be 'fresh' or 'fixed', not 'frsh'; did you mean 'fresh'?
    """
    words = list(known)
    if isinstance(value, str) and value in words:
        return
    *most, last = map(repr, words)
    listed = f"{', '.join(most)} or {last}" if most else last
    close = isinstance(value, str) and difflib.get_close_matches(value, words, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{what} must be {listed}, not {value!r}{hint}")


def object_named(name: str) -> object:
    """What ``"module:name"`` means; the module may lie in the current folder.

    Parameters
    ----------
    name : str
        A module that can be imported, a colon, and a name in it.

    Raises
    ------
    ValueError
        No colon, no such module, or no such name in it.

    Examples
    --------
    >>> object_named("math:sqrt")(9)
    3.0
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"{name!r} is not of the form 'module:name'")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot find {name}: {error}") from None
    finally:
        sys.path.pop(0)
