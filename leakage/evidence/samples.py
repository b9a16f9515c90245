"""Paired samples and their groups: what every estimator of vectors accepts."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from leakage.arguments import check_image_groups, check_int, check_labels

#: Beyond these, squares of numbers leave the range of floats: a side is scaled by a power of two.
SMALLEST, LARGEST = 1e-100, 1e100
#: A column of so few values is a code, whose values come again by chance.
FEW_VALUES = 16
#: Vectors come again by chance if so large a share of the equal ones has another partner.
ALONE = 0.1


def check_samples(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike | None, folds: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paired vectors as float64 with their groups, or the error that says what is wrong.

    Parameters
    ----------
    x, y : array_like, shape (N, dx) and (N, dy)
        Paired rows of finite numbers.
    groups : array_like of shape (N,), or None
        None: every row is its own group.
    folds : int
        That the groups must be able to fill.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups.

    Examples
    --------
    >>> x, y, groups = check_samples(np.eye(8), np.eye(8), None, 2)
    >>> groups
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """
    x, y = (_numbers(name, value) for name, value in (("x", x), ("y", y)))
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows, y has {len(y)}; rows must be paired")
    check_int("folds", folds)
    if folds < 2:
        raise ValueError(f"folds must be at least 2, not {folds}")
    labels = _labels(groups, len(x), folds)
    for name, value in (("x", x), ("y", y)):
        if np.all(value == value[0]):
            raise ValueError(
                f"{name} is constant: all {len(value)} rows are equal, so it carries no information"
            )
    return x, y, labels


def _numbers(name: str, given: ArrayLike) -> np.ndarray:
    """Rows of finite numbers as float64."""
    if np.ma.is_masked(given):
        raise ValueError(f"{name} has masked values, which would be taken as they are; drop them")
    value = np.asarray(given)
    if np.iscomplexobj(value):
        raise ValueError(
            f"{name} is complex; give real and imaginary parts as columns of their own"
        )
    if value.ndim == 2 and not value.shape[1]:
        raise ValueError(f"{name} has no columns, {value.shape}; give one at least")
    if value.dtype == object:
        raise ValueError(
            f"{name} holds Python objects, as rows of unequal length or missing values make them; "
            "give numpy.array(rows, dtype=float)"
        )
    if value.ndim != 2 or not np.issubdtype(value.dtype, np.number):
        raise ValueError(
            f"{name} must be numbers of shape (N, d), one row a sample, not "
            f"{value.dtype} {value.shape}; one variable is x[:, None]"
        )
    value = value.astype(np.float64)
    most = np.abs(value).max(initial=0, where=np.isfinite(value))
    if most > LARGEST or 0 < most < SMALLEST:
        value = np.ldexp(value, -int(np.frexp(most)[1]))
    if bad := np.count_nonzero(~np.isfinite(value).all(1)):
        raise ValueError(f"{name} has NaN or infinite values in {bad} rows; drop those samples")
    return value


def _labels(groups: ArrayLike | None, rows: int, folds: int) -> np.ndarray:
    """One label a sample, of groups enough for the folds."""
    labels = np.arange(rows) if groups is None else np.asarray(groups)
    if labels.shape != (rows,):
        raise ValueError(f"groups must be one label a sample, ({rows},), not {labels.shape}")
    check_labels(labels)
    if (count := len(np.unique(labels))) < folds:
        raise ValueError(
            f"{rows} samples from {count} groups cannot fill {folds} folds; "
            "give more source images or fewer folds"
        )
    if rows < 4 * folds:
        raise ValueError(f"{rows} samples are too few for {folds} folds of at least 4")
    return labels


class Usable(NamedTuple):
    """The samples that an estimate can use, and what was noticed about them.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n, dx) and (n, dy)
        Paired rows.
    groups : ndarray of int, shape (n,)
        Copies of one pair are in one group.
    kinds : ndarray of int, shape (n,), or None
        Of the strata of the samples, where there are any.
    flags : tuple of str
        What was merged or left out.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray | None
    flags: tuple[str, ...]


def usable_samples(
    x: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None,
    folds: int,
    seed: int,
    strata: ArrayLike | None = None,
) -> Usable:
    """Checked samples, copies in one group, and no group larger than a fold.

    A pair (x, y) that occurs more than once where chance does not repeat pairs is one observation,
    so the groups of its rows become one. Of a group that would fill more than a fold, random rows
    are used, as many as a fold has.

    Raises
    ------
    ValueError, TypeError
        As `check_samples`; too few samples are left.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> usable_samples(np.vstack([x, x]), np.vstack([x, x]), None, 5, 0).flags
    ('40 of 80 rows repeat others: they count once',)
    """
    left, right, labels = check_samples(x, y, groups, folds)
    kinds = None if strata is None else _kinds(strata, len(left))
    member = np.unique(labels, return_inverse=True)[1]
    flags: tuple[str, ...] = ()
    if repeated := _repeated(left, right):
        member = merged(member, repeated.of)
        flags = (f"{repeated.times} of {len(left)} rows repeat others: they count once",)
        _check_enough(
            len(left), len(np.unique(member)), folds, "after repeated rows are counted once"
        )
    rows = _capped(member, folds, np.random.default_rng(seed))
    if len(rows) == len(left):
        return Usable(left, right, member, kinds, flags)
    flags += (
        f"{len(left) - len(rows)} rows of large groups are left out, so that none fills more than "
        "a fold",
    )
    when = "once no group fills more than a fold"
    _check_enough(len(rows), len(np.unique(member)), folds, when)
    left, right, member = left[rows], right[rows], member[rows]
    for name, side in (("x", left), ("y", right)):
        if (side == side[0]).all():
            raise ValueError(
                f"{name} is constant in the {len(rows)} rows that are left {when}; "
                "give more source images"
            )
    return Usable(left, right, member, kinds if kinds is None else kinds[rows], flags)


def _kinds(strata: ArrayLike, rows: int) -> np.ndarray:
    labels = np.asarray(strata)
    if labels.shape != (rows,):
        raise ValueError(f"strata must be one label a sample, ({rows},), not {labels.shape}")
    return np.unique(labels, return_inverse=True)[1]


def _check_enough(rows: int, count: int, folds: int, when: str) -> None:
    if count < folds or rows < 4 * folds:
        raise ValueError(
            f"{rows} samples from {count} groups are left {when}, too few for {folds} folds of at "
            "least 4; give more source images or fewer folds"
        )


class _Repeated(NamedTuple):
    of: np.ndarray  # number of the pair that each row shows
    times: int  # rows beyond the first of their pair


def _repeated(x: np.ndarray, y: np.ndarray) -> _Repeated | None:
    """Rows that repeat a pair; None where there are none, or where chance alone repeats them.

    Chance repeats a pair only if it can repeat either side: labels come again, but not with the
    same vector.
    """
    first, of = _distinct(np.hstack([x, y]))
    count = len(x) - len(first)
    equal = _equal_rows(of)
    if not count or all(_may_come_again(side, first, equal) for side in (x, y)):
        return None
    return _Repeated(of, count)


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of each rows that are equal, and which of these each row is."""
    joint = np.ascontiguousarray(rows + 0.0)  # -0.0 is 0.0
    keys = joint.view(np.dtype((np.void, joint.itemsize * joint.shape[1]))).ravel()
    return np.unique(keys, return_index=True, return_inverse=True)[1:]


def _equal_rows(of: np.ndarray) -> float:
    """Number of couples of rows that are equal."""
    counts = np.bincount(of)
    return float((counts * (counts - 1) / 2).sum())


def _may_come_again(side: np.ndarray, first: np.ndarray, equal: float) -> bool:
    """Whether rows of one side are equal by chance: few values, or often beside others.

    `first`: rows with distinct pairs. `equal`: couples of rows with equal pairs.
    """
    if len(side) * (len(side) - 1) / 2 * _chance_of_equal(side[first]) > 0.5:
        return True
    values, of = _distinct(side)
    if side.shape[1] == 1 and len(values) <= FEW_VALUES:
        return True
    couples = _equal_rows(of)
    return couples - equal > ALONE * couples


def _chance_of_equal(distinct: np.ndarray) -> float:
    """Chance that two rows are equal if coordinates are independent of each other."""
    chance = 1.0
    for column in distinct.T:
        values, counts = np.unique(column, return_counts=True)
        if len(values) == len(column) and not _on_a_lattice(values):
            return 0.0
        chance *= float(((counts / len(column)) ** 2).sum())
    return chance


def _on_a_lattice(values: np.ndarray) -> bool:
    """Whether sorted values are whole numbers, or steps of one size, as gray values are."""
    if np.array_equal(values, np.rint(values)):
        return True
    steps = np.diff(values)
    ratios = steps / steps.min()
    return bool(np.abs(ratios - np.rint(ratios)).max() < 1e-6)


def image_groups(images: np.ndarray, groups: ArrayLike | None) -> np.ndarray:
    """Number of the group of each image, from 0; equal images are one group.

    Raises
    ------
    ValueError
        Not one label an image.

    Examples
    --------
    >>> image_groups(np.array([[[1]], [[2]], [[1]]], np.uint8), None).tolist()
    [0, 1, 0]
    """
    labels = check_image_groups(groups, len(images))
    _, shown = np.unique(_digests(images), return_inverse=True)
    return merged(np.unique(labels, return_inverse=True)[1], shown)


def _digests(images: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


class EarlierImages:
    """Images of batches that came before: one that comes again is no new evidence.

    Attributes
    ----------
    repeated : int
        How many came again.
    too_few : int
        How many were new, of fewer sources than a batch needs.

    Examples
    --------
    >>> images = np.arange(3, dtype=np.uint8)[:, None, None]
    >>> earlier = EarlierImages()
    >>> _ = earlier.rest(images[:2], images[:2], np.arange(2))
    >>> plain, cipher, groups = earlier.rest(images, images, np.arange(3))
    >>> plain.ravel().tolist(), groups.tolist(), earlier.repeated
    ([2], [0], 2)
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self.repeated = self.too_few = 0

    def rest(
        self, plain: np.ndarray, cipher: np.ndarray, groups: np.ndarray, *, fewest: int = 1
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Those of a batch that are in no earlier one, their groups numbered anew, from 0.

        Within a batch images may be equal. One that repeats nothing is given back as it is; None
        where the new ones are of fewer groups than `fewest`.
        """
        digests = _digests(plain)
        new = np.array([digest not in self._digests for digest in digests])
        self._digests.update(digests)
        self.repeated += int(np.count_nonzero(~new))
        names, member = np.unique(groups[new], return_inverse=True)
        if len(names) < fewest:
            self.too_few += int(np.count_nonzero(new))
            return None
        return (plain, cipher, groups) if new.all() else (plain[new], cipher[new], member)

    @property
    def flags(self) -> list[str]:
        """What an estimate says of them."""
        told = {
            "repeat those of earlier batches": self.repeated,
            "are of fewer new sources than a batch needs": self.too_few,
        }
        return [
            f"{count} images {what}: they are left out" for what, count in told.items() if count
        ]


def merged(member: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Groups joined where they show the same: a label for each row.

    Examples
    --------
    >>> merged(np.array([0, 1, 2, 1]), np.array([5, 5, 6, 7])).tolist()
    [0, 0, 1, 0]
    """
    n_groups, n_pairs = member.max() + 1, of.max() + 1
    edges = coo_array(
        (np.ones(len(of), np.int8), (member, n_groups + of)), shape=(n_groups + n_pairs,) * 2
    )
    return connected_components(edges, directed=False)[1][member]


def _capped(member: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Rows such that no group has more than a share of 1 / folds of them."""
    sizes = np.unique(member, return_counts=True)[1]
    low, high = 1, int(sizes.max())
    while low < high:
        middle = (low + high + 1) // 2
        fits = middle * folds <= np.minimum(sizes, middle).sum()
        low, high = (middle, high) if fits else (low, middle - 1)
    cap = low
    if sizes.max() <= cap:
        return np.arange(len(member))
    order = np.lexsort((rng.random(len(member)), member))
    start = np.cumsum(np.append(0, sizes[:-1]))
    within = np.arange(len(member)) - np.repeat(start, sizes)
    return np.sort(order[within < cap])
