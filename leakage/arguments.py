"""What callers hand over: checks that every room shares, and objects found by ``module:name``."""

import difflib
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

#: From so many rows and columns on, (H, W, 3) is taken for one RGB image and not for gray stripes.
_NO_STRIPES = 8


def check_images(images: object, what: str = "images") -> np.ndarray:
    """Images as one array, where what is given means one; everything else is refused.

    Parameters
    ----------
    images : ndarray, ImageSet, torch.Tensor, or sequence of ndarray
        uint8: (N, H, W) or (N, H, W, 3); of a tensor also (N, 3, H, W), as torch has them; of a
        sequence (H, W) or (H, W, 3) each, of one size.
    what : str
        Name of the argument, for the message.

    Returns
    -------
    ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Not copied where it is one already.

    Raises
    ------
    TypeError
        `images` is nothing of this.
    ValueError
        Masked, wrong dtype, wrong number of dimensions, different sizes, or empty.

    Examples
    --------
    >>> check_images(np.zeros((2, 4, 4), np.uint8)).shape
    (2, 4, 4)
    >>> check_images([np.zeros((4, 4, 3), np.uint8)] * 2).shape
    (2, 4, 4, 3)
    """
    array = _array_of(images, what)
    if np.ma.isMaskedArray(array):
        raise ValueError(f"{what} are masked; fill them on purpose: images.filled(0)")
    if array.dtype != np.uint8:
        raise ValueError(f"{what} must be uint8, not {array.dtype}; {_way_to_bytes(array.dtype)}")
    if array.ndim == 2:
        raise ValueError(f"{what} must be (N, H, W) or (N, H, W, 3); one image is images[None]")
    if array.ndim == 3 and array.shape[-1] == 3 and min(array.shape[:2]) >= _NO_STRIPES:
        raise ValueError(
            f"{what} have shape {array.shape}, which looks like one RGB image: that is images[None]"
        )
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)):
        first = array.ndim == 4 and array.shape[1] == 3
        hint = "; channels come last: numpy.moveaxis(images, 1, -1)" if first else ""
        raise ValueError(f"{what} must be (N, H, W) or (N, H, W, 3), not {array.shape}{hint}")
    if array.size == 0:
        raise ValueError(f"{what} are empty: shape {array.shape}")
    return array


def _array_of(images: object, what: str) -> np.ndarray:
    """An array of any kind, from whatever holds one."""
    if isinstance(images, np.ndarray):
        if images.dtype == object:
            raise ValueError(f"{what} differ in shape; cut them to patches of one size first")
        return images
    if isinstance(inner := getattr(images, "images", None), np.ndarray):
        return inner  # an ImageSet
    if type(images).__module__.partition(".")[0] == "torch" and hasattr(images, "detach"):
        return _channels_last(images.detach().cpu().numpy(), what)
    if isinstance(images, list | tuple) and images:
        return _stacked(images, what)
    raise TypeError(_NO_ARRAY.format(what, type(images).__name__))


_NO_ARRAY = (
    "{} must be one numpy array of uint8, not {}; images of one size are joined by numpy.stack, "
    "others are cut to patches by load_images(size=...)"
)


def _channels_last(tensor: np.ndarray, what: str) -> np.ndarray:
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        return tensor
    if tensor.shape[1] == tensor.shape[-1] == 3:
        raise ValueError(
            f"{what}: of a tensor of shape {tensor.shape} it is not clear where the channels are; "
            "give a numpy array with them last"
        )
    if tensor.shape[-1] == 3:
        return tensor
    return tensor[:, 0] if tensor.shape[1] == 1 else np.moveaxis(tensor, 1, -1)


def _stacked(images: Sequence[object], what: str) -> np.ndarray:
    if any(isinstance(image, str | Path) for image in images):
        raise TypeError(f"{what} are names of files; read them by leakage.load_images(folder)")
    arrays = [image for image in images if isinstance(image, np.ndarray)]
    if len(arrays) < len(images):
        raise TypeError(_NO_ARRAY.format(what, f"a {type(images).__name__} of other things"))
    if len({image.shape for image in arrays}) > 1:
        raise ValueError(f"{what} differ in shape; cut them to patches of one size first")
    return np.ma.stack(arrays) if any(map(np.ma.isMaskedArray, arrays)) else np.stack(arrays)


def _way_to_bytes(dtype: np.dtype) -> str:
    """What to write for samples of another kind; a silent conversion would change them."""
    if dtype.kind == "f":
        return "of floats in [0, 1] write numpy.round(255 * images).astype('uint8')"
    if dtype.kind == "b":
        return "of False and True write images.astype('uint8') * 255"
    if dtype.kind == "c":
        return "complex numbers are no samples; give one of numpy.real and numpy.imag, rounded"
    if dtype == np.uint16:
        return (
            "of 16 bits write (images >> 8).astype('uint8'), and bear in mind what that leaves out"
        )
    return "of whole numbers from 0 to 255 write images.astype('uint8')"


def check_pairs(plain: object, cipher: object) -> tuple[np.ndarray, np.ndarray]:
    """Images and their ciphertexts, as `check_images` gives them, of one shape.

    Raises
    ------
    TypeError, ValueError
        As of `check_images`, or sides of different shape.

    Examples
    --------
    >>> check_pairs(np.zeros((2, 4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8))
    Traceback (most recent call last):
    ValueError: plain has shape (2, 4, 4), cipher (3, 4, 4); they are pairs
    """
    first, second = check_images(plain, "plain"), check_images(cipher, "cipher")
    if first.shape != second.shape:
        raise ValueError(f"plain has shape {first.shape}, cipher {second.shape}; they are pairs")
    return first, second


def check_image_groups(groups: object, count: int) -> np.ndarray:
    """One label for each of so many images; without groups every image is its own.

    Raises
    ------
    ValueError
        Another number of labels.

    Examples
    --------
    >>> check_image_groups(None, 3)
    array([0, 1, 2])
    """
    labels = np.arange(count) if groups is None else np.asarray(groups)
    if labels.shape != (count,):
        raise ValueError(f"groups must be one label an image, ({count},), not {labels.shape}")
    check_labels(labels)
    return labels


def check_labels(labels: np.ndarray) -> None:
    """Refuse labels of groups that are not there.

    Raises
    ------
    ValueError
        Some are NaN or None, or of kinds that have no order.

    Examples
    --------
    >>> check_labels(np.array(["a", "b"]))
    """
    if labels.dtype == object:
        if absent := sum(label is None for label in labels.ravel()):
            raise ValueError(f"groups has {absent} labels that are None; give each its group")
        if len(kinds := {type(label).__name__ for label in labels.ravel()}) > 1:
            raise ValueError(
                f"groups has labels of several kinds, {' and '.join(sorted(kinds))}; give all as "
                "text or all as numbers"
            )
    if labels.dtype.kind in "fc" and (missing := np.count_nonzero(np.isnan(labels))):
        raise ValueError(f"groups has {missing} labels that are NaN; give each its group")


def check_names(what: str, names: object) -> None:
    """Refuse one name where a list of them is meant: its letters would be taken for names.

    Raises
    ------
    TypeError
        It is one.

    Examples
    --------
    >>> check_names("layers", "stem")
    Traceback (most recent call last):
    TypeError: layers must be a list of names; write ['stem']
    """
    if isinstance(names, str):
        raise TypeError(f"{what} must be a list of names; write {[names]!r}")


def check_int(what: str, value: object) -> None:
    """Refuse what is no whole number; truth values are none.

    Raises
    ------
    TypeError
        It is not.

    Examples
    --------
    >>> check_int("folds", 2.0)
    Traceback (most recent call last):
    TypeError: folds must be an int, not 2.0
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{what} must be an int, not {value!r}")


def check_count(what: str, value: int) -> None:
    """Refuse what is no whole number of at least 1.

    Raises
    ------
    ValueError, TypeError
        It is not.

    Examples
    --------
    >>> check_count("components", 0)
    Traceback (most recent call last):
    ValueError: components must be at least 1, not 0
    """
    check_int(what, value)
    if value < 1:
        raise ValueError(f"{what} must be at least 1, not {value}")


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


def check_seed(seed: object) -> None:
    """Refuse what is no seed: an int from 0 to 2**32 - 1, which every library takes.

    Examples
    --------
    >>> check_seed(7)
    >>> check_seed(-1)
    Traceback (most recent call last):
    ValueError: seed must be from 0 to 2**32 - 1, not -1
    """
    check_int("seed", seed)
    if not 0 <= cast("int", seed) < 2**32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1, not {seed}")


def object_named(name: str) -> object:
    """What ``"module:name"`` means; the module may lie in the current folder.

    Parameters
    ----------
    name : str
        A module that can be imported, a colon, and a name in it.

    Raises
    ------
    ValueError
        No colon, no such module, no such name in it, or a module that raises when it is imported.

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
        found = import_module(module)
    except ImportError as error:
        raise ValueError(f"cannot find {name}: {error}") from None
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise ValueError(f"cannot import {name}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    try:
        return getattr(found, attribute)
    except AttributeError as error:
        raise ValueError(f"cannot find {name}: {error}") from None
    except (Exception, SystemExit) as error:  # of a module's own __getattr__
        raise ValueError(f"cannot import {name}: {type(error).__name__}: {error}") from error
