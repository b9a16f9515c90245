"""Controls: what a judgement of schemes must tell apart, or it is worth nothing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter

from leakage.schemes.base import Scheme
from leakage.schemes.keyed_randomness import keystream

_PUBLIC_KEY = bytes(16)  # printed here: there is no secret


@dataclass(frozen=True)
class Identity(Scheme):
    """Nothing is encrypted.

    Examples
    --------
    >>> Identity().encrypt(np.array([[[7]]], np.uint8), bytes(16)).tolist()
    [[[7]]]
    """

    name: ClassVar[str] = "identity"
    family: ClassVar[str] = "control"
    reference: ClassVar[str] = "ours"
    clear: ClassVar[str] = "everything"

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return image.copy()

    _decrypt = _encrypt


@dataclass(frozen=True)
class PublicKeystream(Scheme):
    """AES-CTR under a key of zeros that everyone knows: noise to every statistic, no secret at all.

    Examples
    --------
    >>> image = np.zeros((1, 2, 2), np.uint8)
    >>> one, other = (PublicKeystream().encrypt(image, bytes([k]) * 16) for k in (1, 2))
    >>> np.array_equal(one, other)
    True
    """

    name: ClassVar[str] = "public-keystream"
    family: ClassVar[str] = "control"
    reference: ClassVar[str] = "after Preishuber, Huetter, Katzenbeisser and Uhl, 2018"
    clear: ClassVar[str] = "everything"

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return image ^ keystream(_PUBLIC_KEY, self.name, index, image.size).reshape(image.shape)

    _decrypt = _encrypt


@dataclass(frozen=True)
class ReusedKeystream(Scheme):
    """AES-CTR with one keystream for all images: the many-time pad."""

    name: ClassVar[str] = "reused-keystream"
    family: ClassVar[str] = "control"
    reference: ClassVar[str] = "ours"
    clear: ClassVar[str] = "the XOR of any two images"

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return image ^ keystream(key, self.name, 0, image.size).reshape(image.shape)

    _decrypt = _encrypt


@dataclass(frozen=True)
class BiasedKeystream(Scheme):
    """XOR with independent keystream bits that are 1 with probability `bias`.

    Parameters
    ----------
    bias : float
        A multiple of 2**-16 from 0 to 1; others are rounded to the nearest one.
    """

    name: ClassVar[str] = "biased-keystream"
    family: ClassVar[str] = "control"
    reference: ClassVar[str] = "ours"
    clear: ClassVar[str] = "what a biased keystream lets through"
    bias: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.bias <= 1:
            raise ValueError(f"bias must be a probability, from 0 to 1, not {self.bias}")
        object.__setattr__(self, "bias", round(self.bias * 65536) / 65536)

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        drawn = keystream(key, self.name, index, 16 * image.size).view("<u2")
        ones = drawn < round(self.bias * 65536)
        return image ^ np.packbits(ones).reshape(image.shape)

    _decrypt = _encrypt


@dataclass(frozen=True)
class Blur(Scheme):
    """A Gaussian blur: no key, and no way back.

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels.
    """

    name: ClassVar[str] = "blur"
    family: ClassVar[str] = "control"
    reference: ClassVar[str] = "common practice"
    clear: ClassVar[str] = "the blurred image"
    lossless: ClassVar[bool] = False
    sigma: float = 4.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ValueError(f"sigma must be positive, in pixels, not {self.sigma}")

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        sigma = (self.sigma, self.sigma, 0)[: image.ndim]
        return np.rint(gaussian_filter(image.astype(np.float32), sigma)).astype(np.uint8)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        raise ValueError("a blur cannot be undone; keep the plain images")
