"""What every scheme offers."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from leakage.images import check_images


class Scheme(ABC):
    """A selective-encryption scheme: a frozen dataclass of parameters with an exact inverse.

    Every image gets its own nonce, ``first_index + i`` for ``images[i]``, so that no two images
    share keystream under one key. Whoever encrypts in several calls passes on `first_index`.
    """

    name: ClassVar[str]

    def encrypt(self, images: np.ndarray, key: bytes, *, first_index: int = 0) -> np.ndarray:
        """Encrypt each image under its own nonce.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
            Plain images.
        key : bytes
            At least 16 bytes.
        first_index : int
            Nonce of the first image.

        Returns
        -------
        ndarray of uint8, of the shape of `images`
        """
        check_images(images)
        return np.stack([self._encrypt(x, key, first_index + i) for i, x in enumerate(images)])

    def decrypt(self, images: np.ndarray, key: bytes, *, first_index: int = 0) -> np.ndarray:
        """The exact inverse of `encrypt` with the same key and `first_index`."""
        check_images(images)
        return np.stack([self._decrypt(x, key, first_index + i) for i, x in enumerate(images)])

    @abstractmethod
    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...

    @abstractmethod
    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...
