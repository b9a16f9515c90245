"""How many images a question needs, asked before anything is encrypted."""

from pathlib import Path

import numpy as np
import pandas as pd

from leakage.audits.couples import coupled
from leakage.audits.middles import middle
from leakage.audits.pairs import from_arrays, groups_of
from leakage.audits.power import power_of
from leakage.pictures.image_sets import ImageSet, load_images

#: Numbers of images that are tried, as far as there are so many.
COUNTS = (25, 50, 100, 200, 400, 800, 1600)
#: Side of the middle of an image that is looked at.
CROP = 224


def plan(
    images: np.ndarray | ImageSet | str | Path,
    *,
    groups: np.ndarray | str | Path | None = None,
    mode: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """What audits of the first few of these images, of more and of all would find.

    Images are paired with noise, as of a cipher that gives nothing away, and leaks of known size
    are planted; the smallest that is found in eight of ten cases is the power of a view. Of large
    images the middle is looked at, so that single samples are more than said in the full ones.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3), ImageSet, str or Path
        The images that are to be encrypted, or their folder, of one size.
    groups : ndarray of shape (N,), str or Path, optional
        Source of each, as of `leakage.audit`.
    mode : {None, "gray", "rgb"}
        How files are read.
    seed : int
        Of the noise and of what is planted.

    Returns
    -------
    DataFrame
        Indexed by the number of independent images, bits by view: ``pixel`` (a sample), ``patch``
        and ``critic`` (a patch), ``embedding`` and ``identification`` (an image); NaN where not
        even the largest leak that was tried is found. An audit of so many clears nothing.

    Raises
    ------
    ValueError
        Fewer images than the smallest number.

    Examples
    --------
    >>> table = plan(load_images("scenes", size=32, count=30).images)
    >>> table.index.tolist(), table.columns.tolist()
    ([25, 30], ['pixel', 'patch', 'critic', 'embedding', 'identification'])
    """
    from leakage.audits.critic import PictureCollector
    from leakage.audits.levels import Collector

    if isinstance(images, str | Path):
        images = load_images(str(images), size=None, mode=mode)
    if isinstance(images, ImageSet):
        groups, images = (images.groups if groups is None else groups), images.images
    rng = np.random.default_rng(seed)
    down, across = middle(images.shape[1:], CROP)
    plain = np.ascontiguousarray(images[:, down, across])
    pairs = from_arrays(plain, rng.integers(0, 256, plain.shape, np.uint8))
    labels = groups_of(pairs.names, pairs.same, groups)
    sources = rng.permutation(np.unique(labels))
    if len(sources) < COUNTS[0]:
        raise ValueError(
            f"{len(sources)} independent images are too few to plan with; give {COUNTS[0]} or more"
        )
    rows = {}
    for count in [*(c for c in COUNTS if c < len(sources)), len(sources)]:
        chosen = np.flatnonzero(np.isin(labels, sources[:count]))
        own = labels[chosen]
        shapes = [pairs.shapes[i] for i in chosen]
        collector = Collector(coupled(shapes, own), 4096, own, seed)
        read = PictureCollector(shapes, own, seed)
        for i in chosen:
            pair = pairs.read(int(i))
            collector.add(*pair)
            read.add(*pair)
        power = power_of(collector.sample(), read.pictures(), seed)
        rows[count] = {view.level: np.nan if view.bits is None else view.bits for view in power}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("images")
