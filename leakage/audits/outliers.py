"""Do a few images show through, though the others do not? All pairs of a set are compared."""

from functools import partial

import numpy as np

from leakage.audits.couples import kinds_of
from leakage.audits.findings import Finding
from leakage.audits.pairs import Pairs
from leakage.evidence.exchange import Units
from leakage.evidence.p_values import either_p_value
from leakage.evidence.permutations import JudgedFold
from leakage.pictures.value_counts import value_counts

#: Exchanges: a p-value must survive the correction for all tests.
EXCHANGES = 9999

#: Bytes that descriptions of all images may take, and samples of an image at most and at least.
_BYTES, _MOST, _FEWEST = 1 << 27, 4096, 256
_FEWEST_IMAGES = 20


class FewImages:
    """Compares every image with every ciphertext of its shape, at some places and by histogram.

    The statistic is a sum over images of how alike they are to their own ciphertexts, beyond what
    they are to others, squared: so few that are much alike count more than many that hardly are.

    Parameters
    ----------
    pairs : Pairs
        Their shapes.
    groups : ndarray of int, shape (N,)
        Source of each pair; groups change places whole, within a shape.
    seed : int
        Of the places and the exchanges.

    Examples
    --------
    >>> from leakage.audits.pairs import from_arrays
    >>> plain, cipher = np.random.default_rng(0).integers(0, 256, (2, 60, 32, 32), np.uint8)
    >>> cipher[:3] = plain[:3] // 2
    >>> few = FewImages(from_arrays(plain, cipher), np.arange(60), seed=0)
    >>> for pair in zip(plain, cipher):
    ...     few.add(*pair)
    >>> few.finding().p_value < 0.001
    True
    """

    def __init__(self, pairs: Pairs, groups: np.ndarray, seed: int) -> None:
        self._kinds, self._groups, self._seed = kinds_of(pairs.shapes), groups, seed
        self._samples = int(np.clip(_BYTES // (8 * len(groups)), _FEWEST, _MOST))
        self._sides: tuple[list, list] = [], []
        self._histograms: tuple[list, list] = [], []

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Take the next pair."""
        # the same places in all images of one shape
        rng = np.random.default_rng([self._seed, *plain.shape])
        at = rng.integers(0, plain.size, min(self._samples, plain.size))
        for side, histograms, image in zip(
            self._sides, self._histograms, (plain, cipher), strict=True
        ):
            side.append(_unit(image.ravel()[at].astype(np.float32)))
            counts = value_counts(image)
            histograms.append(_unit(np.sqrt(counts).astype(np.float32)))

    def finding(self) -> Finding:
        """What was found; its p-value is not corrected."""
        how = "Correlate every image with every ciphertext, and look at the largest values."
        rng = np.random.default_rng(self._seed)
        units = Units(self._groups, self._kinds)
        strata = units.strata(np.arange(len(self._kinds)), rng)
        if max(map(len, strata.blocks)) < _FEWEST_IMAGES:
            few = f"Fewer than {_FEWEST_IMAGES} independent images of one shape."
            return Finding("structure", "a few images show through", None, few, how)
        found = []
        for sides in (self._sides, self._histograms):
            fold = JudgedFold.of(strata, partial(_alike, sides), 1)
            found.append(1.0 if fold.constant else fold.p_value(EXCHANGES, rng)[0])
        return Finding(
            "structure", "a few images show through", None,
            "Some images are more like their own ciphertexts than like those of others, sample by "
            "sample or in their histograms.", how, either_p_value(found),
            otherwise="Neither sample by sample nor in histograms is any image correlated with "
            "its own ciphertext beyond what chance allows.",
        )  # fmt: skip


def _alike(sides: tuple[list, list], rows: np.ndarray) -> np.ndarray:
    one, other = (np.stack([side[i] for i in rows]) for side in sides)
    alike = one @ other.T
    # what an image, or a ciphertext, is to all of them says nothing
    alike = alike - alike.mean(0) - alike.mean(1, keepdims=True) + alike.mean()
    return alike**2


def _unit(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 0 else centred
