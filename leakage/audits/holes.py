"""Values that the difference of image and ciphertext never takes, as where keys are never zero."""

import numpy as np

from leakage.audits.findings import Finding
from leakage.evidence.exchange import Strata
from leakage.pictures.value_counts import value_counts

#: Samples for each value: that one of 256 is missing by chance has probability 2e-11.
ENOUGH = 30
#: Pairs whose ciphertexts are exchanged, of one shape, and the side of what is taken of them.
EXCHANGED, FEWEST, CROP = 12, 6, 256
#: Exchanges: all of six pairs, so many random ones of more.
ORDERS = 1999
#: Of exchanges, so large a share may leave as many values out.
SHARE = 1 / 700


class Holes:
    """Counts differences of image and ciphertext, and what exchanged ciphertexts would give.

    A value may be missing because ciphertexts or images hardly vary, whatever they have to do with
    each other. So some ciphertexts change places between images: what a key leaves out, comes then.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 256, (8, 64, 64), np.uint8)
    >>> keys = rng.integers(1, 256, images.shape, np.uint8)
    >>> holes = Holes(1)
    >>> for image, key in zip(images, keys):
    ...     holes.add(image, image ^ key, counted(image, image ^ key, 1))
    >>> holes.finding().leaks
    True
    """

    def __init__(self, channels: int, seed: int = 0) -> None:
        #: How often each value occurs, by channel.
        self.counts = np.zeros((channels, 256), np.int64)
        self._pairs: list[tuple[np.ndarray, np.ndarray]] = []
        self._seed = seed

    def add(self, plain: np.ndarray, cipher: np.ndarray, counts: np.ndarray) -> None:
        """Take the next pair, of which `counted` is known."""
        self.counts += counts
        if len(self._pairs) == EXCHANGED:
            return
        one, other = (side[:CROP, :CROP].copy() for side in (plain, cipher))
        if not self._pairs or self._pairs[0][0].shape == one.shape:
            self._pairs.append((one, other))

    def finding(self) -> Finding:
        """Whether own ciphertexts leave out values that those of other images do not."""
        seen = np.flatnonzero(self.counts.sum(0))
        planes = int(np.bitwise_or.reduce(seen))  # that differ at all
        values = 1 << planes.bit_count()
        holes = values - seen.size
        leaks: bool | None = holes > 0
        if self.counts.sum() < ENOUGH * values:
            leaks, said = None, "Too few samples to tell."
        elif not holes:
            said = "Every value of image XOR ciphertext occurs."
        elif len(self._pairs) < FEWEST:
            leaks, said = None, f"Values of image XOR ciphertext are missing, {holes} of {values}, "
            said += f"but fewer than {FEWEST} images of one shape cannot tell why."
        elif self._as_many_are_missing_elsewhere(planes):
            leaks = False
            said = f"{holes} of {values} values of image XOR ciphertext never occur, and no fewer "
            said += "where ciphertexts change places between images."
        else:
            said = f"{holes} of {values} values of image XOR ciphertext never occur: each "
            said += "ciphertext sample excludes as many values of its plain one."
        return Finding(
            "structure", "missing differences", leaks, said,
            "Draw the histogram of image XOR ciphertext.",
        )  # fmt: skip

    def _as_many_are_missing_elsewhere(self, planes: int) -> bool:
        """Whether exchanged ciphertexts leave out as many values of these planes."""
        count = len(self._pairs)
        table = np.array([
            [counted(plain, cipher, 1)[0] for _, cipher in self._pairs] for plain, _ in self._pairs
        ])  # fmt: skip
        rows = np.arange(count)
        inside = np.arange(256) & ~planes == 0
        rng = np.random.default_rng(self._seed)
        orders = Strata([rows[:, None]]).orders(ORDERS, rng)
        missing = np.array([(table[rows, order].sum(0)[inside] == 0).sum() for (order,) in orders])
        return bool(missing[0] == 0 or np.mean(missing >= missing[0]) > SHARE)


def counted(plain: np.ndarray, cipher: np.ndarray, channels: int) -> np.ndarray:
    """How often each value of image XOR ciphertext occurs, (channels, 256), or (1, 256) in all.

    Examples
    --------
    >>> counted(np.array([[1, 2]], np.uint8), np.array([[1, 3]], np.uint8), 1)[0, :3].tolist()
    [1, 1, 0]
    """
    return np.stack([value_counts(c) for c in (plain ^ cipher).reshape(-1, channels).T])
