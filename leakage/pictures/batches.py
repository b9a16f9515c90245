"""Image sets of any size, a batch at a time: read in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leakage.pictures.image_sets import (
    ImageSet,
    check_choice,
    drawn,
    image_files,
    load_images,
    of_each_file,
    patch_count,
    read_pieces,
)
from leakage.pictures.reading import image_shape


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
    names, credits = tuple(file.name for file in files), tuple(file.credit for file in files)

    def count_of(path: Path) -> tuple[tuple[int, ...], int]:
        shape = image_shape(path)
        return shape, patch_count(shape, size)

    sizes = of_each_file(files, size, count_of)
    kept = np.arange(sum(sizes)) if count is None else drawn(sum(sizes), count, seed, source)
    wanted_of_each = np.split(np.isin(np.arange(sum(sizes)), kept), np.cumsum(sizes)[:-1])
    images: list[np.ndarray] = []
    groups: list[int] = []
    for group, (file, wanted) in enumerate(zip(files, wanted_of_each, strict=True)):
        if not wanted.any():
            continue
        try:
            _, pieces = read_pieces(file.path, size, mode)
        except ValueError as error:
            raise ValueError(f"{file.name} {error}; mend or remove it") from None
        images += list(pieces[wanted])
        groups += [group] * int(wanted.sum())
        while len(images) >= batch:
            yield ImageSet(np.stack(images[:batch]), np.array(groups[:batch]), names, credits)
            del images[:batch], groups[:batch]
    if images:
        yield ImageSet(np.stack(images), np.array(groups), names, credits)
