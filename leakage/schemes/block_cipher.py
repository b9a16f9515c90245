"""AES in electronic codebook mode on pixels: equal blocks stay equal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from Crypto.Cipher import AES

from leakage.arguments import check_one_of
from leakage.schemes.base import Scheme
from leakage.schemes.bit_planes import check_bits
from leakage.schemes.keyed_randomness import keystream

_BLOCK = 16  # bytes of an AES block


@dataclass(frozen=True)
class AesEcb(Scheme):
    """AES-ECB (NIST SP 800-38A, section 6.1) of raw samples, or of packed bit planes.

    Every image has an AES key of its own, drawn from the key and its index; with
    ``keying="fixed"`` all images share one codebook. Bytes at the end that fill no block are
    XORed with a keystream.

    Parameters
    ----------
    unit : {"pixels", "planes"}
        ``"pixels"``: a block is 16 samples in raster order. ``"planes"``: each of the `bits` most
        significant planes is packed to bytes, so that a block is 128 samples of one plane, where
        photographs repeat themselves far more often.
    bits : int
        Number of planes, for ``unit="planes"``.
    """

    name: ClassVar[str] = "aes-ecb"
    family: ClassVar[str] = "block cipher"
    reference: ClassVar[str] = "NIST SP 800-38A, 2001"
    clear: ClassVar[str] = "which blocks are equal; for planes also the planes not encrypted"
    unit: Literal["pixels", "planes"] = "pixels"
    bits: int = 8

    def __post_init__(self) -> None:
        check_bits(self.bits)
        check_one_of("unit", self.unit, ("pixels", "planes"))
        if self.unit == "pixels" and self.bits != 8:
            raise ValueError("bits is for unit='planes'; whole pixels have all 8")

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return self._apply(image, key, index, "encrypt")

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        return self._apply(image, key, index, "decrypt")

    def _apply(self, image: np.ndarray, key: bytes, index: int, direction: str) -> np.ndarray:
        cipher = AES.new(keystream(key, self.name, index, 16).tobytes(), AES.MODE_ECB)
        function = getattr(cipher, direction)
        tails = keystream(key, f"{self.name}/tail", index, 8 * _BLOCK).reshape(8, _BLOCK)
        if self.unit == "pixels":
            return _codebook(image.ravel(), function, tails[0]).reshape(image.shape)
        out = image & np.uint8((1 << (8 - self.bits)) - 1)
        for plane in range(8 - self.bits, 8):
            plain = image.ravel() >> np.uint8(plane) & np.uint8(1)
            whole = plain.size - plain.size % (8 * _BLOCK)
            blocks = _codebook(np.packbits(plain[:whole]), function, tails[plane])
            rest = plain[whole:] ^ np.unpackbits(tails[plane])[: plain.size - whole]
            changed = np.concatenate([np.unpackbits(blocks), rest])
            out |= changed.reshape(image.shape) << np.uint8(plane)
        return out


def _codebook(
    samples: np.ndarray, function: Callable[[bytes], bytes], tail: np.ndarray
) -> np.ndarray:
    whole = samples.size - samples.size % _BLOCK
    blocks = np.frombuffer(function(samples[:whole].tobytes()), np.uint8)
    return np.concatenate([blocks, samples[whole:] ^ tail[: samples.size - whole]])
