"""Image sets of any size, a batch at a time: read in bounded memory."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leakage.arguments import check_seed
from leakage.pictures.image_sets import (
    Equals,
    ImageSet,
    check_choice,
    drawn,
    generated_scenes,
    load_images,
    patch_count,
    patches,
    surveyed,
)
from leakage.pictures.surveys import Survey, refuse_files


def image_batches(
    source: str | Path = "photographs",
    *,
    size: int | None = 64,
    count: int | None = None,
    mode: str | None = None,
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
        Of `batch` images, with the names and credits of all source images.

    Raises
    ------
    ValueError, TypeError
        As `leakage.load_images`; a file that turns out to be broken is named when it is reached.

    Examples
    --------
    >>> [len(part) for part in image_batches(count=100, batch=64)]
    [64, 36]
    """
    check_seed(seed)
    check_choice(size, count, mode)
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    if str(source) == "scenes":
        yield from generated_scenes(size, count, mode, seed, batch)
        return
    if str(source).startswith("torchvision:"):
        yield from _parts(load_images(source, size=size, count=count, mode=mode, seed=seed), batch)
        return
    looked_at = surveyed(source, size, mode)
    refuse_files(looked_at.problems, len(looked_at.files))
    equals = Equals()
    for note in looked_at.notes:
        warnings.warn(note, stacklevel=2)
    names, credits = zip(*((file.name, file.credit) for file in looked_at.files), strict=True)
    images: list[np.ndarray] = []
    groups: list[int] = []
    for group, pieces in _wanted(looked_at, size, count, seed, source, equals):
        images += pieces
        groups += [group] * len(pieces)
        while len(images) >= batch:
            these, of = np.stack(images[:batch]), np.array(groups[:batch])
            yield ImageSet(these, of, names, credits, looked_at.notes)
            del images[:batch], groups[:batch]
    if images:
        yield ImageSet(np.stack(images), np.array(groups), names, credits, looked_at.notes)
    for note in equals.notes():
        warnings.warn(note, stacklevel=2)


def _parts(whole: ImageSet, batch: int) -> Iterator[ImageSet]:
    """A set that is in memory, `batch` at a time."""
    for i in range(0, len(whole), batch):
        part = slice(i, i + batch)
        yield ImageSet(whole.images[part], whole.groups[part], whole.names, whole.credits)


def _wanted(
    looked_at: Survey,
    size: int | None,
    count: int | None,
    seed: int,
    source: str | Path,
    equals: Equals,
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """The group of each file of which something is kept, and what is kept of it."""
    sizes = [patch_count(header.shape, size) for header in looked_at.headers if header]
    kept = np.arange(sum(sizes)) if count is None else drawn(sum(sizes), count, seed, source)
    wanted_of_each = np.split(np.isin(np.arange(sum(sizes)), kept), np.cumsum(sizes)[:-1])
    for i, (file, wanted) in enumerate(zip(looked_at.files, wanted_of_each, strict=True)):
        if not wanted.any():
            continue
        image = looked_at.read(file)
        pieces = image[None] if size is None else patches(image, size)
        yield equals.group(i, image), list(pieces[wanted])
