"""Chaos-based ciphers as they are commonly published.

Weak on purpose: see `leakage.truth.closed_forms`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from leakage.schemes.base import Scheme
from leakage.schemes.keyed_randomness import words

_BURN_IN = 100  # iterations thrown away, as is customary


def logistic_orbits(starts: np.ndarray, length: int, r: float) -> np.ndarray:
    """Orbits of the logistic map, x -> r x (1 - x), in double precision.

    Parameters
    ----------
    starts : ndarray of float, shape (n,)
        In (0, 1).
    length : int
        Points of an orbit.
    r : float
        The map's parameter, up to 4.

    Returns
    -------
    ndarray of float64, shape (n, length)
        After 100 iterations that are thrown away.

    Examples
    --------
    >>> logistic_orbits(np.array([0.75]), 2, 4.0).tolist()
    [[0.75, 0.75]]
    """
    x = np.array(starts, float)
    orbits = np.empty((length, len(x)))
    for i in range(-_BURN_IN, length):
        x = r * x * (1 - x)
        if i >= 0:
            orbits[i] = x
    return orbits.T


def _starts(key: bytes, label: str, index: int, count: int) -> np.ndarray:
    return (words(key, label, index, count) >> np.uint64(12)) / 2.0**52 * (1 - 2**-40) + 2**-41


def _check_r(r: float) -> None:
    if not 3.57 <= r <= 4:
        raise ValueError(f"r must be from 3.57 to 4, where the logistic map is chaotic, not {r}")


@dataclass(frozen=True)
class LogisticXor(Scheme):
    """XOR with bytes of the logistic map, floor(256 x). Its bytes are far from uniform.

    Every row has an orbit of its own, so that rows are computed side by side. Double precision:
    decryption is exact where floats follow IEEE 754.

    Parameters
    ----------
    r : float
        3.57 to 4. At r = 4 the law of x is the arcsine law, and a uniform source leaks 0.313 bit a
        sample.

    Examples
    --------
    >>> stream = LogisticXor().encrypt(np.zeros((1, 64, 64), np.uint8), bytes(16))
    >>> bool(np.mean((stream < 16) | (stream >= 240)) > 0.25)  # of 32 values in 256
    True
    """

    name: ClassVar[str] = "logistic-xor"
    family: ClassVar[str] = "chaos (weak)"
    reference: ClassVar[str] = "common practice; Alvarez and Li, 2006"
    clear: ClassVar[str] = "what a non-uniform keystream lets through"
    r: float = 4.0

    def __post_init__(self) -> None:
        _check_r(self.r)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        rows = image.reshape(len(image), -1)
        starts = _starts(key, self.name, index, len(rows))
        orbits = logistic_orbits(starts, rows.shape[1], self.r)
        return (rows ^ np.minimum(orbits * 256, 255).astype(np.uint8)).reshape(image.shape)

    _decrypt = _encrypt


@dataclass(frozen=True)
class PermuteDiffuse(Scheme):
    """Permutation, then diffusion: the architecture of most chaos-based ciphers.

    The order of a logistic orbit permutes the rows, that of another the columns; then
    c[i] = k[i] xor ((p[i] + k[i]) mod 256) xor c[i-1], with bytes k of a third orbit a row.
    """

    name: ClassVar[str] = "permute-diffuse"
    family: ClassVar[str] = "chaos (weak)"
    reference: ClassVar[str] = "architecture of Fridrich, 1998"
    clear: ClassVar[str] = (
        "what a non-uniform keystream lets through; differences under one keystream"
    )
    r: float = 4.0

    def __post_init__(self) -> None:
        _check_r(self.r)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        rows, columns, stream = self._keys(image, key, index)
        permuted = image[rows][:, columns].ravel()
        return np.bitwise_xor.accumulate(stream ^ (permuted + stream)).reshape(image.shape)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        rows, columns, stream = self._keys(image, key, index)
        cipher = image.ravel()
        previous = np.concatenate([[np.uint8(0)], cipher[:-1]])
        permuted = ((cipher ^ previous ^ stream) - stream).reshape(image.shape)
        return permuted[np.argsort(rows)][:, np.argsort(columns)]

    def _keys(
        self, image: np.ndarray, key: bytes, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        starts = _starts(key, self.name, index, height + 2)
        rows, columns = (
            np.argsort(logistic_orbits(starts[i : i + 1], size, self.r)[0], kind="stable")
            for i, size in enumerate((height, width))
        )
        orbits = logistic_orbits(starts[2:], image.size // height, self.r)
        return rows, columns, np.minimum(orbits * 256, 255).astype(np.uint8).ravel()
