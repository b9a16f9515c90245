"""Attacks on bit-plane encryption: encrypted planes are replaced or guessed from the clear ones."""

import numpy as np
from scipy.ndimage import median_filter

from leakage.arguments import check_images, check_one_of

#: Mean grey level that photographs are expected to have: that of the bundled ones is 112.
TYPICAL_GREY = 112.0
#: Share of total variation that it costs to be as far from that as white is from black.
GREY_WEIGHT = 0.05


def replace_planes(
    cipher: np.ndarray, mask: int, value: str = "mid", *, median: int = 1
) -> np.ndarray:
    """Put a constant in place of the encrypted planes (Podesser, Schmidt and Uhl, 2002).

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Ciphertexts.
    mask : int
        The encrypted planes as a byte, as ``get_scheme("bitplane", bits=2).mask``.
    value : {"mid", "zero", "mean"}
        The highest encrypted bit set and no other; none set; or none set and the mean of every
        image shifted to 128.
    median : int
        Side of a median filter afterwards, an odd number; 1 is none.

    Returns
    -------
    ndarray of uint8, of the shape of `cipher`
        The clear planes as they are, with the constant in place of the others.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> f"{replace_planes(np.array([[[0b01100101]]], np.uint8), 0b11100000).item():08b}"
    '10000101'
    """
    cipher = check_images(cipher)
    if isinstance(mask, bool) or not isinstance(mask, int | np.integer) or not 0 <= mask <= 255:
        raise ValueError(f"mask must be a byte, from 0 to 255, not {mask!r}")
    check_one_of("value", value, ("mid", "zero", "mean"))
    if median not in range(1, 256, 2):
        raise ValueError(f"median must be a small odd number, not {median!r}")
    picture = cipher & np.uint8(255 - mask)
    if value == "mid":
        picture |= np.uint8(1 << int(mask).bit_length() >> 1)
    elif value == "mean":
        shift = 128 - picture.mean(axis=(1, 2), keepdims=True)
        picture = np.clip(np.rint(picture + shift), 0, 255).astype(np.uint8)
    return median_filter(picture, (1, median, median, 1)[: cipher.ndim])


def unwrap_planes(cipher: np.ndarray, bits: int, *, grey: float = TYPICAL_GREY) -> np.ndarray:
    """Guess the `bits` most significant planes from the clear ones and from smoothness.

    The clear planes are the image modulo 2**(8 - bits): a phase. It is unwrapped from the smoothest
    neighbourhoods to the roughest, so that errors at edges do not spread (Herráez, Burton, Lalor
    and Gdeisat, 2002). That leaves one number open for the whole image, its brightness in steps of
    2**(8 - bits). A wrong one often leaves the range and must come in again on the other side,
    with jumps: the least total variation decides, and the mean grey level where this does not.
    Where neither does, all the picture is too dark or too bright but its content is right.

    Parameters
    ----------
    cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Under ``get_scheme("bitplane", bits=bits)``, at least 2 pixels high and wide. Channels are
        attacked one by one.
    bits : int
        1 to 7.
    grey : float
        Mean grey level that is expected.

    Returns
    -------
    ndarray of uint8, of the shape of `cipher`
        The clear planes as they are, with the guess in place of the others.

    Raises
    ------
    ValueError
        `bits` is out of range, or images are too small.

    Examples
    --------
    >>> image = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)[None] * 4
    >>> np.array_equal(unwrap_planes(image & 127, 1), image)
    True
    """
    cipher = check_images(cipher)
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 1 <= bits <= 7:
        raise ValueError(f"bits must be the number of encrypted planes, 1 to 7, not {bits!r}")
    if min(cipher.shape[1:3]) < 2:
        raise ValueError(f"images must be at least 2 pixels high and wide, not {cipher.shape[1:3]}")
    deep = cipher.reshape(*cipher.shape[:3], -1)
    out = np.empty_like(deep)
    for i, image in enumerate(deep):
        for channel in range(deep.shape[3]):
            out[i, ..., channel] = _unwrapped(image[..., channel], int(bits), grey)
    return out.reshape(cipher.shape)


def _unwrapped(cipher: np.ndarray, bits: int, grey: float) -> np.ndarray:
    from skimage.restoration import unwrap_phase

    step, count = 256 >> bits, 1 << bits
    clear = (cipher % step).astype(np.int64)
    phase = unwrap_phase(clear * (2 * np.pi / step), rng=0) / (2 * np.pi)
    turns = np.rint(phase - clear / step).astype(np.int64)
    turns -= turns.min()
    most_frequent = np.bincount(turns.ravel()).argmax()
    offsets = range(-most_frequent, count - most_frequent)  # this one stays in the range
    found = [clear + step * np.clip(turns + offset, 0, count - 1) for offset in offsets]
    jumps = np.array([_variation(clear + step * ((turns + o) % count)) for o in offsets])
    grey_error = np.abs([image.mean() - grey for image in found]) / 255
    cost = jumps / max(jumps.min(), 1) + GREY_WEIGHT * grey_error
    return found[cost.argmin()].astype(np.uint8)


def _variation(image: np.ndarray) -> int:
    return sum(int(np.abs(np.diff(image, axis=axis)).sum()) for axis in (0, 1))
