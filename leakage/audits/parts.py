"""Parts of an image that its ciphertext shows as they are."""

import numpy as np

from leakage.audits.findings import Finding

#: Side of the squares that are compared. That all its samples are as they were by chance has
#: probability 2^-64 even where one bit of each is encrypted.
SIDE = 8
#: Range of values of what shows something: borders and pads do not.
VARIED = 8


class ClearParts:
    """Counts squares of 8 x 8 that are in the clear, an image at a time.

    Examples
    --------
    >>> plain = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    >>> cipher = plain ^ 1
    >>> cipher[8:16, 8:24] = plain[8:16, 8:24]
    >>> parts = ClearParts()
    >>> parts.add("one", plain, cipher)
    >>> parts.finding(images=1).meaning
    'In 1 of 1 images squares of 8 x 8 are in the clear, 12.5 % of the area in one, the most.'
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def add(self, name: str, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at a pair that is not in the clear as a whole."""
        high, wide = (length // SIDE * SIDE for length in plain.shape[:2])
        if not high or not wide:
            return
        changed = (plain != cipher)[:high, :wide].reshape(high, wide, -1).any(2)
        kept = ~_squares(changed).any((2, 3))
        shown = _squares(plain[:high, :wide].reshape(high, wide, -1).sum(2, dtype=np.int32))
        kept &= np.ptp(shown, axis=(2, 3)) >= VARIED
        if kept.any():
            self._shares[name] = float(kept.mean())

    def finding(self, images: int) -> Finding:
        """What was found in so many images."""
        how = "Look at where image and ciphertext are equal."
        if not self._shares:
            none = "No square of 8 x 8 that shows something is in the clear."
            return Finding("structure", "parts in the clear", False, none, how)
        most = max(self._shares, key=lambda name: self._shares[name])
        return Finding(
            "structure", "parts in the clear", True,
            f"In {len(self._shares)} of {images} images squares of 8 x 8 are in the clear, "
            f"{100 * self._shares[most]:.3g} % of the area in {most}, the most.", how,
        )  # fmt: skip


def _squares(image: np.ndarray) -> np.ndarray:
    high, wide = (length // SIDE for length in image.shape)
    return image.reshape(high, SIDE, wide, SIDE).swapaxes(1, 2)
