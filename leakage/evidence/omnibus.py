"""A test of independence that looks for dependence of any kind, on all samples at once."""

import numpy as np
from scipy.special import ndtri

from leakage.evidence.exchange import Strata
from leakage.evidence.p_values import strongest_p_value

#: Rows that are looked at; of more, whole groups are drawn.
MOST_ROWS = 2000
#: Coordinates of a side that are looked at one by one; of more, principal components.
MOST_COORDINATES = 64
COMPONENTS = 32
#: Random features of a Gaussian kernel.
FEATURES = 16


def omnibus_p_value(
    x: np.ndarray, y: np.ndarray, strata: Strata, permutations: int, rng: np.random.Generator
) -> float:
    """p-value of independence, by the strongest of three statistics under the same exchanges.

    All coordinates are mapped to normal scores of their ranks. The statistics are the sum of
    squared canonical correlations (many weak linear relations), the largest correlation between
    any coordinate, modulus or log-radius of one side and any of the other (one strong relation,
    a common scale), and the Hilbert-Schmidt criterion with Gaussian kernels (anything else). Each
    is ranked among its own values under the exchanges; the smallest rank is the statistic, and it
    is compared with that of the exchanges: exact whatever the three have to do with each other.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    strata : Strata
        Which groups of rows may change places.
    permutations : int
        Random exchanges, at least 1.
    rng : numpy.random.Generator
        Draws them, and the features of the kernels.

    References
    ----------
    Gretton et al. (2005), Measuring statistical dependence with Hilbert-Schmidt norms; Rahimi &
    Recht (2007), Random features; Westfall & Young (1993) for the smallest of several p-values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 2))
    >>> strata = Strata.of(np.arange(100), rng)
    >>> round(omnibus_p_value(x, x**2 + rng.normal(size=(100, 2)), strata, 199, rng), 3)
    0.005
    """
    strata = _fewer(strata, rng)
    rows = strata.rows
    place = np.zeros(len(x), int)
    place[rows] = np.arange(len(rows))
    left, right = _views(x[rows], rng), _views(y[rows], rng)
    found = np.array([
        _statistics(left, [view[place[strata.taken(order)]] for view in right])
        for order in strata.orders(permutations, rng)
    ])  # fmt: skip
    if len(found) < 2:
        return 1.0
    return strongest_p_value(found)


def _fewer(strata: Strata, rng: np.random.Generator) -> Strata:
    """At most so many rows, in whole groups."""
    share = MOST_ROWS / len(strata.rows)
    if share >= 1:
        return strata
    return Strata([
        block[np.sort(rng.permutation(len(block))[: max(2, int(share * len(block)))])]
        for block in strata.blocks
    ])  # fmt: skip


def _statistics(left: list[np.ndarray], right: list[np.ndarray]) -> tuple[float, ...]:
    white, single, kernel = (a.T @ b for a, b in zip(left, right, strict=True))
    return float((white**2).sum()), float(abs(single).max()), float((kernel**2).sum())


def _views(side: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """What the three statistics see of a side, each column centred and of length 1."""
    if side.shape[1] > MOST_COORDINATES:
        side = _white(side, COMPONENTS)
    scores = normal_scores(side)
    squares = (scores**2).sum(1, keepdims=True)
    middle = np.median(side, 0)
    spread = np.median(abs(side - middle), 0)
    far = (((side - middle) / np.where(spread > 0, spread, 1)) ** 2).sum(1, keepdims=True)
    radii = np.log(np.hstack([squares, far]) + 1e-12)
    singles = np.hstack([scores, abs(scores), radii])
    angles = scores @ rng.normal(size=(scores.shape[1], FEATURES)) / _distance(scores)
    waves = np.hstack([np.cos(angles), np.sin(angles)])
    return [
        _white(scores, max(1, len(scores) // 4)).astype(np.float32),
        _unit(singles).astype(np.float32),
        _unit(waves, each=False).astype(np.float32),
    ]


def normal_scores(side: np.ndarray) -> np.ndarray:
    """Normal scores of each coordinate's ranks; equal values get the mean of their ranks.

    Examples
    --------
    >>> normal_scores(np.array([[3.0], [1.0], [2.0]])).round(2).ravel().tolist()
    [0.67, -0.67, 0.0]
    """
    from scipy.stats import rankdata  # takes long to import, and 40 MB

    return ndtri(rankdata(side, axis=0) / (len(side) + 1))


def _distance(scores: np.ndarray) -> float:
    """Median distance of two rows, of a few hundred."""
    some = scores[:400]
    squared = ((some[:, None, :8] - some[None, :, :8]) ** 2).sum(-1) * (
        scores.shape[1] / min(8, scores.shape[1])
    )
    return float(np.sqrt(np.median(squared[squared > 0]))) if (squared > 0).any() else 1.0


def _unit(values: np.ndarray, *, each: bool = True) -> np.ndarray:
    """Columns centred and divided by their lengths, or all by one."""
    centred = values - values.mean(0)
    length = np.linalg.norm(centred, axis=0) if each else np.linalg.norm(centred) / np.sqrt(
        values.shape[1]
    )  # fmt: skip
    return centred / np.where(length > 1e-9 * np.sqrt(len(values)), length, np.inf)


def _white(values: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal columns that span the centred values, at most so many."""
    u, s, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    return u[:, s > 1e-6 * max(s[0], 1e-300)][:, :most]
