"""What attacks make of some ciphertexts, where the structure that was found invites one."""

import numpy as np

from leakage.attacks import fold, replace_planes, unwrap_planes

_LARGEST = 1024  # side of images whose planes are guessed: it takes seconds for larger ones


def attacked(cipher: np.ndarray, clear: int, found: set[str]) -> dict[str, np.ndarray]:
    """Pictures that attacks without learning make of ciphertexts, by what they do.

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Some ciphertexts.
    clear : int
        Bit planes that never change, as a byte.
    found : set of str
        Names of the findings that leak.

    Returns
    -------
    dict of str to ndarray of uint8
        Empty where no structure was found that such an attack could use.

    Examples
    --------
    >>> list(attacked(np.zeros((1, 8, 8), np.uint8), 0b00111111, {"clear bit planes"}))
    ['encrypted planes replaced', 'encrypted planes guessed from the others']
    """
    pictures = {}
    encrypted = 255 - clear
    if "clear bit planes" in found and 0 < encrypted < 255:
        pictures["encrypted planes replaced"] = replace_planes(cipher, encrypted)
        bits = encrypted.bit_count()
        if encrypted == 256 - (256 >> bits) and max(cipher.shape[1:3]) <= _LARGEST:
            guess = "encrypted planes guessed from the others"
            pictures[guess] = unwrap_planes(cipher, bits)
    if "folded histogram" in found and "histogram" not in found:
        pictures["inversions folded away"] = fold(cipher)
    side = min(32, *cipher.shape[1:3])
    if "block sums" in found:
        pictures["means of small squares"] = _thumbnails(cipher, side // 4)
    return pictures


def _thumbnails(images: np.ndarray, side: int) -> np.ndarray:
    """Means over squares, as large as the images."""
    n, height, width, *channels = images.shape
    rows, columns = height // side, width // side
    cut = images[:, : rows * side, : columns * side].astype(np.float32)
    means = cut.reshape(n, rows, side, columns, side, *channels).mean((2, 4))
    return np.rint(means).astype(np.uint8).repeat(side, 1).repeat(side, 2)
