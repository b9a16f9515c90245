"""Exact checks of structure: what a ciphertext may not have in common with its image.

They need no estimate: what they find is there, bit for bit, in all the pairs that they name. The
difference of a pair is image XOR ciphertext: for an XOR scheme, the keystream.
"""

from collections import Counter
from collections.abc import Callable
from functools import reduce
from hashlib import blake2b

import numpy as np
from scipy.stats import chi2, norm

from leakage.audits.findings import Finding

_SUMS = (4, 8, 16, 32)  # sides of blocks whose sums are compared, each a multiple of the last
_WINDOW = 128  # samples of a difference that may not occur twice
_LOOKED_AT = 16  # images in which repeated windows and blocks are looked for
_FEW = 4  # equal blocks that are no accident


class Structure:
    """Gathers pairs one at a time; `findings` tells at the end.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> checks = Structure()
    >>> images = load_images(count=8).images
    >>> for plain, cipher in zip(images, get_scheme("skk").encrypt(images, bytes(16))):
    ...     checks.add(plain, cipher)
    >>> "folded histogram" in [finding.name for finding in checks.findings() if finding.leaks]
    True
    """

    def __init__(self) -> None:
        self.images = self.clear = self.samples = 0
        self.differences = np.zeros(256, np.int64)
        self.elsewhere = np.zeros(256, np.int64)  # differences from the ciphertext before
        self._previous: np.ndarray | None = None
        self._whole: Counter[bytes] = Counter()
        self._plain: dict[bytes, bytes] = {}
        self.repeated_plain = self.repeated_cipher = 0
        self.kept: Counter[str] = Counter()
        self.equal_blocks: Counter[str] = Counter()
        self.equal_ciphers: Counter[str] = Counter()
        self.windows = 0

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at one pair, uint8 of one shape."""
        difference = plain ^ cipher
        counts = np.bincount(difference.ravel(), minlength=256)
        self.images += 1
        self.samples += plain.size
        self.differences += counts
        if self._previous is not None and self._previous.shape == plain.shape:
            other = (plain ^ self._previous).ravel()
            self.elsewhere += np.bincount(other, minlength=256)
        self._previous = cipher
        if counts[0] == plain.size:
            self.clear += 1
            return  # an image in the clear has everything in common with itself
        if np.count_nonzero(counts) > 1:
            self._whole[blake2b(difference.tobytes(), digest_size=16).digest()] += 1
        self._remember(plain, cipher)
        one, other = (np.bincount(image.ravel(), minlength=256) for image in (plain, cipher))
        for name, of in _KEPT.items():
            self.kept[name] += bool(np.array_equal(of(one), of(other)))
        for side, one, other in zip((*_SUMS, 0), _sums(plain), _sums(cipher), strict=True):
            self.kept[f"sums {side}"] += bool(one.size and np.array_equal(one, other))
        if self.images <= _LOOKED_AT:
            self.windows += _repeated_windows(difference)
            self._compare_blocks(plain, cipher)

    def _remember(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        name, value = (blake2b(a.tobytes(), digest_size=16).digest() for a in (plain, cipher))
        if name in self._plain:
            self.repeated_plain += 1
            self.repeated_cipher += self._plain[name] == value
        self._plain[name] = value

    def _compare_blocks(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        for name, blocks_of in _BLOCKS.items():
            one, other = blocks_of(plain), blocks_of(cipher)
            if one is None or other is None:
                continue
            _, first, which = np.unique(one, axis=0, return_index=True, return_inverse=True)
            twins = first[which.ravel()]  # the first block equal to each
            later = np.flatnonzero(twins != np.arange(len(one)))
            # blocks that are the same sample all over prove nothing where planes are in the clear
            alike = (other[later] == other[twins[later]]).all(1)
            changed = (other[later] != one[later]).any(1)
            # nor do ciphertexts that are: some are constant in places, whatever the image
            varied = (other[later] != other[later, :1]).any(1)
            self.equal_blocks[name] += later.size
            self.equal_ciphers[name] += int((alike & changed & varied).sum())

    @property
    def clear_planes(self) -> int:
        """Bit planes in which no image ever differs from its ciphertext, as a byte."""
        return 255 - int(np.bitwise_or.reduce(np.flatnonzero(self.differences)))

    def findings(self) -> list[Finding]:
        """All checks, in a fixed order; p-values are not corrected yet."""
        if self.images == 0:
            raise ValueError("add at least one pair before asking for findings")
        encrypted = self.images - self.clear
        found = [self._in_the_clear()]
        if encrypted:
            found += [
                self._clear_planes(),
                self._reused(encrypted),
                self._windows(),
                self._holes(),
                *self._biased(),
                self._blocks(),
                *self._preserved(encrypted),
                self._deterministic(),
            ]
        return found

    def _in_the_clear(self) -> Finding:
        return Finding(
            "structure", "images in the clear", self.clear > 0,
            f"{self.clear} of {self.images} ciphertexts are their images.",
            "Compare the files byte by byte.",
        )  # fmt: skip

    def _clear_planes(self) -> Finding:
        planes = [plane for plane in range(7, -1, -1) if self.clear_planes >> plane & 1]
        names = ", ".join(map(str, planes))
        return Finding(
            "structure", "clear bit planes", bool(planes),
            f"Bit planes {names} (7 is the most significant) never change." if planes
            else "Every bit plane changes somewhere.",
            "Look at the XOR of image and ciphertext, one bit plane at a time.",
        )  # fmt: skip

    def _reused(self, encrypted: int) -> Finding:
        twice = sum(count for count in self._whole.values() if count > 1)
        return Finding(
            "structure", "keystream reused", twice > 0,
            f"The XOR of image and ciphertext is the same in {twice} of {encrypted} pairs: XOR "
            "two of these ciphertexts, and two images are left." if twice
            else "No two pairs share the XOR of image and ciphertext.",
            "XOR two ciphertexts, and look at the result.",
        )  # fmt: skip

    def _windows(self) -> Finding:
        return Finding(
            "structure", "keystream repeated", self.windows > 0,
            f"Runs of {_WINDOW} samples of the XOR of image and ciphertext come back inside an "
            f"image, at {self.windows} places: the keystream has a period or restarts."
            if self.windows
            else f"No run of {_WINDOW} samples of the XOR of image and ciphertext comes back.",
            "Shift the XOR of image and ciphertext against itself.",
        )  # fmt: skip

    def _holes(self) -> Finding:
        seen = np.flatnonzero(self.differences)
        planes = int(np.bitwise_or.reduce(seen)).bit_count()
        holes = (1 << planes) - seen.size
        # 30 expected of each value: that one of 256 is missing by chance has probability 2e-11
        leaks = None if self.samples < 30 << planes else holes > 0
        return Finding(
            "structure", "missing differences", leaks,
            f"{holes} of {1 << planes} values of image XOR ciphertext never occur: each "
            "ciphertext sample excludes as many values of its plain one." if leaks
            else "Too few samples to tell." if leaks is None
            else "Every value of image XOR ciphertext occurs.",
            "Draw the histogram of image XOR ciphertext.",
        )  # fmt: skip

    def _biased(self) -> list[Finding]:
        """Is the difference uneven, and more so than with the ciphertexts of other images?"""
        planes = [p for p in range(8) if self.differences[_BYTES >> p & 1 == 1].sum()]
        size = 1 << len(planes)
        packed = sum((_BYTES >> plane & 1) << i for i, plane in enumerate(planes))
        counts, other = (
            np.bincount(packed, weights=c, minlength=size)
            for c in (self.differences, self.elsewhere)
        )
        n, m = counts.sum(), other.sum()
        if n < 5 * size or m < 5 * size:
            return [_uneven(None, None)]
        ones = np.array([counts[np.arange(size) >> i & 1 == 1].sum() for i in range(len(planes))])
        z = np.abs(2 * ones - n).max() / np.sqrt(n)
        by_plane = min(1.0, len(planes) * 2 * norm.sf(z))
        by_value = chi2.sf(((counts - n / size) ** 2 / (n / size)).sum(), size - 1)
        # a ciphertext that is uneven whatever the image is leaks nothing
        pooled = (counts + other) / (n + m)
        some = pooled > 0
        unlike = sum(
            (((c - t * pooled) ** 2)[some] / (t * pooled[some])).sum()
            for c, t in ((counts, n), (other, m))
        )
        p = max(min(1.0, 2 * min(by_plane, by_value)), chi2.sf(unlike, some.sum() - 1))
        return [_uneven(p, float(np.abs(ones / n - 0.5).max()))]

    def _blocks(self) -> Finding:
        names = [
            name for name, equal in self.equal_ciphers.items()
            if equal >= _FEW and equal > 0.2 * self.equal_blocks[name]
        ]  # fmt: skip
        return Finding(
            "structure", "equal blocks stay equal", bool(names),
            "Equal blocks of an image have equal ciphertexts: "
            + "; ".join(
                f"{name}, {self.equal_ciphers[name]} of {self.equal_blocks[name]}"
                for name in names
            ) + "." if names
            else "No block cipher in codebook mode, as far as these images repeat themselves.",
            "Look for equal blocks in a ciphertext.",
        )  # fmt: skip

    def _preserved(self, encrypted: int) -> list[Finding]:
        most = encrypted - 1 if encrypted > 4 else encrypted  # one image may be constant
        found = []
        for name, (meaning, how) in _MEANINGS.items():
            kept = self.kept[name]
            found.append(Finding(
                "structure", name, kept >= max(most, 1),
                meaning if kept >= max(most, 1) else f"Not preserved ({kept} of {encrypted}).", how,
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

    def _deterministic(self) -> Finding:
        leaks = None if self.repeated_plain == 0 else self.repeated_cipher > 0
        return Finding(
            "structure", "equal images, equal ciphertexts", leaks,
            f"{self.repeated_cipher} of {self.repeated_plain} repeated images have the same "
            "ciphertext again." if self.repeated_plain else "No image occurs twice.",
            "Encrypt one image twice.",
        )  # fmt: skip


def _uneven(p_value: float | None, bias: float | None) -> Finding:
    return Finding(
        "structure", "uneven keystream", None,
        "Too few samples to tell." if p_value is None else
        "A bit of image XOR ciphertext is 1 with a probability off a half by up to "
        f"{bias:.4f}; p is that all its values are equally likely.",
        "Count the ones of image XOR ciphertext, plane by plane.", p_value,
    )  # fmt: skip


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


def _repeated_windows(difference: np.ndarray) -> int:
    """Places where a run of the difference begins that has occurred before in the image."""
    flat = difference.ravel().astype(np.uint64)
    if flat.size < 2 * _WINDOW:
        return 0
    # a polynomial hash of every window, modulo 2**64; what it finds is compared afterwards
    ratio = np.uint64(6364136223846793005)
    powers = np.cumprod(np.full(flat.size, ratio))
    inverse = np.cumprod(np.full(flat.size, np.uint64(pow(int(ratio), -1, 1 << 64))))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(flat * powers)])
    hashes = (sums[_WINDOW:] - sums[:-_WINDOW]) * inverse[: flat.size - _WINDOW + 1]
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    twins = first[which.ravel()]
    later = np.flatnonzero(twins != np.arange(len(hashes)))
    raw, window = difference.ravel(), np.arange(_WINDOW)
    found = 0
    for start in range(0, later.size, 4096):
        places = later[start : start + 4096]
        runs = raw[places[:, None] + window]
        same = (runs == raw[twins[places][:, None] + window]).all(1)
        # runs of little variety come back by themselves, where hardly a bit is encrypted
        found += int((same & ((runs != runs[:, :1]).sum(1) >= _WINDOW // 8)).sum())
    return found
