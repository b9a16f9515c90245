"""Information of single samples under swaps of ciphertexts within couples of images."""

from functools import cache
from typing import NamedTuple

import numpy as np

from leakage.arguments import check_seed
from leakage.estimators.corrections import jackknifed_log
from leakage.estimators.counting import SAMPLES_PER_CELL
from leakage.estimators.pixels import byte_table, noise_of, reduced, refuse
from leakage.evidence.p_values import permutation_p_value

#: Couples are swapped in so many bundles at most, each with a table of its own.
FEWEST_COUPLES, BUNDLES = 10, 64
#: Sets of swaps that are scored together: their tables stay in the cache.
AT_ONCE = 16
#: Counts whose part in an entropy is looked up.
_LOOKED_UP = 1 << 12


def pixel_swap_p_value(
    plain: np.ndarray,
    cipher: np.ndarray,
    partners: np.ndarray,
    couples: np.ndarray,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> float | None:
    """p-value of `pixel_mi` for ciphertexts that may differ from place to place.

    Blocks of two images at the same places form a couple. If images tell nothing of their
    ciphertexts, the ciphertexts of a couple may be swapped; shuffling blocks over all places, as
    `pixel_mi` does, would take a header or a vignette of the ciphertexts for a leak.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (B, H, W) or (B, H, W, 3)
        Blocks of images and of their ciphertexts.
    partners : ndarray of int, shape (B,)
        Block at the same place of the couple's other image; -1 for blocks that stay as they are.
    couples : ndarray of int, shape (B,)
        Label of the couple.
    permutations : int
        Random sets of swaps; the choice of planes is made anew each time.
    seed : int
        Of the swaps.

    Returns
    -------
    float or None
        None with fewer than ten couples.

    Raises
    ------
    ValueError
        Too few samples, or constant ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain = rng.integers(0, 256, (40, 16, 16), np.uint8)
    >>> partners, couples = np.arange(40) ^ 1, np.arange(40) // 2
    >>> pixel_swap_p_value(plain, plain ^ 255, partners, couples, permutations=99)
    0.01
    """
    check_seed(seed)
    tables = CoupledTables.of(plain, cipher, partners, couples)
    if tables is None:
        return None
    null = tables.swapped(permutations, np.random.default_rng(seed))
    return permutation_p_value(tables.score(), null)


class CoupledTables(NamedTuple):
    """Counts of plain and cipher values of blocks whose ciphertexts may be swapped, by couples.

    Attributes
    ----------
    together : ndarray of float32, shape (256, 256)
        What own and swapped ciphertexts have in common.
    gains : ndarray of float32, shape (C, 256, 256)
        What own ones have beyond that, couple by couple; couples are bundled if they are many.
    """

    together: np.ndarray
    gains: np.ndarray

    @classmethod
    def of(
        cls, plain: np.ndarray, cipher: np.ndarray, partners: np.ndarray, couples: np.ndarray
    ) -> "CoupledTables | None":
        """The tables of blocks, as `pixel_swap_p_value` takes them; None of too few couples."""
        if not enough_couples(partners, couples):
            return None
        coupled = np.flatnonzero(partners >= 0)
        names, which = np.unique(couples[coupled], return_inverse=True)
        bundles = min(len(names), BUNDLES)
        which = which % bundles
        fixed = np.setdiff1d(np.arange(len(plain)), coupled)
        together = byte_table(plain[fixed], cipher[fixed]).astype(np.float32)
        gains = np.empty((bundles, 256, 256), np.float32)
        for bundle in range(bundles):
            rows = coupled[which == bundle]
            own = byte_table(plain[rows], cipher[rows])
            swapped = byte_table(plain[rows], cipher[partners[rows]])
            together += (own + swapped) / 2
            gains[bundle] = (own - swapped) / 2
        return cls(together, gains)

    @classmethod
    def own(cls, plain: np.ndarray, cipher: np.ndarray) -> "CoupledTables":
        """The table of own ciphertexts, of which nothing is to be swapped."""
        table = byte_table(plain, cipher).astype(np.float32)
        return cls(table, np.empty((0, 256, 256), np.float32))

    def score(self) -> float:
        """The best planes' information, of own ciphertexts."""
        return float(self._scores(np.ones((1, len(self.gains)), np.float32))[0])

    def swapped(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Scores of so many random sets of swaps."""
        return self._scores(rng.choice(np.array([-1, 1], np.float32), (count, len(self.gains))))

    def _scores(self, signs: np.ndarray) -> np.ndarray:
        """The best planes' information with each set of signs of the gains."""
        best = np.full(len(signs), -np.inf)
        for (_, table), (_, gains) in zip(reduced(self.together), reduced(self.gains), strict=True):
            # swaps change neither how often a plain value occurs nor how often a cipher value
            sides = [table.sum(axis, dtype=float) for axis in (1, 0)]
            rows, columns = (int(np.count_nonzero(side)) for side in sides)
            if min(rows, columns) < 2:
                continue
            samples = sides[0].sum()
            apart = float(jackknifed_log(samples)) - sum(_parts(s).sum() for s in sides) / samples
            apart -= 3 * noise_of(rows, columns, samples)
            gains = gains.reshape(len(gains), table.size)
            for start in range(0, len(signs), AT_ONCE):
                some = np.s_[start : start + AT_ONCE]
                # halves of whole numbers are exact in single precision
                counts = table.ravel() + signs[some] @ gains
                enough = samples >= SAMPLES_PER_CELL * np.count_nonzero(counts, axis=1)
                scores = apart + _parts(counts).sum(1) / samples
                best[some] = np.maximum(best[some], np.where(enough, scores, -np.inf))
        if np.isneginf(best).any():
            refuse(self.together)
        return best


def enough_couples(partners: np.ndarray, couples: np.ndarray) -> bool:
    """Whether there are couples enough to be swapped, of blocks as of `pixel_swap_p_value`."""
    return len(np.unique(couples[partners >= 0])) >= FEWEST_COUPLES


def _parts(counts: np.ndarray) -> np.ndarray:
    """Part of each count in `leakage.estimators.corrections.jackknife_entropy`."""
    if counts.max() < _LOOKED_UP:
        return _looked_up().take(counts.astype(np.intp))
    return counts * jackknifed_log(np.maximum(counts, 1.0, dtype=float))


@cache
def _looked_up() -> np.ndarray:
    counts = np.arange(float(_LOOKED_UP))
    return counts * jackknifed_log(np.maximum(counts, 1))
