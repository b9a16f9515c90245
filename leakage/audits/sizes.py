"""Size as a channel of its own: does a shape, or the length of a file, tell of what is shown?"""

import numpy as np

from leakage.audits.couples import kinds_of
from leakage.audits.findings import Finding
from leakage.audits.pairs import Pairs
from leakage.evidence.exchange import Units
from leakage.evidence.omnibus import omnibus_p_value

#: Groups that must share a shape, so that whole images of it are compared with each other.
FEWEST_ALIKE = 10
#: Exchanges of sizes: a p-value must survive the correction for all tests.
EXCHANGES = 9999

_CELLS = 4  # a thumbnail of so many rows and columns
_LOOKED_AT = "brightness, spread, detail and a thumbnail of 4 x 4"


class Sizes:
    """Looks at each image roughly, and asks whether sizes follow what it shows.

    Parameters
    ----------
    pairs : Pairs
        Their shapes, and the lengths of their files where they are files.
    groups : ndarray of int, shape (N,)
        Source of each pair; groups change places whole.

    Examples
    --------
    >>> from leakage.audits.pairs import Pairs
    >>> names = tuple(map(str, range(60)))
    >>> shapes = tuple((32, 32 + i % 7) for i in range(60))
    >>> found = Sizes(Pairs(names, shapes, tuple(range(60)), lambda i: None), np.arange(60))
    >>> for i, shape in enumerate(shapes):
    ...     found.add(np.full(shape, 30 * (i % 7), np.uint8))
    >>> [(f.name, f.p_value < 0.001) for f in found.findings(seed=0)]
    [('size follows content', True)]
    """

    def __init__(self, pairs: Pairs, groups: np.ndarray) -> None:
        self._pairs, self._groups = pairs, groups
        self._content: list[np.ndarray] = []

    def add(self, plain: np.ndarray) -> None:
        """Look at the next image."""
        self._content.append(_described(plain))

    def findings(self, seed: int) -> list[Finding]:
        """What sizes tell; nothing is asked of sizes that are all equal."""
        content = np.stack(self._content)
        rng = np.random.default_rng(seed)
        kinds = kinds_of(self._pairs.shapes)
        found = []
        if kinds.any():
            sides = np.array([[*shape[:2], np.prod(shape[:2])] for shape in self._pairs.shapes])
            p_value = self._tested(content, sides, Units(self._groups), rng)
            found.append(Finding(
                "structure", "size follows content", None,
                "A ciphertext has the size of its image, and sizes follow what images show: who "
                "sees only how large ciphertexts are knows something of the images.",
                "Sort the images by size, and compare the first with the last.", p_value,
                otherwise="Sizes differ, and ciphertexts show them, but they follow nothing of "
                f"what was looked at: {_LOOKED_AT}.",
            ))  # fmt: skip
        lengths = self._pairs.lengths
        if lengths is not None and _vary(lengths[:, 1], kinds):
            plain, cipher = np.log(lengths[:, :1]), np.log(lengths[:, 1:])
            p_value = self._tested(
                np.hstack([content, plain]), cipher, Units(self._groups, kinds), rng
            )
            found.append(Finding(
                "structure", "file length follows content", None,
                "Of images of one size, the lengths of the ciphertexts' files follow what the "
                "images show: who sees only the lengths knows something of the images.",
                "Sort the files of one size by length, and compare the first with the last.",
                p_value,
                otherwise="Of images of one size, the lengths of the ciphertexts' files follow "
                f"nothing of what was looked at: {_LOOKED_AT}, length of the image's file.",
            ))  # fmt: skip
        return found

    def _tested(
        self, content: np.ndarray, sizes: np.ndarray, units: Units, rng: np.random.Generator
    ) -> float:
        strata = units.strata(np.arange(len(content)), rng)
        return omnibus_p_value(content, sizes.astype(float), strata, EXCHANGES, rng)


def _described(image: np.ndarray) -> np.ndarray:
    """Brightness, spread, detail, colour, and a thumbnail."""
    gray = image.mean(2) if image.ndim == 3 else image.astype(float)
    cells = [
        part.mean()
        for row in np.array_split(gray, _CELLS)
        for part in np.array_split(row, _CELLS, 1)
    ]
    detail = [np.log1p(_change(gray, axis)) for axis in (0, 1)]
    colour = image.mean((0, 1)) - gray.mean() if image.ndim == 3 else np.zeros(3)
    return np.array([gray.mean(), gray.std(), *detail, *colour, *cells])


def _change(gray: np.ndarray, axis: int) -> float:
    """Mean change from a sample to the next, strip by strip: large images take much memory."""
    strips = np.array_split(gray, _CELLS, 1 - axis)
    return float(np.mean([np.abs(np.diff(strip, axis=axis)).mean() for strip in strips]))


def comparable(kinds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Which images have a shape that images of enough groups share.

    Examples
    --------
    >>> comparable(np.array([0] * 12 + [1]), np.arange(13)).tolist().count(True)
    12
    """
    sources = np.array([len(np.unique(groups[kinds == kind])) for kind in range(kinds.max() + 1)])
    return sources[kinds] >= FEWEST_ALIKE


def within_kinds(vectors: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Vectors less the mean of their kind, by its spread; as they are if all are of one kind.

    Examples
    --------
    >>> within_kinds(np.array([[1.0], [3.0], [10.0], [30.0]]), np.array([0, 0, 1, 1])).ravel()
    array([-1.,  1., -1.,  1.])
    """
    names = np.unique(kinds)
    if len(names) < 2:
        return vectors
    out = np.empty_like(vectors)
    for kind in names:
        of = kinds == kind
        spread = vectors[of].std(0)
        out[of] = (vectors[of] - vectors[of].mean(0)) / np.where(spread > 0, spread, 1)
    return out


def _vary(lengths: np.ndarray, kinds: np.ndarray) -> bool:
    return any(len(np.unique(lengths[kinds == kind])) > 1 for kind in np.unique(kinds))
