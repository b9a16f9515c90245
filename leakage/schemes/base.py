"""What every scheme offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, get_args

import numpy as np

from leakage.arguments import check_images, check_one_of
from leakage.schemes.keyed_randomness import check_key

Keying = Literal["fresh", "fixed"]


class Scheme(ABC):
    """A selective-encryption scheme: a frozen dataclass of parameters with an exact inverse.

    Every image gets its own nonce, ``first_index + i`` for ``images[i]``, so that no two images
    share keystream under one key. Whoever encrypts in several calls passes on `first_index`.

    Attributes
    ----------
    name, family : str
        The name that `get_scheme` knows, and the family of schemes.
    reference : str
        Author and year.
    clear : str
        What of the plain image can be computed from the ciphertext without the key.
    lossless : bool
        Whether `decrypt` gives back every sample.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    reference: ClassVar[str]
    clear: ClassVar[str]
    lossless: ClassVar[bool] = True

    def encrypt(
        self, images: np.ndarray, key: bytes, *, first_index: int = 0, keying: Keying = "fresh"
    ) -> np.ndarray:
        """Encrypt each image under its own nonce.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
            Plain images.
        key : bytes
            At least 16 bytes.
        first_index : int
            Nonce of the first image.
        keying : {"fresh", "fixed"}
            ``"fixed"`` gives every image the nonce `first_index`, as many published experiments
            do: the scheme becomes one deterministic map, and what it leaks is another question.

        Returns
        -------
        ndarray of uint8, of the shape of `images`
        """
        check_key(key)
        indices = self._indices(images, first_index, keying)
        return self._encrypt_all(images, key, indices)

    def decrypt(
        self, images: np.ndarray, key: bytes, *, first_index: int = 0, keying: Keying = "fresh"
    ) -> np.ndarray:
        """The exact inverse of `encrypt` with the same key, `first_index` and `keying`."""
        check_key(key)
        indices = self._indices(images, first_index, keying)
        return self._decrypt_all(images, key, indices)

    @staticmethod
    def _indices(images: np.ndarray, first_index: int, keying: Keying) -> list[int]:
        check_images(images)
        check_one_of("keying", keying, get_args(Keying))
        return [first_index + (i if keying == "fresh" else 0) for i in range(len(images))]

    @abstractmethod
    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...

    @abstractmethod
    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...

    # a scheme that is faster on many images at once has these two of its own
    def _encrypt_all(self, images: np.ndarray, key: bytes, indices: list[int]) -> np.ndarray:
        return _each(self._encrypt, images, key, indices)

    def _decrypt_all(self, images: np.ndarray, key: bytes, indices: list[int]) -> np.ndarray:
        return _each(self._decrypt, images, key, indices)


def _each(
    change: Callable[[np.ndarray, bytes, int], np.ndarray],
    images: np.ndarray,
    key: bytes,
    indices: list[int],
) -> np.ndarray:
    out = np.empty_like(images)
    for i, index in enumerate(indices):
        out[i] = change(images[i], key, index)
    return out
