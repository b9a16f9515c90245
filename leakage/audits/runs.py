"""Runs of samples of a keystream that come back: inside an image, or in another, at any offset.

A run counts where image and ciphertext differ from those of the other place in the same varied way,
for c1 XOR c2 = x1 XOR x2 then holds of what nobody but a shared keystream could make equal. Equal
parts of two images with equal parts of two ciphertexts (a margin, a header, padding) do not count.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

#: Samples of a run that may not come back.
WINDOW = 128
#: Of these so many must be unlike the one before: an unencrypted part has no keystream.
_CHANGES = 32
#: So many of the runs of eight samples of a difference of two images must be unlike each other.
_VARIED, _PART = 32, 8
#: Runs that are hashed at a time: what is needed for them stays in the cache.
_STEP = 1 << 15
#: Runs that are remembered of all images together; the share that is kept follows from it.
_MOST = 1_000_000
#: Pairs of images that are read again to compare what seems equal.
COMPARED = 64
#: Both ways to combine a keystream with an image.
OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "XOR": np.bitwise_xor,
    "difference modulo 256": lambda plain, cipher: cipher - plain,
}

Pair = tuple[np.ndarray, np.ndarray]


class Shared(NamedTuple):
    """A run of keystream that two images share: which images, and where it begins in each."""

    one: int
    other: int
    place: int
    other_place: int


@lru_cache(maxsize=2)
def _powers(ratio: int) -> np.ndarray:
    return np.cumprod(np.full(_STEP + WINDOW, np.uint64(ratio)))


def _hashes(flat: np.ndarray) -> np.ndarray:
    """A polynomial hash of every run of a step, modulo 2**64; what it finds is compared."""
    ratio = 6364136223846793005
    inverse = _powers(pow(ratio, -1, 1 << 64))
    sums = np.zeros(flat.size + 1, np.uint64)
    np.cumsum(flat * _powers(ratio)[: flat.size], out=sums[1:])
    return (sums[WINDOW:] - sums[:-WINDOW]) * inverse[: flat.size - WINDOW + 1]


def _steps(size: int) -> Iterator[tuple[int, slice]]:
    """Where the runs of each step begin, and the samples that they lie in."""
    for start in range(0, size - WINDOW + 1, _STEP):
        yield start, slice(start, start + _STEP + WINDOW - 1)


def _changing(flat: np.ndarray) -> np.ndarray:
    """Of every run, whether enough of its samples are unlike the one before."""
    sums = np.zeros(flat.size, np.int32)
    np.cumsum(flat[1:] != flat[:-1], out=sums[1:])
    return sums[WINDOW - 1 :] - sums[: flat.size - WINDOW + 1] >= _CHANGES


def _varied(run: np.ndarray) -> bool:
    parts = np.lib.stride_tricks.sliding_window_view(run, _PART)
    return len(np.unique(parts, axis=0)) >= _VARIED


def repeated_runs(plain: np.ndarray, cipher: np.ndarray) -> int:
    """Places where a run of keystream begins that has occurred before in the image.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain, key = rng.integers(0, 256, (2, 32, 32), np.uint8)
    >>> key[16:] = key[:16]
    >>> repeated_runs(plain, plain ^ key), repeated_runs(plain, key)
    (385, 0)
    """
    if plain.size < 2 * WINDOW:
        return 0
    return max(_repeated(plain.ravel(), of(plain, cipher).ravel()) for of in OPERATIONS.values())


def _repeated(plain: np.ndarray, difference: np.ndarray) -> int:
    hashes = np.empty(difference.size, np.uint64)  # of a large image parts and their whole are much
    count = 0
    for _, part in _steps(difference.size):
        some = _hashes(difference[part])[_changing(difference[part])]
        hashes[count : count + len(some)] = some
        count += len(some)
    hashes = hashes[:count]
    hashes.sort()
    hashes = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])  # those of several runs
    if not hashes.size:
        return 0
    later, twins = _later(difference, hashes)
    at, found, seen = np.arange(WINDOW), 0, False
    for start in range(0, later.size, 4096):
        some = later[start : start + 4096], twins[start : start + 4096]
        runs, before = (difference[p[:, None] + at] for p in some)
        apart = np.bitwise_xor(*(plain[p[:, None] + at] for p in some))
        fits = (runs == before).all(1) & ((apart != 0).sum(1) >= _PART)
        # one truly varied place proves it, and then the others count; all would take long to ask
        seen = seen or any(map(_varied, apart[fits][:: max(1, int(fits.sum()) // 64)]))
        found += int(fits.sum())
    return found if seen else 0


def _later(difference: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs with these hashes begin, but for the first with each, and where that begins."""
    places, which = [], []
    for start, at in _steps(difference.size):
        found = _hashes(difference[at])
        near = np.minimum(np.searchsorted(hashes, found), len(hashes) - 1)
        inside = np.flatnonzero((hashes[near] == found) & _changing(difference[at]))
        places.append(start + inside)
        which.append(near[inside])
    place, number = np.concatenate(places), np.concatenate(which)
    first = place[np.unique(number, return_index=True)[1]][number]
    return place[place != first], first[place != first]


class SharedRuns:
    """Remembers some runs of the difference of each image, and tells which two images share.

    The runs are chosen by what they hold, so that two images remember the same of what they share,
    whatever the offset: of a run of L samples both remember about (L - 127) / `rare`.

    Parameters
    ----------
    samples : int
        Of all images together, from which follows what share of them can be remembered.
    read : callable
        The number of an image to it and its ciphertext, once more: what seems equal is compared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain = rng.integers(0, 256, (2, 32, 32), np.uint8)
    >>> stream = rng.integers(0, 256, 1040, np.uint8)
    >>> keys = np.stack([stream[:1024], stream[16:]]).reshape(plain.shape)
    >>> runs = SharedRuns(plain.size, lambda i: (plain[i], (plain ^ keys)[i]))
    >>> for i in range(2):
    ...     runs.add(i, plain[i], plain[i] ^ keys[i])
    >>> found = runs.found("XOR")[0]
    >>> found.place - found.other_place
    16
    """

    def __init__(self, samples: int, read: Callable[[int], Pair]) -> None:
        #: One run in so many is remembered.
        self.rare = 1 << max(2, int(np.ceil(np.log2(max(1, samples / _MOST)))))
        self._read = read
        self._kept: dict[str, list[np.ndarray]] = {name: [] for name in OPERATIONS}

    def add(self, index: int, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Remember some runs of one image."""
        if plain.size < WINDOW:
            return
        kept: dict[str, list[np.ndarray]] = {name: [] for name in OPERATIONS}
        one, other = plain.ravel(), cipher.ravel()
        for start, at in _steps(plain.size):
            of_plain = _hashes(one[at])
            for name, difference_of in OPERATIONS.items():
                difference = difference_of(one[at], other[at])
                hashes = _hashes(difference)
                mixed = hashes * np.uint64(0x9E3779B97F4A7C15)
                rare = mixed >> np.uint64(64 - self.rare.bit_length() + 1) == 0
                places = np.flatnonzero(rare & _changing(difference))
                begin = (start + places).astype(np.uint64)
                kept[name].append(np.stack([hashes[places], of_plain[places], begin]))
        for name, some in kept.items():
            hashes, of_plain, begin = np.concatenate(some, axis=1)
            first = np.unique(hashes, return_index=True)[1]
            owner = np.full(len(first), index, np.uint64)
            self._kept[name].append(np.stack([hashes[first], of_plain[first], owner, begin[first]]))

    def found(self, name: str) -> list[Shared]:
        """One run for each two images of which it is certain that they share some."""
        shared: dict[tuple[int, int], Shared] = {}
        tried: dict[tuple[int, int], int] = {}
        for one in self._likely(name):
            pair = one.one, one.other
            tries = tried.get(pair, 0)
            if pair in shared or tries >= 4 or (not tries and len(tried) >= COMPARED):
                continue
            tried[pair] = tries + 1
            if self._certain(name, one):
                shared[pair] = one
        return list(shared.values())

    def _likely(self, name: str) -> Iterator[Shared]:
        """Runs that two images seem to share, while the images themselves differ there."""
        if not self._kept[name]:
            return
        hashes, of_plain, owner, place = np.concatenate(self._kept[name], axis=1)
        order = np.lexsort((owner, hashes))
        start = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]))
        first = np.repeat(start, np.diff(np.append(start, len(order))))
        for back in (first, np.maximum(np.arange(len(order)) - 1, first)):
            one, other = order[back], order
            apart = (of_plain[one] != of_plain[other]) & (owner[one] != owner[other])
            for i, j in zip(one[apart].tolist(), other[apart].tolist(), strict=True):
                yield Shared(int(owner[i]), int(owner[j]), int(place[i]), int(place[j]))

    def _certain(self, name: str, run: Shared) -> bool:
        sides = []
        for image, place in ((run.one, run.place), (run.other, run.other_place)):
            pair = self._read(image)
            part = slice(place, place + WINDOW)
            sides.append((pair[0].ravel()[part], OPERATIONS[name](*pair).ravel()[part]))
        (plain, key), (other_plain, other_key) = sides
        return bool((key == other_key).all()) and _varied(plain ^ other_plain)
