"""Where in the images of an audit the leak is, as far as single places show it."""

import numpy as np

from leakage.audits.couples import kinds_of
from leakage.audits.pairs import Pairs
from leakage.estimators.leak_maps import LeakMap, leak_map

#: Images that are mapped at most, sources that a map needs, and bytes that may be held for it.
MOST, FEWEST, BYTES = 60, 20, 1 << 27
#: Chance that a map without a leak marks any place.
LEVEL = 0.01
#: Behind its threshold: more than that level needs.
EXCHANGES = 299

_PLACES = 32  # a side, about


def where(pairs: Pairs, groups: np.ndarray, seed: int) -> LeakMap | None:
    """The map of what the images of the commonest shape have in common, by counting.

    Parameters
    ----------
    pairs : Pairs
        One of every source is read again.
    groups : ndarray of int, shape (N,)
        Source of each pair.
    seed : int
        Of splits and exchanges.

    Returns
    -------
    LeakMap or None
        None where images are too few, too large or too small for a map, or where none is marked.

    Examples
    --------
    >>> from leakage import load_images
    >>> from leakage.audits.pairs import from_arrays
    >>> plain = load_images("scenes", size=32, count=40).images
    >>> cipher = np.random.default_rng(0).integers(0, 256, plain.shape, np.uint8)
    >>> cipher[:, :16, :16] = plain[:, :16, :16]
    >>> found = where(from_arrays(plain, cipher), np.arange(40), seed=0)
    >>> bool(found.marked[:3, :3].all()), bool(found.marked[5:].any())
    (True, False)
    """
    kinds = kinds_of(pairs.shapes)
    inside = np.flatnonzero(kinds == np.bincount(kinds).argmax())
    shape = pairs.shapes[inside[0]]
    first = inside[np.unique(groups[inside], return_index=True)[1]]
    chosen = np.sort(first)[: min(MOST, BYTES // (2 * int(np.prod(shape))))]
    stride = max(4, -(-max(shape[:2]) // _PLACES))
    if len(chosen) < FEWEST or min(shape[:2]) < 2 * stride:
        return None
    plain, cipher = (np.stack(side) for side in zip(*map(pairs.read, chosen), strict=True))
    found = leak_map(
        plain, cipher, by="counting", level=LEVEL, patch=2 * stride, stride=stride,
        permutations=EXCHANGES, seed=seed,
    )  # fmt: skip
    return found if found.marked.any() else None
