"""Image sets: the bundled photographs, generated scenes, folders of files, torchvision data sets.

Images are `uint8` arrays of shape ``(N, H, W)`` (gray) or ``(N, H, W, 3)`` (RGB). Nothing is ever
resized or rescaled: larger images are cut into non-overlapping patches.
"""

import html
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import prod
from pathlib import Path

import numpy as np

from leakage.arguments import check_seed
from leakage.pictures.reading import Header, check_mode, read_image
from leakage.pictures.surveys import Survey, of_each_file, refuse_files, survey
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
        other, so estimates must never train on some and be judged on others. Equal source images
        share the group of the first.
    names : tuple of str
        One name a source image.
    credits : tuple of str
        Author and licence of each source image, empty where unknown.
    notes : tuple of str
        What is not as the files have it: files skipped, pictures turned, colour left out.

    Examples
    --------
    >>> ImageSet(np.zeros((2, 32, 48), np.uint8), np.array([0, 0]), ("cat",), ("by a friend",))
    ImageSet of 2 gray images of 48 x 32 from 1 source
    """

    images: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    credits: tuple[str, ...]
    notes: tuple[str, ...] = ()

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
        notes = "".join(f"; {html.escape(note)}" for note in self.notes)
        return f"<figure>{pictures}<figcaption>{self!r}{some}{notes}</figcaption></figure>"


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


def surveyed(source: str | Path, size: int | None, mode: str | None) -> Survey:
    """The files of a source that is not torchvision's, and whether they can be of this size."""

    def fits(header: Header) -> None:
        if size is not None:
            grid_of(header.shape, size)

    if str(source) == "photographs" and size is None:
        raise ValueError("the photographs differ in size; give size=... to cut patches")
    found = survey(source, mode, fits)
    if not found.files:
        raise ValueError(f"no photograph holds a patch of size {size}; give a smaller size")
    if size is not None:
        return found
    shapes = [header.shape for header in found.headers if header is not None]
    common = max(set(shapes), key=shapes.count, default=(0, 0))
    odd = tuple(
        f"{file.name} is {header.shape[1]}x{header.shape[0]} pixels, the others "
        f"{common[1]}x{common[0]}: give size=... to cut patches"
        for file, header in zip(found.files, found.headers, strict=True)
        if header is not None and header.shape != common
    )
    return replace(found, problems=found.problems + odd)


class Equals:
    """Which pictures are equal: they have one group, that of the first.

    Examples
    --------
    >>> equals = Equals()
    >>> [equals.group(i, np.full((2, 2), value, np.uint8)) for i, value in enumerate((7, 8, 7))]
    [0, 1, 0]
    >>> equals.notes()
    ('1 of 3 pictures is equal to an earlier one, and shares its group',)
    """

    def __init__(self) -> None:
        self._first: dict[tuple[tuple[int, ...], bytes], int] = {}
        self._count = 0

    def group(self, index: int, image: np.ndarray) -> int:
        """The index of this picture, or of the first that is equal to it."""
        content = image.shape, blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        self._count += 1
        return self._first.setdefault(content, index)

    def notes(self) -> tuple[str, ...]:
        """A sentence, if there were equal ones."""
        equal = self._count - len(self._first)
        if not equal:
            return ()
        verb = "is equal to an earlier one, and shares its group"
        if equal > 1:
            verb = "are equal to earlier ones, and share their groups"
        return (f"{equal} of {self._count} pictures {verb}",)


def _from_torchvision(
    name: str, size: int | None, count: int | None, mode: str | None
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Images of a data set, and a name of each."""
    images, names = [], []
    # one patch an image at least, so `count` images are enough
    for i, picture in enumerate(torchvision_images(name, count or 10**9)):
        image = np.asarray(picture.convert("RGB" if mode == "rgb" else "L"))
        if size is not None:
            try:
                grid_of(image.shape, size)
            except ValueError as error:
                raise ValueError(f"{name}[{i}] {error}; give a smaller size, or None") from None
        images.append(image)
        names.append(f"{name}[{i}]")
    if size is None and len({image.shape for image in images}) > 1:
        raise ValueError(f"the images of {name} differ in size; give size=... to cut patches")
    return images, tuple(names)


def generated_scenes(
    size: int | None, count: int | None, mode: str | None, seed: int, batch: int | None = None
) -> Iterator[ImageSet]:
    """Scenes of `leakage.pictures.dead_leaves`, `batch` at a time or all at once.

    Scene i is the same whatever the count and the batch. A warning and a note tell if something
    of the name "scenes" lies in the current folder, for that is not what is read.

    Examples
    --------
    >>> [len(part) for part in generated_scenes(32, 5, None, 0, batch=3)]
    [3, 2]
    """
    from leakage.pictures import dead_leaves  # which needs SciPy, as no other source does

    total = dead_leaves.COUNT if count is None else count
    names = tuple(f"scene {i} (seed {seed})" for i in range(total))
    credits = ("generated by leakage",) * total
    notes: tuple[str, ...] = ()
    if Path("scenes").exists():
        notes = ("'scenes' are generated scenes; what lies here under that name is './scenes'",)
        warnings.warn(notes[0], stacklevel=3)  # whoever called load_images or image_batches
    side = dead_leaves.check_side(size)
    equals = Equals()
    for first in range(0, total, batch or total):
        indices = range(total)[first : first + (batch or total)]
        images = [dead_leaves.scene(seed, i, side, mode or "gray") for i in indices]
        groups = np.array([equals.group(i, x) for i, x in zip(indices, images, strict=True)])
        yield ImageSet(np.stack(images), groups, names, credits, notes)


def check_choice(size: int | None, count: int | None, mode: str | None) -> None:
    """Refuse arguments that `load_images` cannot mean, before anything is read."""
    check_mode(mode)
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


def load_images(
    source: str | Path = "photographs",
    *,
    size: int | None = 64,
    count: int | None = None,
    mode: str | None = None,
    seed: int = 0,
) -> ImageSet:
    """Load an image set.

    Parameters
    ----------
    source : str or Path
        ``"photographs"``: the photographs that scikit-image and scikit-learn install
        (`leakage.pictures.photographs` lists authors and licences). ``"scenes"``: generated
        scenes with the statistics of photographs, as many as one asks for, each of its own group.
        ``"torchvision:NAME"``: a torchvision data set, downloaded as torchvision does. Otherwise a
        folder (searched recursively) or a file: PGM, PPM, PNG, TIFF, BMP, JPEG, of 8 bits a
        sample. These names come first: a folder called so is ``"./photographs"`` or
        ``"./scenes"``. Hidden files are skipped; so are files of other kinds, with a warning. A
        picture with an orientation tag is turned upright.
    size : int or None
        Side in pixels of the square, non-overlapping patches that images are cut into, at most
        `PATCHES_PER_IMAGE` from each, evenly spread. None keeps whole images, all of one size.
        Scenes are made in this size, from 8 to 512.
    count : int or None
        Keep this many patches, drawn without replacement; None keeps all. Of scenes the first so
        many of an endless series; None makes 256.
    mode : {None, "gray", "rgb"}
        None keeps colour where any file of a folder has some; the bundled photographs, scenes and
        torchvision's sets are gray then. "gray" is the luma of ITU-R BT.601, as Pillow computes
        it.
    seed : int
        Of the draw of `count` patches, or of the series of scenes: scene i depends on seed, size
        and i alone, and not on the count.

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
    >>> load_images("scenes", count=5, mode="rgb")
    ImageSet of 5 RGB images of 64 x 64 from 5 sources
    """
    check_seed(seed)
    check_choice(size, count, mode)
    if str(source) == "scenes":
        (scenes,) = generated_scenes(size, count, mode, seed)
        return scenes
    if str(source).startswith("torchvision:"):
        name = str(source).removeprefix("torchvision:")
        wholes, names = _from_torchvision(name, size, count, mode)
        credits = (f"torchvision.datasets.{name}",) * len(names)
        notes: tuple[str, ...] = ()
    else:
        looked_at = surveyed(source, size, mode)
        wholes, problems = of_each_file(looked_at, lambda path: read_image(path, looked_at.mode))
        refuse_files(problems, len(looked_at.files))
        names = tuple(file.name for file in looked_at.files)
        credits, notes = tuple(file.credit for file in looked_at.files), looked_at.notes
    pieces = [whole[None] if size is None else patches(whole, size) for whole in wholes]
    images, groups = (
        np.concatenate(pieces),
        np.repeat(np.arange(len(wholes)), list(map(len, pieces))),
    )
    if count is not None:
        keep = drawn(len(images), count, seed, source)
        images, groups = images[keep], groups[keep]
    equals = Equals()
    first = np.arange(len(wholes))
    for i in np.unique(groups):
        first[i] = equals.group(int(i), wholes[i])
    groups = first[groups]
    notes = (*notes, *equals.notes())
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return ImageSet(images, groups, names, credits, notes)
