"""Image sets of any size, a batch at a time: read, encrypt, embed and store in bounded memory."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np
from PIL import Image

from leakage.pictures.image_sets import (
    PATCHES_PER_IMAGE,
    ImageSet,
    check_choice,
    drawn,
    image_files,
    load_images,
    patches,
    read_image,
)
from leakage.schemes.base import Keying, Scheme


def image_batches(
    source: str | Path = "photographs",
    *,
    size: int | None = 64,
    count: int | None = None,
    mode: str = "gray",
    seed: int = 0,
    batch: int = 256,
) -> Iterator[ImageSet]:
    """The images of `leakage.load_images`, in its order, `batch` at a time.

    Only a batch and one source image are in memory, except of torchvision's data sets, which are
    loaded whole.

    Parameters
    ----------
    source, size, count, mode, seed
        As of `leakage.load_images`.
    batch : int
        Images a batch; the last one may be smaller.

    Yields
    ------
    ImageSet
        With the names and credits of all source images.

    Raises
    ------
    ValueError, TypeError
        As `leakage.load_images`; a file that turns out to be broken is named when it is reached.

    Examples
    --------
    >>> [len(part) for part in image_batches(count=100, batch=64)]
    [64, 36]
    """
    check_choice(size, count, mode)
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    if str(source).startswith("torchvision:"):
        found = load_images(source, size=size, count=count, mode=mode, seed=seed)
        for i in range(0, len(found), batch):
            part = slice(i, i + batch)
            yield ImageSet(found.images[part], found.groups[part], found.names, found.credits)
        return
    files = image_files(source, size)
    names, credits = (tuple(column) for column in list(zip(*files, strict=True))[::2])
    sizes = _patches_of_each(files, size)
    keep = np.ones(sum(sizes), bool)
    if count is not None:
        keep[:] = False
        keep[drawn(sum(sizes), count, seed, source)] = True
    starts = np.cumsum([0, *sizes])
    images: list[np.ndarray] = []
    groups: list[int] = []
    for group, (name, path, _) in enumerate(files):
        wanted = keep[starts[group] : starts[group + 1]]
        if not wanted.any():
            continue
        try:
            image = read_image(path, mode)
            images += list((image[None] if size is None else patches(image, size))[wanted])
        except ValueError as error:
            raise ValueError(f"{name} {error}; mend or remove it") from None
        groups += [group] * int(wanted.sum())
        while len(images) >= batch:
            yield ImageSet(np.stack(images[:batch]), np.array(groups[:batch]), names, credits)
            del images[:batch], groups[:batch]
    if images:
        yield ImageSet(np.stack(images), np.array(groups), names, credits)


def _patches_of_each(files: list[tuple[str, Path, str]], size: int | None) -> list[int]:
    """How many patches each file gives, from its first bytes; all bad files in one error."""
    found, shapes, problems = [], [], []
    for name, path, _ in files:
        try:
            with Image.open(path) as picture:
                wide, high = picture.size
        except (OSError, SyntaxError) as error:
            problems.append(f"{name} cannot be read ({error})")
            continue
        shapes.append((wide, high))
        found.append(1 if size is None else min((high // size) * (wide // size), PATCHES_PER_IMAGE))
        if size is not None and not found[-1]:
            problems.append(f"{name} is {wide}x{high} pixels, smaller than a patch of size {size}")
    if size is None and len(set(shapes)) > 1:
        problems.append("the files differ in size: give size=... to cut patches")
    if problems:
        raise ValueError("mend or remove these files:\n  " + "\n  ".join(problems))
    return found


def encrypt_batches(
    batches: Iterable[np.ndarray], scheme: Scheme, key: bytes, *, keying: Keying = "fresh"
) -> Iterator[np.ndarray]:
    """Ciphertexts of consecutive batches, those that one call on all images would give.

    Parameters
    ----------
    batches : iterable of ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
        Plain images.
    scheme, key, keying
        As of `leakage.schemes.Scheme.encrypt`.

    Yields
    ------
    ndarray of uint8, of the shape of the batch

    Examples
    --------
    >>> from leakage import get_scheme
    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> scheme = get_scheme("bitplane", bits=8)
    >>> parts = encrypt_batches([images[:2], images[2:]], scheme, bytes(16))
    >>> np.array_equal(np.concatenate(list(parts)), scheme.encrypt(images, bytes(16)))
    True
    """
    done = 0
    for images in batches:
        first = done if keying == "fresh" else 0
        yield scheme.encrypt(images, key, first_index=first, keying=keying)
        done += len(images)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all, whenever the process is killed.

    It is written under another name, forced to the disk, and renamed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    other = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with other.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        other.replace(path)
    finally:
        other.unlink(missing_ok=True)


class ArrayFile:
    """Writes an ``.npy`` file of known length, part after part.

    Parameters
    ----------
    file : binary file
        Open for writing.
    length : int
        Rows that all parts have together.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left, self._begun = file, length, False

    def add(self, part: np.ndarray) -> None:
        """Append rows."""
        if not self._begun:
            shape = (self._left, *part.shape[1:])
            header = {"descr": part.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
            self._begun = True
        self._file.write(np.ascontiguousarray(part).data)
        self._left -= len(part)

    def close(self) -> None:
        """Check that all rows came."""
        if self._left:
            raise ValueError(f"{self._left} rows are missing")


def read_batches(path: Path, batch: int) -> Iterator[np.ndarray]:
    """Rows of an ``.npy`` file, `batch` at a time; not mapped, so that memory stays bounded.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(10).reshape(5, 2))
    >>> [part.tolist() for part in read_batches(path, 4)]
    [[[0, 1], [2, 3], [4, 5], [6, 7]], [[8, 9]]]
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row = int(np.prod(shape[1:]))
        for start in range(0, shape[0], batch):
            rows = min(batch, shape[0] - start)
            yield np.fromfile(file, dtype, rows * row).reshape(rows, *shape[1:])
