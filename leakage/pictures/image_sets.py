"""Image sets: the bundled photographs, folders of files, torchvision data sets.

Images are `uint8` arrays of shape ``(N, H, W)`` (gray) or ``(N, H, W, 3)`` (RGB). Nothing is ever
resized or rescaled: larger images are cut into non-overlapping patches.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from leakage.arguments import check_one_of
from leakage.pictures.photographs import PHOTOGRAPHS
from leakage.pictures.reading import SUFFIXES, image_shape, read_image
from leakage.pictures.thumbnails import data_address, png, thumbnail
from leakage.pictures.torchvision_sets import torchvision_images

#: No photograph contributes more patches than this, so that none dominates a set.
PATCHES_PER_IMAGE = 64

#: Thumbnails that stand for a set in a notebook.
_SHOWN = 12
#: Their largest sides in pixels; the second where the first would make the page heavy.
_SIDES = (96, 48)
#: Characters that all of them may add to a page.
_MOST_CHARACTERS = 140_000

_T = TypeVar("_T")


@dataclass(frozen=True, repr=False)
class ImageSet:
    """Images, and which source image each of them was cut from.

    A notebook shows a few of them, evenly spread over the set.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Gray or RGB, each sample as the file holds it.
    groups : ndarray of int64, shape (N,)
        ``names[groups[i]]`` is the source of ``images[i]``. Patches of one source resemble each
        other, so estimates must never train on some and be judged on others.
    names : tuple of str
        One name a source image.
    credits : tuple of str
        Author and licence of each source image, empty where unknown.

    Examples
    --------
    >>> ImageSet(np.zeros((2, 32, 48), np.uint8), np.array([0, 0]), ("cat",), ("by a friend",))
    ImageSet of 2 gray images of 48 x 32 from 1 source
    """

    images: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    credits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        colour = "gray" if self.images.ndim == 3 else "RGB"
        high, wide = self.images.shape[1:3]
        sources = len(np.unique(self.groups))
        return (
            f"ImageSet of {len(self)} {colour} image{'s' * (len(self) != 1)} of {wide} x {high} "
            f"from {sources} source{'s' * (sources != 1)}"
        )

    def _repr_html_(self) -> str:
        shown = np.linspace(0, len(self) - 1, min(_SHOWN, len(self))).round().astype(int)
        for side in _SIDES:
            addresses = [data_address(png(thumbnail(self.images[i], side))) for i in shown]
            if sum(map(len, addresses)) <= _MOST_CHARACTERS:
                break
        pictures = "".join(
            f'<img src="{address}" style="margin: 2px; image-rendering: pixelated" '
            f'alt="image {i + 1} of {len(self)}, from {html.escape(self.names[self.groups[i]])}">'
            for i, address in zip(shown, addresses, strict=True)
        )
        some = f"; {len(shown)} of them" if len(shown) < len(self) else ""
        return f"<figure>{pictures}<figcaption>{self!r}{some}</figcaption></figure>"


class SourceFile(NamedTuple):
    """A file of a set, what the set calls it, and its author and licence if they are known."""

    name: str
    path: Path
    credit: str


def grid_of(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Rows and columns of the patches that an image of (height, width) holds; at least one."""
    rows, columns = shape[0] // size, shape[1] // size
    if rows * columns == 0:
        raise ValueError(f"is {shape[1]}x{shape[0]} pixels, smaller than a patch of size {size}")
    return rows, columns


def patches(image: np.ndarray, size: int) -> np.ndarray:
    """Non-overlapping patches in raster order, at most PATCHES_PER_IMAGE, evenly spread."""
    rows, columns = grid_of(image.shape, size)
    cut = image[: rows * size, : columns * size]
    grid = cut.reshape(rows, size, columns, size, *image.shape[2:]).swapaxes(1, 2)
    every = grid.reshape(rows * columns, size, size, *image.shape[2:])
    if len(every) <= PATCHES_PER_IMAGE:
        return every
    return every[np.linspace(0, len(every) - 1, PATCHES_PER_IMAGE).round().astype(int)]


def patch_count(shape: tuple[int, ...], size: int | None) -> int:
    """How many images of a set a file of (height, width) gives."""
    return 1 if size is None else min(prod(grid_of(shape, size)), PATCHES_PER_IMAGE)


def read_pieces(path: Path, size: int | None, mode: str) -> tuple[tuple[int, ...], np.ndarray]:
    """(Height, width) of a file, and its patches, or all of it where `size` is None."""
    image = read_image(path, mode)
    return image.shape[:2], image[None] if size is None else patches(image, size)


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted, but those that are hidden or lie in a hidden folder."""
    below = ((path, path.relative_to(folder).parts) for path in folder.rglob("*"))
    return sorted(
        path
        for path, parts in below
        if path.is_file() and not any(part.startswith(".") for part in parts)
    )


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = visible_files(source)
    if not found:
        raise ValueError(f"no images in {source}; expected files {', '.join(SUFFIXES)}")
    return found


def of_each_file(
    files: Sequence[SourceFile],
    size: int | None,
    read: Callable[[Path], tuple[tuple[int, ...], _T]],
) -> list[_T]:
    """What `read` finds in each file; all files that cannot be used are named in one error.

    Parameters
    ----------
    files : sequence of SourceFile
        In the order of the set.
    size : int or None
        None demands files of one size.
    read : callable
        Path of a file to its (height, width) and what is wanted of it; raises ValueError with the
        reason why the file cannot be used.
    """
    found, shapes, names, problems = [], [], [], []
    for file in files:
        try:
            shape, wanted = read(file.path)
        except ValueError as error:
            problems.append(f"{file.name} {error}")
            continue
        found.append(wanted)
        shapes.append(shape)
        names.append(file.name)
    if size is None and shapes:
        common = max(set(shapes), key=shapes.count)
        problems += [
            f"{name} is {shape[1]}x{shape[0]} pixels, the others {common[1]}x{common[0]}: "
            "give size=... to cut patches"
            for name, shape in zip(names, shapes, strict=True)
            if shape != common
        ]
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(files)} files cannot be used; mend or remove them:\n  "
            + "\n  ".join(problems)
        )
    return found


def _from_torchvision(
    name: str, size: int | None, count: int | None, mode: str
) -> tuple[list[np.ndarray], list[str]]:
    """Patches and a name of each image of a data set."""
    pieces, names = [], []
    # one patch an image at least, so `count` images are enough
    for i, picture in enumerate(torchvision_images(name, count or 10**9)):
        image = np.asarray(picture.convert("L" if mode == "gray" else "RGB"))
        try:
            pieces.append(image[None] if size is None else patches(image, size))
        except ValueError as error:
            raise ValueError(f"{name}[{i}] {error}; give a smaller size, or size=None") from None
        names.append(f"{name}[{i}]")
    if len({piece.shape[1:] for piece in pieces}) > 1:
        raise ValueError(f"the images of {name} differ in size; give size=... to cut patches")
    return pieces, names


def check_choice(size: int | None, count: int | None, mode: str) -> None:
    """Refuse arguments that `load_images` cannot mean, before anything is read."""
    check_one_of("mode", mode, ("gray", "rgb"))
    for name, value in (("size", size), ("count", count)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} must be an int or None, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def drawn(total: int, count: int, seed: int, source: str | Path) -> np.ndarray:
    """Which `count` of `total` patches are kept, in order."""
    if count > total:
        raise ValueError(
            f"count={count}, but {source} holds {total} images of this size; "
            "give a smaller count or size"
        )
    return np.sort(np.random.default_rng(seed).choice(total, count, replace=False))


def image_files(source: str | Path, size: int | None) -> list[SourceFile]:
    """Every file of a source that is not torchvision's."""
    if str(source) == "photographs":
        if size is None:
            raise ValueError("the photographs differ in size; give size=... to cut patches")
        files = [SourceFile(p.name, p.file(), f"{p.author}, {p.licence}") for p in PHOTOGRAPHS]
        files = [file for file in files if min(image_shape(file.path)) >= size]
        if not files:
            raise ValueError(f"no photograph holds a patch of size {size}; give a smaller size")
        return files
    folder = Path(source).expanduser()
    if not folder.exists():
        raise ValueError(
            f"no file or folder {str(source)!r} (looked in {Path.cwd()}); other sources are "
            "'photographs' and 'torchvision:NAME'"
        )
    base = folder if folder.is_dir() else folder.parent
    return [SourceFile(path.relative_to(base).as_posix(), path, "") for path in _files(folder)]


def load_images(
    source: str | Path = "photographs",
    *,
    size: int | None = 64,
    count: int | None = None,
    mode: str = "gray",
    seed: int = 0,
) -> ImageSet:
    """Load an image set.

    Parameters
    ----------
    source : str or Path
        ``"photographs"``: the photographs that scikit-image and scikit-learn install
        (`leakage.pictures.photographs` lists authors and licences). ``"torchvision:NAME"``: a
        torchvision data set, downloaded as torchvision does. Otherwise a folder (searched
        recursively) or a file: PGM, PNG, TIFF, BMP, JPEG.
    size : int or None
        Side in pixels of the square, non-overlapping patches that images are cut into, at most
        `PATCHES_PER_IMAGE` from each, evenly spread. None keeps whole images, all of one size.
    count : int or None
        Keep this many patches, drawn without replacement; None keeps all.
    mode : {"gray", "rgb"}
        Gray is the luma of ITU-R BT.601, as Pillow computes it.
    seed : int
        Of the draw of `count` patches.

    Returns
    -------
    ImageSet
        The images, in the order of their sources.

    Raises
    ------
    ValueError
        Unusable argument, missing folder, or unreadable files, all named in one message.
    TypeError
        `size` or `count` that is no whole number.

    Examples
    --------
    >>> photographs = load_images(count=100)
    >>> photographs.images.shape, photographs.images.dtype
    ((100, 64, 64), dtype('uint8'))
    """
    check_choice(size, count, mode)
    pieces: list[np.ndarray]
    if str(source).startswith("torchvision:"):
        dataset = str(source).removeprefix("torchvision:")
        pieces, names = _from_torchvision(dataset, size, count, mode)
        credits = [f"torchvision.datasets.{dataset}"] * len(names)
    else:
        files = image_files(source, size)
        pieces = of_each_file(files, size, partial(read_pieces, size=size, mode=mode))
        names, credits = [file.name for file in files], [file.credit for file in files]

    images = np.concatenate(pieces)
    groups = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    if count is not None:
        keep = drawn(len(images), count, seed, source)
        images, groups = images[keep], groups[keep]
    return ImageSet(images, groups, tuple(names), tuple(credits))
