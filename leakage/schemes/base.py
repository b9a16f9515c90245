"""What every scheme offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from leakage.arguments import check_images, check_one_of
from leakage.schemes.keyed_randomness import check_index, check_key

Keying = Literal["fresh", "fixed"]


class Scheme(ABC):
    """A selective-encryption scheme: a frozen dataclass of parameters with an exact inverse.

    Every image gets its own nonce, ``first_index + i`` for ``images[i]``, so that no two images
    share keystream under one key. Whoever encrypts in several calls passes on `first_index`.

    The parameters of this package's own schemes are printed, of any other nothing but its name:
    its fields may be keys.

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

    def __init_subclass__(cls, **options: object) -> None:
        """Keep `dataclass` from printing the fields of classes that are not ours."""
        super().__init_subclass__(**options)
        cls.__repr__ = Scheme.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        ours = type(self).__module__.partition(".")[0] == __name__.partition(".")[0]
        own: Any = self
        if not (ours and is_dataclass(own)):
            return f"{type(self).__qualname__}(...)"
        told = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(own) if f.repr)
        return f"{type(self).__qualname__}({', '.join(told)})"

    def encrypt(
        self, images: np.ndarray, key: bytes, *, first_index: int = 0, keying: Keying = "fresh"
    ) -> np.ndarray:
        """Encrypt each image under its own nonce.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
            Plain images; also an ImageSet, a tensor or a list of images of one size.
        key : bytes
            At least 16 bytes.
        first_index : int
            Nonce of the first image, from 0; the last one's is at most ``2**64 - 1``.
        keying : {"fresh", "fixed"}
            ``"fixed"`` gives every image the nonce `first_index`, as many published experiments
            do: the scheme becomes one deterministic map, and what it leaks is another question.

        Returns
        -------
        ndarray of uint8, of the shape of `images`
        """
        check_key(key)
        images = check_images(images)
        indices = self._indices(images, first_index, keying)
        return self._encrypt_all(images, key, indices)

    def decrypt(
        self, images: np.ndarray, key: bytes, *, first_index: int = 0, keying: Keying = "fresh"
    ) -> np.ndarray:
        """The exact inverse of `encrypt` with the same key, `first_index` and `keying`."""
        check_key(key)
        images = check_images(images)
        indices = self._indices(images, first_index, keying)
        return self._decrypt_all(images, key, indices)

    @staticmethod
    def _indices(images: np.ndarray, first_index: int, keying: Keying) -> list[int]:
        check_one_of("keying", keying, get_args(Keying))
        if keying == "fixed":
            return [check_index(first_index)] * len(images)
        first = check_index(first_index, len(images))
        return list(range(first, first + len(images)))

    @abstractmethod
    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...

    @abstractmethod
    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray: ...

    # a scheme that is faster on many images at once has these two of its own
    def _encrypt_all(self, images: np.ndarray, key: bytes, indices: list[int]) -> np.ndarray:
        return _each(self._encrypt, images, key, indices)

    def _decrypt_all(self, images: np.ndarray, key: bytes, indices: list[int]) -> np.ndarray:
        return _each(self._decrypt, images, key, indices)


def scheme_name(scheme: object) -> str:
    """What a message calls a scheme, or what was given in its place: no field that may be a key.

    Examples
    --------
    >>> scheme_name(b"a key")
    'bytes'
    """
    return repr(scheme) if isinstance(scheme, Scheme) else type(scheme).__qualname__


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
