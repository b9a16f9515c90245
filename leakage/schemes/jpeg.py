"""Encryption inside JPEG files: the result is a valid JPEG file again."""

import io
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from leakage.schemes.base import Scheme, scheme_name
from leakage.schemes.jpeg_coding import compressed, legal_means, planes_of, read, written
from leakage.schemes.keyed_randomness import check_index, check_key


@dataclass(frozen=True)
class JpegCipher:
    """An encrypted JPEG file.

    Attributes
    ----------
    data : bytes
        A JPEG file that every decoder opens.
    side : bytes
        What else decryption needs besides the key: the secret part of ``p3``, encrypted; else
        empty.
    size_change : float
        Of `data` and `side` together, relative to the plain file written by the same coder: 0.01
        is 1 % more.
    """

    data: bytes
    side: bytes
    size_change: float


class JpegScheme(Scheme):
    """What the JPEG schemes share: files in and out, and rasters on the way of an adversary.

    On images, `encrypt` compresses each at `quality` (chroma halved in both directions, as is
    usual), encrypts the file and decodes it: this is what an adversary sees. Such a raster cannot
    be decrypted; files can, by `encrypt_jpeg` and `decrypt_jpeg`.
    """

    family: ClassVar[str] = "JPEG"
    lossless: ClassVar[bool] = False
    quality: int

    def __post_init__(self) -> None:
        if isinstance(self.quality, bool) or self.quality not in range(1, 101):
            raise ValueError(f"quality must be an int from 1 to 100, not {self.quality!r}")

    @abstractmethod
    def protect(
        self, planes: list[np.ndarray], legal: list[range], key: bytes, index: int
    ) -> bytes:
        """Encrypt the coefficients of all components in place; return the secret part, if any."""

    @abstractmethod
    def restore(
        self, planes: list[np.ndarray], legal: list[range], side: bytes, key: bytes, index: int
    ) -> None:
        """Decrypt them in place."""

    @abstractmethod
    def count_hidden(self, planes: list[np.ndarray], legal: list[range]) -> float:
        """How many bits of a file the scheme can hide at most."""

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        cipher = encrypt_jpeg(compressed(image, self.quality), key, self, index=index)
        with Image.open(io.BytesIO(cipher.data)) as decoded:
            return np.asarray(decoded)

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        raise ValueError(
            f"the raster of a {self.name} file cannot be decrypted; encrypt files by encrypt_jpeg "
            "and decrypt them by decrypt_jpeg"
        )


def encrypt_jpeg(data: bytes, key: bytes, scheme: JpegScheme, *, index: int = 0) -> JpegCipher:
    """Encrypt a JPEG file; the result is one too.

    Parameters
    ----------
    data : bytes
        A whole JPEG file: baseline or progressive, gray or of three components, any subsampling,
        with or without restart intervals.
    key : bytes
        At least 16 bytes.
    scheme : JpegScheme
        For instance ``get_scheme("jpeg-ac-sign")``; its `quality` is not used.
    index : int
        Nonce of the file: every file under one key must have its own.

    Returns
    -------
    JpegCipher
        The encrypted file, the secret part where the scheme has one, and the change of size.

    Raises
    ------
    ValueError
        Not a JPEG file, a damaged one, or one of a kind that is not supported.
    TypeError
        A scheme that is none of the JPEG family.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> file = compressed(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3, 90)
    >>> scheme = get_scheme("jpeg-ac-sign")
    >>> cipher = encrypt_jpeg(file, bytes(16), scheme)
    >>> plain = decrypt_jpeg(cipher, bytes(16), scheme)
    >>> np.array_equal(planes_of(read(plain))[0], planes_of(read(file))[0])
    True
    """
    check_key(key)
    index = check_index(index)
    jpeg = read(data)
    before = len(written(jpeg))
    side = _scheme(scheme).protect(planes_of(jpeg), legal_means(jpeg), key, index)
    encrypted = written(jpeg)
    return JpegCipher(encrypted, side, (len(encrypted) + len(side)) / before - 1)


def decrypt_jpeg(
    cipher: JpegCipher | bytes, key: bytes, scheme: JpegScheme, *, index: int = 0
) -> bytes:
    """The plain file, with the same coefficients, quantisers and subsampling as before.

    Bytes are those of the plain file only if the same coder wrote it.

    Parameters
    ----------
    cipher : JpegCipher or bytes
        What `encrypt_jpeg` gave, or its `data` for schemes without a secret part.
    key, scheme, index
        As for `encrypt_jpeg`.

    Returns
    -------
    bytes
        A JPEG file.

    Raises
    ------
    ValueError
        The secret part is missing, or does not belong to the key.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> file = compressed(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3, 90)
    >>> cipher = encrypt_jpeg(file, bytes(16), get_scheme("p3"), index=7)
    >>> plain = decrypt_jpeg(cipher, bytes(16), get_scheme("p3"), index=7)
    >>> np.array_equal(planes_of(read(plain))[0], planes_of(read(file))[0])
    True
    """
    check_key(key)
    index = check_index(index)
    if not isinstance(cipher, JpegCipher):
        cipher = JpegCipher(cipher, b"", 0.0)
    jpeg = read(cipher.data)
    _scheme(scheme).restore(planes_of(jpeg), legal_means(jpeg), cipher.side, key, index)
    return written(jpeg)


def hidden_bits_of_jpeg(data: bytes, scheme: JpegScheme) -> float:
    """How many bits of a file a scheme can hide at most: signs, amplitudes, means.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> file = compressed(np.zeros((8, 8), np.uint8), 75)
    >>> hidden_bits_of_jpeg(file, get_scheme("jpeg-ac-sign"))
    0.0
    """
    jpeg = read(data)
    return float(_scheme(scheme).count_hidden(planes_of(jpeg), legal_means(jpeg)))


def _scheme(scheme: JpegScheme) -> JpegScheme:
    if not isinstance(scheme, JpegScheme):
        raise TypeError(
            f"scheme must be one of the JPEG family, like get_scheme('jpeg-ac'), not "
            f"{scheme_name(scheme)}"
        )
    return scheme
