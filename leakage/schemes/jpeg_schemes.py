"""What the JPEG schemes hide: signs and amplitudes of AC coefficients, means of blocks."""

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.jpeg import JpegScheme
from leakage.schemes.keyed_randomness import fair_bits, integers, keystream


def _ac(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All coefficients of a component, flat, and the places of the AC ones that are not 0."""
    flat = plane.reshape(-1)
    return flat, np.flatnonzero((flat != 0) & (np.arange(flat.size) % 64 != 0))


def _sizes(values: np.ndarray) -> np.ndarray:
    """Number of amplitude bits, the category of the Huffman code."""
    return np.frexp(np.abs(values).astype(np.float32))[1].astype(np.int32)


def _flip_signs(planes: list[np.ndarray], key: bytes, label: str, index: int) -> None:
    for number, plane in enumerate(planes):
        flat, places = _ac(plane)
        flips = fair_bits(key, f"{label}/{number}", index, places.size).astype(np.int16)
        flat[places] *= 1 - 2 * flips


def _xor_amplitudes(planes: list[np.ndarray], key: bytes, label: str, index: int) -> None:
    """XOR the amplitude bits; a negative value is the one's complement of its amount (T.81, F.1.2).

    A value keeps its category, so 1 becomes 1 or -1, and 2 one of -3, -2, 2, 3.
    """
    for number, plane in enumerate(planes):
        flat, places = _ac(plane)
        values = flat[places].astype(np.int32)
        most = (1 << _sizes(values)) - 1
        stream = keystream(key, f"{label}/{number}", index, 2 * places.size).view("<u2")
        bits = np.where(values > 0, values, values + most) ^ (stream & most)
        flat[places] = np.where(2 * bits > most, bits, bits - most)


def _shift_means(
    planes: list[np.ndarray], legal: list[range], key: bytes, label: str, index: int, sign: int
) -> None:
    """Add a keyed number to each quantised DC coefficient, modulo the legal range."""
    for plane, allowed in zip(planes, legal, strict=True):
        means = plane[..., 0, 0]
        if means.min() < allowed.start or means.max() >= allowed.stop:
            raise ValueError(
                f"a DC coefficient lies outside {allowed.start} to {allowed.stop - 1}, where no "
                "image of 8-bit samples has one; decode the file and compress it again"
            )
    for number, (plane, allowed) in enumerate(zip(planes, legal, strict=True)):
        rank = plane[..., 0, 0].astype(np.int64) - allowed.start
        step = integers(key, f"{label}/{number}", index, np.full(rank.shape, len(allowed)))
        plane[..., 0, 0] = allowed.start + (rank + sign * step) % len(allowed)


def _unpacked(data: bytes, length: int) -> bytes:
    """What zlib packed into exactly so many bytes' worth; else nothing, and in no more memory."""
    packed = zlib.decompressobj()
    try:
        found = packed.decompress(data, length + 1)
    except zlib.error:
        return b""
    return found if packed.eof and not packed.unused_data else b""


def _mean_bits(planes: list[np.ndarray], legal: list[range]) -> float:
    return sum(
        plane[..., 0, 0].size * np.log2(len(allowed))
        for plane, allowed in zip(planes, legal, strict=True)
    )


def _amplitude_bits(planes: list[np.ndarray]) -> float:
    return sum(_sizes(flat[places]).sum() for flat, places in map(_ac, planes))


@dataclass(frozen=True)
class JpegAcSign(JpegScheme):
    """The sign of every AC coefficient that is not 0 is flipped or not, by a coin.

    Symbols keep their length: the file's size changes by stuffed bytes only.

    Parameters
    ----------
    quality : int
        Of the compression of raster images, 1 to 100.
    """

    name: ClassVar[str] = "jpeg-ac-sign"
    reference: ClassVar[str] = "common practice; ITU-T T.81, 1992"
    clear: ClassVar[str] = "means of blocks, amounts and places of all coefficients"
    quality: int = 75

    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        _flip_signs(planes, key, self.name, index)
        return b""

    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        _flip_signs(planes, key, self.name, index)

    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        return sum(places.size for _, places in map(_ac, planes))


@dataclass(frozen=True)
class JpegAc(JpegScheme):
    """All amplitude bits of every AC coefficient that is not 0 are XORed with a keystream.

    The Huffman codes stay, so runs of zeros and categories do.

    Parameters
    ----------
    quality : int
        Of the compression of raster images, 1 to 100.
    """

    name: ClassVar[str] = "jpeg-ac"
    reference: ClassVar[str] = "Itier, Puteaux and Puech, 2020"
    clear: ClassVar[str] = "means of blocks, places and categories of all coefficients"
    quality: int = 75

    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        _xor_amplitudes(planes, key, self.name, index)
        return b""

    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        _xor_amplitudes(planes, key, self.name, index)

    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        return _amplitude_bits(planes)


@dataclass(frozen=True)
class JpegDc(JpegScheme):
    """The mean of every block is hidden: its quantised value plus a keyed number, modulo its range.

    XOR of the amplitude bits of differences, the other usual form, keeps the file's size but shows
    how large each difference is, and sums of changed differences leave the legal range. Ours hides
    means entirely; the file grows, for neighbouring means are no longer alike.

    Parameters
    ----------
    quality : int
        Of the compression of raster images, 1 to 100.
    """

    name: ClassVar[str] = "jpeg-dc"
    reference: ClassVar[str] = "common practice; this form is ours"
    clear: ClassVar[str] = "all AC coefficients"
    quality: int = 75

    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        _shift_means(planes, legal, key, self.name, index, +1)
        return b""

    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        _shift_means(planes, legal, key, self.name, index, -1)

    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        return _mean_bits(planes, legal)


@dataclass(frozen=True)
class JpegDcAc(JpegScheme):
    """``jpeg-dc`` and ``jpeg-ac`` together, under separate keys.

    Parameters
    ----------
    quality : int
        Of the compression of raster images, 1 to 100.
    """

    name: ClassVar[str] = "jpeg-dc-ac"
    reference: ClassVar[str] = "Itier, Puteaux and Puech, 2020, with our form of the means"
    clear: ClassVar[str] = "places and categories of all AC coefficients"
    quality: int = 75

    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        _shift_means(planes, legal, key, f"{self.name}/dc", index, +1)
        _xor_amplitudes(planes, key, f"{self.name}/ac", index)
        return b""

    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        _shift_means(planes, legal, key, f"{self.name}/dc", index, -1)
        _xor_amplitudes(planes, key, f"{self.name}/ac", index)

    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        return _mean_bits(planes, legal) + _amplitude_bits(planes)


@dataclass(frozen=True)
class P3(JpegScheme):
    """A public file without means and large coefficients, and a secret part with these.

    Public: DC 0, AC up to the threshold as they are, larger ones replaced by the threshold,
    without sign. Secret: DC, and sign and excess of the larger ones, compressed and encrypted.

    Parameters
    ----------
    quality : int
        Of the compression of raster images, 1 to 100.
    threshold : int
        1 to 1023; the authors favour 15 to 20.
    """

    name: ClassVar[str] = "p3"
    reference: ClassVar[str] = "Ra, Govindan and Ortega, 2013"
    clear: ClassVar[str] = "AC coefficients up to the threshold, and which are larger"
    quality: int = 75
    threshold: int = 15

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.threshold, bool) or self.threshold not in range(1, 1024):
            raise ValueError(f"threshold must be an int from 1 to 1023, not {self.threshold!r}")

    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        secrets = []
        for plane in planes:
            flat = plane.reshape(-1)
            secret = flat.astype("<i2")
            large = np.abs(secret) > self.threshold
            secret -= np.where(large, np.sign(secret) * self.threshold, secret).astype("<i2")
            secret[::64] = flat[::64]
            flat[large] = self.threshold
            flat[::64] = 0
            secrets.append(secret.reshape(-1, 64).T.ravel())  # by frequency: it packs better
        packed = zlib.compress(np.concatenate(secrets).tobytes())
        return self._masked(packed, key, index)

    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        if not side:
            raise ValueError("p3 needs its secret part: pass the JpegCipher that encrypt_jpeg gave")
        expected = 2 * sum(plane.size for plane in planes)
        packed = b""
        # what zlib makes of as many bytes at most (its compressBound): no more is looked at
        if len(side) <= expected + (expected >> 12) + (expected >> 14) + (expected >> 25) + 13:
            packed = _unpacked(self._masked(side, key, index), expected)
        if len(packed) != expected:
            raise ValueError("the secret part does not belong to this key, index and file")
        secret = np.frombuffer(packed, "<i2")
        for plane in planes:
            flat = plane.reshape(-1)
            part, secret = secret[: flat.size].reshape(64, -1).T.ravel(), secret[flat.size :]
            flat[:] = np.where(part == 0, flat, part + np.sign(part) * self.threshold)
            flat[::64] = part[::64]

    def _masked(self, packed: bytes, key: bytes, index: int) -> bytes:
        stream = keystream(key, self.name, index, len(packed))
        return (np.frombuffer(packed, np.uint8) ^ stream).tobytes()

    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        large = sum(np.count_nonzero(np.abs(flat[places].astype(int)) > self.threshold)
                    for flat, places in map(_ac, planes))  # fmt: skip
        # of a large coefficient, its sign and how far up to 1023 it exceeds the threshold
        return _mean_bits(planes, legal) + large * np.log2(2 * (1024 - self.threshold))
