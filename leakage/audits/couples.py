"""Which images exchange their ciphertexts in a test: couples of groups, image for image."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


def kinds_of(shapes: Sequence[Shape]) -> np.ndarray:
    """A number for each shape.

    Examples
    --------
    >>> kinds_of(((8, 8), (8, 16), (8, 8))).tolist()
    [1, 0, 1]
    """
    return np.unique([str(shape) for shape in shapes], return_inverse=True)[1]


@dataclass(frozen=True)
class Couples:
    """Images coupled by two, of equal shape, groups whole.

    Attributes
    ----------
    partners : ndarray of int, shape (N,)
        The image with which each exchanges its ciphertext; -1 for one that found no partner.
    units : ndarray of int, shape (N,)
        Images with the same number are of one couple of groups: they exchange all at once, and
        no two of them are independent.
    """

    partners: np.ndarray
    units: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The unit of every image that has a partner, -1 for the others."""
        return np.where(self.partners >= 0, self.units, -1)

    @property
    def count(self) -> int:
        """How many couples of groups exchange something."""
        return len(np.unique(self.units[self.partners >= 0]))


def coupled(shapes: Sequence[Shape], groups: np.ndarray) -> Couples:
    """Couple groups that have as many images of the same shapes, neighbours first.

    A group that no other is like exchanges with one that shares a shape what both have of it.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of the images. Only equal shapes exchange: a size may tell of an image by itself.
    groups : ndarray of int, shape (N,)
        Source of each image.

    Examples
    --------
    >>> found = coupled([(8, 8)] * 5, np.array([0, 0, 1, 1, 2]))
    >>> found.partners.tolist(), found.units.tolist()
    ([2, 3, 0, 1, -1], [0, 0, 0, 0, 4])
    """
    members: dict[int, list[int]] = defaultdict(list)
    for image, group in enumerate(groups.tolist()):
        members[group].append(image)
    partners = np.full(len(groups), -1)
    units = np.empty(len(groups), int)
    for rows in members.values():
        units[rows] = rows[0]
    waiting: dict[tuple, list[int]] = {}
    for rows in members.values():
        kind = tuple(sorted(Counter(shapes[i] for i in rows).items()))
        if kind in waiting:
            _couple(waiting.pop(kind), rows, shapes, partners, units)
        else:
            waiting[kind] = rows
    for one, other in _left_over(waiting.values(), shapes):
        _couple(one, other, shapes, partners, units)
    return Couples(partners, units)


def _left_over(
    groups: Iterable[list[int]], shapes: Sequence[Shape]
) -> Iterable[tuple[list[int], list[int]]]:
    """Groups that are unlike each other, by two that share their commonest shape, largest first."""
    alike: dict[Shape, list[list[int]]] = defaultdict(list)
    for rows in groups:
        alike[Counter(shapes[i] for i in rows).most_common(1)[0][0]].append(rows)
    for some in alike.values():
        some.sort(key=len, reverse=True)
        yield from zip(some[::2], some[1::2], strict=False)


def _couple(
    one: list[int],
    other: list[int],
    shapes: Sequence[Shape],
    partners: np.ndarray,
    units: np.ndarray,
) -> None:
    units[one + other] = min(one[0], other[0])
    for shape in {shapes[i] for i in one}:
        sides = ([i for i in rows if shapes[i] == shape] for rows in (one, other))
        for i, j in zip(*sides, strict=False):
            partners[i], partners[j] = j, i
