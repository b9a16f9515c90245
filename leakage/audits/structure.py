"""Exact checks of structure: what a ciphertext may not have in common with its image.

They need no estimate: what they find is there, bit for bit, in all the pairs that they name. The
difference of a pair is image XOR ciphertext, or ciphertext minus image modulo 256: for a stream
cipher, the keystream.
"""

from collections import Counter
from collections.abc import Callable
from functools import reduce
from hashlib import blake2b
from math import prod

import numpy as np

from leakage.audits.couples import Couples, coupled
from leakage.audits.findings import Finding
from leakage.audits.holes import Holes, counted
from leakage.audits.pairs import Pairs
from leakage.audits.parts import VARIED, ClearParts, ClearPlaces, ClearPlanes
from leakage.audits.runs import COMPARED, OPERATIONS, WINDOW, Shared, SharedRuns, repeated_runs
from leakage.audits.uneven import CoupledDifferences
from leakage.pictures.value_counts import value_counts

_SUMS = (4, 8, 16, 32)  # sides of blocks whose sums are compared, each a multiple of the last
_ALL = 0.95  # of the equal blocks of an image, under a codebook all of them
_LOOKED_AT = 16  # images in which repeated windows and blocks are looked for
_NO_CHANCE = 8  # different values, or pairs of them, whose counts are kept by no accident
_FEW = 4  # equal blocks that are no accident


class Structure:
    """Gathers pairs one at a time, in their order; `findings` tells at the end.

    Parameters
    ----------
    pairs : Pairs
        What will come; some are read once more to compare what seems equal.
    couples : Couples, optional
        Which images exchange their ciphertexts. Without them each image is independent of the
        others, but for equal ones.
    apart : bool
        Whether every image was encrypted by itself, so that a ciphertext that occurs twice is no
        record saved twice.
    seed : int
        Of the exchanges.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> from leakage.audits.pairs import from_arrays
    >>> images = load_images(count=8).images
    >>> pairs = from_arrays(images, get_scheme("skk").encrypt(images, bytes(16)))
    >>> checks = Structure(pairs)
    >>> for plain, cipher in pairs:
    ...     checks.add(plain, cipher)
    >>> "folded histogram" in [finding.name for finding in checks.findings() if finding.leaks]
    True
    """

    def __init__(
        self, pairs: Pairs, couples: Couples | None = None, *, apart: bool = False, seed: int = 0
    ) -> None:
        self.images = self.clear = self.flat = self.equal_pairs = 0
        self._channels = 3 if len(pairs.shapes[0]) == 3 else 1
        self._holes = Holes(self._channels, seed)
        self._parts = ClearParts()
        self._places = ClearPlaces(pairs.shapes)
        self._planes = ClearPlanes()
        self._one_value: Counter[str] = Counter()  # images with one difference for all samples
        self._pairs, self._apart, self._seed = pairs, apart, seed
        self._uneven = CoupledDifferences(couples or coupled(pairs.shapes, np.array(pairs.same)))
        self._runs = SharedRuns(sum(map(prod, pairs.shapes)), pairs.read)
        self._whole: dict[str, dict[bytes, list[int]]] = {name: {} for name in OPERATIONS}
        self._ciphers: dict[int, set[bytes]] = {}  # of each image that is equal to no earlier one
        self.repeated_plain = 0
        self.kept: Counter[str] = Counter()
        self.surely: Counter[str] = Counter()  # of those, what no chance keeps
        self.equal_blocks: Counter[str] = Counter()
        self.equal_ciphers: Counter[str] = Counter()
        self._equal_in: Counter[str] = Counter()  # images
        self.windows = 0
        self._index = -1
        self._before: tuple[np.ndarray, np.ndarray] | None = None  # another image, its ciphertext

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at the next pair, uint8 of one shape."""
        self._index += 1
        self._uneven.add(self._index, plain, cipher)
        if self._seen_before(cipher):
            return  # a pair that is there twice is one pair
        counts = counted(plain, cipher, self._channels)
        same = counts[:, 0].sum() == plain.size
        if same and np.ptp(plain) < VARIED:
            self.flat += 1  # it shows nothing, and most ciphers of places leave it as it is
            return
        self.images += 1
        self._holes.add(plain, cipher, counts)
        self._planes.add(self._pairs.names[self._index], plain, counts)
        if same:
            self.clear += 1
            return  # an image in the clear has everything in common with itself
        self._look_at_difference(plain, cipher)
        self._look_at_kept(plain, cipher)
        if self.images <= _LOOKED_AT:
            self.windows += repeated_runs(plain, cipher)
            if self._before is not None and self._before[1].shape == cipher.shape:
                self._compare_blocks(plain, cipher, self._before)
            self._before = plain, cipher

    def _look_at_difference(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        self._runs.add(self._index, plain, cipher)
        self._parts.add(self._pairs.names[self._index], plain, cipher)
        self._places.add(plain, cipher)
        for name, difference_of in OPERATIONS.items():
            stream = difference_of(plain, cipher)
            if (stream != stream.flat[0]).any():
                self._whole[name].setdefault(_digest(stream), []).append(self._index)
            elif (plain != plain.flat[0]).any():
                self._one_value[name] += 1

    def _look_at_kept(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        one, other = (value_counts(image) for image in (plain, cipher))
        for name, of in _KEPT.items():
            kept = bool(np.array_equal(of(one), of(other)))
            self.kept[name] += kept
            self.surely[name] += int(kept and np.count_nonzero(of(one)) >= _NO_CHANCE)
        for side, one, other in zip((*_SUMS, 0), _sums(plain), _sums(cipher), strict=True):
            self.kept[f"sums {side}"] += bool(one.size and np.array_equal(one, other))

    def _seen_before(self, cipher: np.ndarray) -> bool:
        """Whether this pair, image and ciphertext, has come before."""
        first = self._pairs.same[self._index]
        known = self._ciphers.setdefault(first, set())
        self.repeated_plain += bool(known)
        value = _digest(cipher)
        before = value in known
        self.equal_pairs += before
        known.add(value)
        return before

    def _compare_blocks(
        self, plain: np.ndarray, cipher: np.ndarray, before: tuple[np.ndarray, np.ndarray]
    ) -> None:
        for name, blocks_of in _BLOCKS.items():
            one, other = blocks_of(plain), blocks_of(cipher)
            if one is None or other is None:
                continue
            later, twins = _equal_blocks(one)
            # blocks that are the same sample all over prove nothing where planes are in the clear
            alike = (other[later] == other[twins]).all(1)
            # what is equal in another image's ciphertext too is so by its place, as in a header,
            # but where that image is equal there as well and no equal blocks become different
            another = [blocks_of(side) for side in before]
            both = [(of[later] == of[twins]).all(1) for of in another if of is not None]
            placed = both[1] & ~(both[0] & (alike.mean() > _ALL if later.size else False))
            changed = (other[later] != one[later]).any(1)
            # nor do ciphertexts that are: some are constant in places, whatever the image
            varied = (other[later] != other[later, :1]).any(1)
            self.equal_blocks[name] += later.size
            kept = int((alike & changed & varied & ~placed).sum())
            self.equal_ciphers[name] += kept
            self._equal_in[name] += kept > 1 and kept > 0.2 * later.size

    @property
    def clear_planes(self) -> int:
        """Bit planes that vary, and in which no image differs from its ciphertext, as a byte."""
        return self._planes.in_all

    def findings(self) -> list[Finding]:
        """All checks, in a fixed order; p-values are not corrected yet."""
        if self.images + self.flat == 0:
            raise ValueError("add at least one pair before asking for findings")
        encrypted = self.images - self.clear
        found = [self._in_the_clear()]
        if encrypted:
            found = [
                self._one_key(encrypted),
                *found,
                self._planes.finding(),
                self._reused(encrypted),
                self._windows(),
                self._holes.finding(),
                self._uneven.finding(self._seed),
                self._blocks(),
                *self._preserved(encrypted),
                self._parts.finding(self.images),
                self._places.finding(),
                *self._deterministic(),
            ]
        return found

    def _in_the_clear(self) -> Finding:
        return Finding(
            "structure", "images in the clear", self.clear > 0,
            f"{self.clear} of {self.images} ciphertexts are their images." if self.images
            else "All images are flat, and are their own ciphertexts.",
            "Compare the files byte by byte.",
        )  # fmt: skip

    def _one_key(self, encrypted: int) -> Finding:
        name, count = max([("XOR", 0), *self._one_value.items()], key=lambda item: item[1])
        return Finding(
            "structure", "one key value an image", count > 0,
            f"The {name} of image and ciphertext is one value for all samples of an image, in "
            f"{count} of {encrypted}: 256 trials find the image." if count
            else "No image has one difference to its ciphertext for all its samples.",
            "Look at image XOR ciphertext, and at ciphertext minus image.",
        )  # fmt: skip

    def _reused(self, encrypted: int) -> Finding:
        for name, streams in self._whole.items():
            twice = sum(len(images) for images in streams.values() if len(images) > 1)
            if twice:
                return _reuse(
                    f"{twice} of {encrypted} pairs have the {name} of image and ciphertext in "
                    "common with another: combine two such ciphertexts, and two images are left."
                )
        for name in OPERATIONS:
            if shared := self._runs.found(name):
                return _reuse(self._told(name, shared))
        return _reuse("")

    def _told(self, name: str, shared: list[Shared]) -> str:
        images = {image for run in shared for image in (run.one, run.other)}
        run, names = shared[0], self._pairs.names
        more = " or more" if len(shared) >= COMPARED else ""
        return (
            f"Parts of the {name} of image and ciphertext are the same in {len(images)} "
            f"images{more}, for instance {names[run.one]} from sample {run.place} and "
            f"{names[run.other]} from sample {run.other_place}: combine these parts of the "
            "ciphertexts, and the images are left."
        )

    def _windows(self) -> Finding:
        return Finding(
            "structure", "keystream repeated", self.windows > 0,
            f"Runs of {WINDOW} samples of the difference of image and ciphertext come back inside "
            f"an image, at {self.windows} places: the keystream has a period or restarts."
            if self.windows
            else f"No run of {WINDOW} samples of image XOR ciphertext comes back.",
            "Shift the XOR of image and ciphertext against itself.",
        )  # fmt: skip

    def _blocks(self) -> Finding:
        names = [
            name for name, equal in self.equal_ciphers.items()
            if equal >= _FEW and equal > 0.2 * self.equal_blocks[name]
            and self._equal_in[name] >= _images_needed(self.images)
        ]  # fmt: skip
        looked_at = self.equal_blocks["16 samples of a row"] >= _FEW
        return Finding(
            "structure", "equal blocks stay equal", bool(names) if names or looked_at else None,
            "Equal blocks of an image have equal ciphertexts: "
            + "; ".join(
                f"{name}, {self.equal_ciphers[name]} of {self.equal_blocks[name]}"
                for name in names
            ) + "." if names
            else "No block cipher in codebook mode, as far as these images repeat themselves."
            if looked_at else "Hardly any blocks of these images are equal: whether a block cipher "
            "in codebook mode was at work cannot be seen.",
            "Look for equal blocks in a ciphertext, best in that of a flat image.",
        )  # fmt: skip

    def _preserved(self, encrypted: int) -> list[Finding]:
        most = encrypted - 1 if encrypted > 4 else encrypted  # one image may be constant
        found = []
        for name, (meaning, how) in _MEANINGS.items():
            kept = self.kept[name]
            every, some = kept >= max(most, 1), self.surely[name] > 0
            if name != "histogram" and self.kept["histogram"] >= kept:
                meaning = "Implied by the histogram, which is the image's."
            told = meaning if every else f"In {kept} of {encrypted} images: {meaning}"
            found.append(Finding(
                "structure", name, every or some,
                told if every or some else f"Not preserved ({kept} of {encrypted}).", how,
            ))  # fmt: skip
        sides = [side for side in (*_SUMS, 0) if self.kept[f"sums {side}"] >= max(most, 1)]
        blocks = [side for side in sides if side]
        shown = f"blocks of {min(blocks)}" if blocks else "whole images"
        found.append(Finding(
            "structure", "block sums", bool(sides),
            f"The sums of {shown} are those of the images: a thumbnail is left." if sides
            else "Sums of blocks change.",
            "Shrink image and ciphertext, and compare.",
        ))  # fmt: skip
        return found

    def _deterministic(self) -> list[Finding]:
        new = self.repeated_plain - self.equal_pairs
        how = "Encrypt one image twice."
        if self.equal_pairs and not self._apart:
            return [Finding(
                "structure", "equal pairs", None,
                f"{self.equal_pairs} pair{'s repeat' if self.equal_pairs > 1 else ' repeats'} an "
                "earlier one, image and ciphertext: a record "
                "saved twice, or a scheme that gives equal images equal ciphertexts. Pairs cannot "
                "tell which, and each counts once.", how,
            )]  # fmt: skip
        leaks = None if self.repeated_plain == 0 else self.equal_pairs > 0
        return [Finding(
            "structure", "equal images, equal ciphertexts", leaks,
            f"{self.equal_pairs} of {self.repeated_plain} repeated images have the same "
            "ciphertext again." if self.equal_pairs
            else f"{new} image{'s come' if new > 1 else ' comes'} again, with other ciphertexts."
            if new
            else "No image occurs twice.", how,
        )]  # fmt: skip


def _images_needed(images: int) -> int:
    """In how many images equal blocks must stay equal: rows of a single one may repeat by chance.

    Where ciphertexts are pictures of something else, one in 500 has the repetitions of its image.
    """
    return 2 if images > 5 else 1


def _reuse(meaning: str) -> Finding:
    return Finding(
        "structure", "keystream reused", bool(meaning),
        meaning or "No two images share a run of keystream, at whatever offset.",
        "XOR two ciphertexts, shifted against each other if need be, and look at the result.",
    )  # fmt: skip


def _digest(image: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


_BYTES = np.arange(256)
_KEPT = {  # functions of an image's histogram
    "histogram": lambda counts: counts,
    "folded histogram": lambda counts: counts[:128] + counts[:127:-1],
    "folded half bytes": lambda counts: sum(
        np.bincount(np.minimum(half, 15 - half), weights=counts, minlength=8)
        for half in (_BYTES >> 4, _BYTES & 15)
    ),
}
_MEANINGS = {
    "histogram": (
        "The ciphertext has the image's histogram: values only change places.",
        "Draw both histograms.",
    ),
    "folded histogram": (
        "min(v, 255 - v) has the image's histogram: values change places and are inverted.",
        "Fold image and ciphertext at 128, and draw both histograms.",
    ),
    "folded half bytes": (
        "Half bytes, folded at 8, have the image's histogram: they change places and are inverted.",
        "Split bytes into halves, fold them at 8, and draw both histograms.",
    ),
}


def _sums(image: np.ndarray) -> list[np.ndarray]:
    """Sums of blocks of the sides `_SUMS`, each made of four of the sums before; of the whole."""
    last = image.reshape(*image.shape[:2], -1).astype(np.uint32)
    found, side = [], 1
    for larger in _SUMS:
        step = larger // side
        rows, columns = (length // step for length in last.shape[:2])
        cut = last[: rows * step, : columns * step]
        cut = reduce(np.add, (cut[i::step] for i in range(step)))
        last = reduce(np.add, (cut[:, i::step] for i in range(step)))
        found.append(last)
        side = larger
    return [*found, image.sum((0, 1), dtype=np.int64)]


def _raster_blocks(image: np.ndarray) -> np.ndarray | None:
    flat = image.ravel()
    return flat[: flat.size // 16 * 16].reshape(-1, 16) if flat.size >= 32 else None


def _plane_blocks(image: np.ndarray) -> np.ndarray | None:
    flat = image.ravel() >> 7
    whole = flat.size // 128 * 128
    return np.packbits(flat[:whole]).reshape(-1, 16) if whole >= 256 else None


def _equal_blocks(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blocks (n, 8 k) that are equal to an earlier one, and the first that each is equal to."""
    words = np.ascontiguousarray(blocks).view(np.uint64)
    mixed = np.zeros(len(words), np.uint64)
    for word in words.T:  # as good as different for different blocks; what is equal is compared
        mixed = (mixed ^ word) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    ordered = np.sort(mixed)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    near = np.searchsorted(several, mixed)
    place = np.flatnonzero(several.take(near, mode="clip") == mixed) if several.size else near[:0]
    number = near[place]
    first = place[np.unique(number, return_index=True)[1]][number]
    later = (place != first) & (blocks[place] == blocks[first]).all(1)
    return place[later], first[later]


def _square_blocks(side: int) -> Callable[[np.ndarray], np.ndarray | None]:
    def blocks(image: np.ndarray) -> np.ndarray | None:
        high, wide = (length // side for length in image.shape[:2])
        if high * wide < 2:
            return None
        cut = image[: high * side, : wide * side].reshape(high, side, wide, side, -1)
        return cut.swapaxes(1, 2).reshape(high * wide, -1)

    return blocks


_BLOCKS = {
    "16 samples of a row": _raster_blocks,
    "128 bits of the top plane": _plane_blocks,
    "squares of 4": _square_blocks(4),
    "squares of 8": _square_blocks(8),
}
