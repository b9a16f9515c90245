"""Is the difference of image and ciphertext uneven, and more so than with another's ciphertext?

Ciphertexts are exchanged within couples of images of equal shape. Whatever the samples of a
ciphertext have to do with each other, if it knows nothing of its image the exchange changes nothing
but by chance.
"""

from functools import lru_cache

import numpy as np

from leakage.audits.couples import Couples
from leakage.audits.findings import Finding
from leakage.evidence.p_values import strongest_p_value
from leakage.pictures.value_counts import value_counts

#: Couples that are counted apart; more share a place, and exchange together.
BUNDLES = 256
#: Fewer couples than this cannot tell anything at the level of an audit.
FEWEST_COUPLES = 10
#: Sets of signs: a p-value must survive the correction for all tests.
SIGN_SETS = 9999
#: Samples of all images together, and the most of one, that are counted: those of images that wait
#: for their partner are held.
_COUNTED, _MOST = 1 << 27, 1 << 20
_BITS = 2.0 * (np.arange(256)[:, None] >> np.arange(8) & 1) - 1
_NAMES = ("XOR", "difference modulo 256")


@lru_cache(maxsize=2)
def _places(size: int, count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(size).choice(size, count, replace=False, shuffle=False))


class CoupledDifferences:
    """Histograms of image XOR ciphertext and ciphertext minus image, own less exchanged.

    Parameters
    ----------
    couples : Couples
        Which images exchange their ciphertexts.

    Examples
    --------
    >>> from leakage.audits.couples import coupled
    >>> rng = np.random.default_rng(0)
    >>> plain = rng.integers(0, 256, (40, 16, 16), np.uint8)
    >>> found = CoupledDifferences(coupled([(16, 16)] * 40, np.arange(40)))
    >>> for i, image in enumerate(plain):
    ...     found.add(i, image, image ^ np.uint8(i))
    >>> found.finding(seed=0).p_value < 0.001
    True
    """

    def __init__(self, couples: Couples) -> None:
        self._partners = couples.partners
        labels = couples.labels
        self._bundle = np.unique(labels[labels >= 0], return_inverse=True)[1] % BUNDLES
        self._place = np.cumsum(labels >= 0) - 1  # of an image among those that have a partner
        self._couples = couples.count
        shape = min(BUNDLES, max(1, self._couples))
        self._gains = np.zeros((shape, 2, 256))
        self._peaks = np.zeros((shape, 2))
        self._samples = 0
        self._each = int(np.clip(_COUNTED // len(labels), 1, _MOST))  # of an image
        self._waiting: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def add(self, index: int, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Look at the pair of this number; pairs come in any order."""
        partner = int(self._partners[index])
        if partner < 0:
            return
        plain, cipher = self._some(plain), self._some(cipher)
        if partner not in self._waiting:
            self._waiting[index] = plain, cipher
            return
        other_plain, other_cipher = self._waiting.pop(partner)
        bundle = int(self._bundle[self._place[index]])
        for gain, one, other in (
            (1, plain, cipher), (1, other_plain, other_cipher),
            (-1, plain, other_cipher), (-1, other_plain, cipher),
        ):  # fmt: skip
            for kind, difference in enumerate((one ^ other, other - one)):
                counts = value_counts(difference)
                self._gains[bundle, kind] += gain * counts
                # how peaked a single image's histogram is, wherever its peak lies
                share = counts / plain.size
                self._peaks[bundle, kind] += gain * float(share @ share)
        self._samples += 2 * plain.size

    def _some(self, image: np.ndarray) -> np.ndarray:
        """All its samples, or as many at random places, the same of all images of one size."""
        flat = image.ravel()
        return flat if flat.size <= self._each else flat[_places(flat.size, self._each)]

    def finding(self, seed: int) -> Finding:
        """What was found; its p-value is not corrected."""
        how = (
            "Count the ones of image XOR ciphertext, plane by plane, and again with exchanged ones."
        )
        if self._couples < FEWEST_COUPLES or not self._samples:
            return Finding("structure", "uneven keystream", None,
                           "Fewer than 10 couples of images of equal shape.", how)  # fmt: skip
        p_value, kind = self._tested(np.random.default_rng(seed))
        summed = self._gains[:, kind].sum(0) / self._samples
        bias = float(np.abs(summed @ _BITS).max() / 2)
        value = int(np.abs(summed).argmax())
        return Finding(
            "structure", "uneven keystream", None,
            f"The {_NAMES[kind]} of image and ciphertext is uneven, and more so than with the "
            f"ciphertexts of other images: a bit is 1 with a probability that differs by up to "
            f"{bias:.4f}, and value {value} has a share that differs by {abs(summed[value]):.4f}.",
            how, p_value,
            otherwise="Image XOR ciphertext, and ciphertext minus image, are no more uneven than "
            "with the ciphertexts of other images.",
        )  # fmt: skip

    def _tested(self, rng: np.random.Generator) -> tuple[float, int]:
        """The p-value, and which difference is the more uneven."""
        signs = rng.choice(np.array([-1.0, 1.0]), (SIGN_SETS + 1, len(self._gains)))
        signs[0] = 1
        found = []
        for kind in range(2):
            gains = self._gains[:, kind]
            flipped = signs @ gains
            found += [
                (flipped**2 / _positive((gains**2).sum(0))).sum(1),
                np.abs(signs @ self._peaks[:, kind]) / np.sqrt(
                    _positive((self._peaks[:, kind] ** 2).sum())),
                np.abs(flipped @ _BITS / np.sqrt(_positive(((gains @ _BITS) ** 2).sum(0)))).max(1),
            ]  # fmt: skip
        statistics = np.column_stack(found)
        spread = _positive(statistics.std(0))
        far = (statistics[0] - statistics.mean(0)) / spread
        return strongest_p_value(statistics), int(far[3:].max() > far[:3].max())


def _positive(squares: np.ndarray) -> np.ndarray:
    """Sums of squares, infinite where nothing varies, so that a ratio is 0."""
    return np.where(squares > 0, squares, np.inf)
