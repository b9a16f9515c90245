"""Certified bits of a critic that was fixed before these images: all pairs of them bet.

Nothing is chosen on the images. Every score of the critic, both as it is and negated, clipped to
several ranges and at several stakes, bets by itself; the mean of their capitals is what counts.
It is below the best one's by no more than the logarithm of their number.
"""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy.special import logsumexp

from leakage.evidence.betting import log_factor

#: Ranges that scores are clipped to, in nats, and the stakes.
RANGES = ((-0.3, 0.3), (-0.8, 0.8), (-1.5, 1.5), (-2.5, 2.5), (-4.0, 4.0))
STAKES = (0.4, 0.9)
#: Factors on scores: own pairs may be less alike than others, too.
FACTORS = (1.0, -1.0)
#: Values that are bet against, in bits; a bound is one of them.
GRID = np.append(0.0, np.geomspace(1e-3, 12.0, 240))
#: Ways to pair up the groups of a part: on average over all places their outcomes differ little.
WAYS = 32


class CertifiedBits:
    """Capitals of all bets against each value of the grid, part by part, in little memory.

    Parameters
    ----------
    heads : int
        How many scores the critic gives.

    Examples
    --------
    Of each part 12 groups, each recognised among the others by all that one place of it says:

    >>> bound, rng = CertifiedBits(1), np.random.default_rng(0)
    >>> scores = np.where(np.eye(12) > 0, 9.0, -9.0)[None, ..., None, None]
    >>> for part in range(9):
    ...     bound.bets(scores, rng)
    >>> 1 < bound.at(0.95) < math.log2(9 * 12)
    True
    """

    def __init__(self, heads: int):
        kinds = heads * len(FACTORS) * len(RANGES) * len(STAKES)
        self.log_capitals = np.zeros((kinds, len(GRID)))

    def bets(self, scores: np.ndarray, rng: np.random.Generator) -> None:
        """Bet with the pairs of one part's groups.

        Parameters
        ----------
        scores : ndarray of float, shape (m, G, G, places, heads)
            In nats, of aligned images of G groups with one another; an odd G leaves one out.
        rng : numpy.random.Generator
            Draws ways to pair up the groups.
        """
        count = scores.shape[1] // 2 * 2
        ways = rng.permuted(np.tile(np.arange(scores.shape[1]), (WAYS, 1)), axis=1)[:, :count]
        one, other = ways[:, ::2], ways[:, 1::2]
        nats = GRID * math.log(2)
        for kind, (kernel, least, stake) in enumerate(_kernels(scores)):
            outcomes = kernel[one, other][..., None]
            made = log_factor(outcomes, least, nats, stake).sum(1)
            self.log_capitals[kind] += logsumexp(made, axis=0) - math.log(WAYS)

    def at(self, confidence: float) -> float:
        """Largest value of the grid, in bits, against which the bets have won often enough; or 0.

        It exceeds the mean information of the places with a probability of at most
        1 - `confidence`.
        """
        capital = logsumexp(self.log_capitals, axis=0) - math.log(len(self.log_capitals))
        lost = capital < -math.log(1 - confidence)
        first = int(lost.argmax()) if lost.any() else len(GRID)
        return float(GRID[first - 1]) if first else 0.0


def _kernels(scores: np.ndarray) -> Iterator[tuple[np.ndarray, float, float]]:
    """Of each bet: outcome of each two groups, below what none can fall, and the stake.

    The outcome is half of both own scores less half of both crossed ones' exponentials, plus 1,
    on average over places: in expectation no more than the information (Nguyen, Wainwright and
    Jordan, 2010).
    """
    for head, factor, (low, high) in product(range(scores.shape[-1]), FACTORS, RANGES):
        clipped = np.clip(factor * scores[..., head].astype(float), low, high)
        own = np.einsum("miip->i", clipped) / (clipped.shape[0] * clipped.shape[3]) / 2
        crossed = np.exp(clipped).mean((0, 3))
        kernel = own[:, None] + own - (crossed + crossed.T) / 2 + 1
        for stake in STAKES:
            yield kernel, low - math.exp(high) + 1, stake
