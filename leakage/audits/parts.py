"""Bit planes and parts of an image that its ciphertext shows as they are."""

from collections import Counter
from collections.abc import Sequence
from math import log

import numpy as np

from leakage.audits.findings import Finding

#: Side of the squares that are compared. That all its samples are as they were by chance has
#: probability 2^-64 even where one bit of each is encrypted.
SIDE = 8
#: Range of values of what shows something: borders and pads do not.
VARIED = 8
#: Samples that a plane must have of the rarer bit, so that it shows something.
FEWEST_BITS = 16

#: Images of one shape in which the same samples may be in the clear by more than chance, and how
#: many of them chance may leave so.
FEWEST_IMAGES, BY_CHANCE = 6, 1e-6

_CHANNELS = ("red", "green", "blue")
_SHOWN = 3  # names of images


class ClearPlanes:
    """Bit planes that ciphertexts leave as they are, in all images or in some.

    Attributes
    ----------
    in_all : int
        Planes that vary, and in which no image differs from its ciphertext, as a byte.

    Examples
    --------
    >>> plain = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> planes = ClearPlanes()
    >>> for name, change in (("one", 255), ("two", 0b1111)):
    ...     counts = np.bincount((plain ^ plain ^ change).ravel(), minlength=256)
    ...     planes.add(name, plain, counts[None])
    >>> planes.finding().meaning
    'In 1 of 2 images some bit planes never change: two (5, 4).'
    """

    def __init__(self) -> None:
        self._changed: list[int] = []  # planes of each channel that change somewhere
        self._varied = 0
        self._first: np.uint8 | None = None  # sample of all
        self._some: dict[str, int] = {}
        self._images = 0

    def add(self, name: str, plain: np.ndarray, counts: np.ndarray) -> None:
        """Look at an image and the counts of its differences, (channels, 256)."""
        own = [int(np.bitwise_or.reduce(np.flatnonzero(channel))) for channel in counts]
        self._changed = [a | b for a, b in zip(self._changed or own, own, strict=True)]
        self._first = plain.flat[0] if self._first is None else self._first
        self._varied |= int(np.bitwise_or.reduce(plain ^ self._first, axis=None))
        self._images += 1
        channels = plain.reshape(-1, len(own)).T
        kept = 0
        for channel, changed in zip(channels, own, strict=True):
            kept |= _telling(channel, 255 & ~changed)
        if kept and any(own):  # an image in the clear has a finding of its own
            self._some[name] = kept

    @property
    def in_all(self) -> int:
        return 255 & ~int(np.bitwise_or.reduce(self._changed)) & self._varied

    def finding(self) -> Finding:
        """What was found."""
        how = "Look at the XOR of image and ciphertext, one bit plane at a time."
        if self.in_all or any(self._each()):
            return Finding("structure", "clear bit planes", True, self._told(), how)
        if self._some:
            most = sorted(self._some, key=lambda name: -self._some[name].bit_count())[:_SHOWN]
            shown = ", ".join(f"{name} ({_planes(self._some[name])})" for name in most)
            return Finding(
                "structure", "clear bit planes", True,
                f"In {len(self._some)} of {self._images} images some bit planes never change: "
                f"{shown}.", how,
            )  # fmt: skip
        none = "Every bit plane changes somewhere."
        return Finding("structure", "clear bit planes", False, none, how)

    def _each(self) -> list[int]:
        return [255 & ~changed & self._varied for changed in self._changed]

    def _told(self) -> str:
        each = self._each()
        alike = len(set(each)) == 1
        told = [
            _planes(planes) if alike else f"{_planes(planes)} of {channel}"
            for planes, channel in zip(each[:1] if alike else each, _CHANNELS, strict=False)
            if planes
        ]
        one = len(told) == 1 and each[0].bit_count() == 1 and alike
        words = ("plane", "changes") if one else ("planes", "change")
        return f"Bit {words[0]} {'; '.join(told)} (7 is the most significant) never {words[1]}."


def _telling(samples: np.ndarray, planes: int) -> int:
    """Those of the planes that show something in these samples, as a byte."""
    found = 0
    for plane in range(8):
        if planes >> plane & 1:
            ones = int(np.count_nonzero(samples & (1 << plane)))
            found |= (min(ones, samples.size - ones) >= FEWEST_BITS) << plane
    return found


def _planes(byte: int) -> str:
    return ", ".join(str(plane) for plane in range(7, -1, -1) if byte >> plane & 1)


class ClearParts:
    """Counts squares of 8 x 8 that are in the clear, an image at a time.

    Examples
    --------
    >>> plain = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    >>> cipher = plain ^ 1
    >>> cipher[8:16, 8:24] = plain[8:16, 8:24]
    >>> parts = ClearParts()
    >>> parts.add("one", plain, cipher)
    >>> parts.finding(images=1).meaning
    'In 1 of 1 images squares of 8 x 8 are in the clear, the most in one: 12.5 % of its area.'
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def add(self, name: str, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at a pair that is not in the clear as a whole."""
        high, wide = (length // SIDE * SIDE for length in plain.shape[:2])
        if not high or not wide:
            return
        changed = (plain != cipher)[:high, :wide].reshape(high, wide, -1).any(2)
        kept = ~_squares(changed).any((2, 3))
        shown = _squares(plain[:high, :wide].reshape(high, wide, -1).sum(2, dtype=np.int32))
        kept &= np.ptp(shown, axis=(2, 3)) >= VARIED
        if kept.any():
            self._shares[name] = float(kept.mean())

    def finding(self, images: int) -> Finding:
        """What was found in so many images."""
        how = "Look at where image and ciphertext are equal."
        if not self._shares:
            none = "No square of 8 x 8 that shows something is in the clear."
            return Finding("structure", "parts in the clear", False, none, how)
        most = max(self._shares, key=lambda name: self._shares[name])
        return Finding(
            "structure", "parts in the clear", True,
            f"In {len(self._shares)} of {images} images squares of 8 x 8 are in the clear, "
            f"the most in {most}: {100 * self._shares[most]:.3g} % of its area.", how,
        )  # fmt: skip


class _Places:
    """What is so in all images of one shape."""

    def __init__(self, first: np.ndarray) -> None:
        self._first = first
        self.clear = np.ones(first.shape, bool)
        self._varied = np.zeros(first.shape, bool)
        self.images = 0
        #: Logarithm of how many places chance leaves in the clear, from each image's own share.
        self._chance = log(first.size)

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        equal = plain == cipher
        self.clear &= equal
        self._varied |= plain != self._first
        self.images += 1
        self._chance += log(max(int(np.count_nonzero(equal)), 1) / plain.size)

    @property
    def count(self) -> int:
        """Samples that vary and are in the clear in every image, if not by chance."""
        if self.images < FEWEST_IMAGES or self._chance >= log(BY_CHANCE):
            return 0
        return int(np.count_nonzero(self.clear & self._varied))


class ClearPlaces:
    """Samples that are in the clear in every image of one shape, by where they are.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain, cipher = rng.integers(0, 256, (2, 8, 16, 16), np.uint8)
    >>> cipher[:, 3, 4] = plain[:, 3, 4]
    >>> places = ClearPlaces([(16, 16)] * 8)
    >>> for pair in zip(plain, cipher):
    ...     places.add(*pair)
    >>> places.finding().meaning
    'In all 8 images of 16 x 16 the same 1 of 256 samples are in the clear.'
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._asked = {s for s, count in Counter(shapes).items() if count >= FEWEST_IMAGES}
        self._seen: dict[tuple[int, ...], _Places] = {}

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at a pair that is not in the clear as a whole."""
        if plain.shape not in self._asked:
            return
        if plain.shape not in self._seen:
            self._seen[plain.shape] = _Places(plain)
        self._seen[plain.shape].add(plain, cipher)

    def finding(self) -> Finding:
        """What was found."""
        how = "Mark where image and ciphertext are equal, and keep what all images have marked."
        most = max(self._seen.values(), key=lambda seen: seen.count, default=None)
        if most is None or not most.count:
            none = "No sample that varies is in the clear at the same place of all images."
            return Finding("structure", "places in the clear", False, none, how)
        size = " x ".join(map(str, most.clear.shape))
        return Finding(
            "structure", "places in the clear", True,
            f"In all {most.images} images of {size} the same {most.count} of {most.clear.size} "
            "samples are in the clear.", how,
        )  # fmt: skip


def _squares(image: np.ndarray) -> np.ndarray:
    high, wide = (length // SIDE for length in image.shape)
    return image.reshape(high, SIDE, wide, SIDE).swapaxes(1, 2)
