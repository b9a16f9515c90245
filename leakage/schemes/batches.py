"""Encryption of image sets of any size, a batch at a time."""

from collections.abc import Iterable, Iterator

import numpy as np

from leakage.schemes.base import Keying, Scheme


def encrypt_batches(
    batches: Iterable[np.ndarray], scheme: Scheme, key: bytes, *, keying: Keying = "fresh"
) -> Iterator[np.ndarray]:
    """Ciphertexts of consecutive batches, those that one call on all images would give.

    Parameters
    ----------
    batches : iterable of ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
        Plain images.
    scheme, key, keying
        As of `leakage.schemes.Scheme.encrypt`.

    Yields
    ------
    ndarray of uint8
        Ciphertexts of one batch, of its shape.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> scheme = get_scheme("bitplane", bits=8)
    >>> parts = encrypt_batches([images[:2], images[2:]], scheme, bytes(16))
    >>> np.array_equal(np.concatenate(list(parts)), scheme.encrypt(images, bytes(16)))
    True
    """
    done = 0
    for images in batches:
        first = done if keying == "fresh" else 0
        yield scheme.encrypt(images, key, first_index=first, keying=keying)
        done += len(images)
