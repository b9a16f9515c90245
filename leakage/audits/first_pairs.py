"""The first few pairs of an audit, which become pictures and are measured by classical metrics."""

import numpy as np

from leakage.audits.classical import MEASURED
from leakage.audits.middles import middle

#: Pairs whose middles are measured, and the most that become pictures.
FIRST = 6
_SHOWN_BYTES = 1 << 26  # of those that become pictures, at most, but for the first pair

Sides = tuple[np.ndarray, np.ndarray]


class FirstPairs:
    """Keeps the first pairs of one shape: of large ones few, and the middles of the others.

    Examples
    --------
    >>> pair = np.zeros((2, 600, 600), np.uint8)
    >>> first = FirstPairs()
    >>> for _ in range(9):
    ...     first.add(*pair)
    >>> first.shown[0].shape, first.middles[0].shape
    ((6, 600, 600), (6, 512, 512))
    """

    def __init__(self) -> None:
        self._shown: list[Sides] = []
        self._middles: list[Sides] = []

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Take the next pair, if it is one of them."""
        count = len(self._middles)
        if count >= FIRST or (self._shown and self._shown[0][0].shape != plain.shape):
            return
        at = middle(plain.shape, MEASURED)
        self._middles.append((plain[at].copy(), cipher[at].copy()))
        if not count or 2 * plain.nbytes * (count + 1) <= _SHOWN_BYTES:
            self._shown.append((plain, cipher))

    @property
    def shown(self) -> Sides:
        """Images and ciphertexts as they are."""
        return _stacked(self._shown)

    @property
    def middles(self) -> Sides:
        """The middles of so many, or of more."""
        return _stacked(self._middles)


def _stacked(pairs: list[Sides]) -> Sides:
    plain, cipher = (np.stack(side) for side in zip(*pairs, strict=True))
    return plain, cipher
