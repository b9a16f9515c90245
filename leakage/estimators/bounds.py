"""Variational bounds of a critic's scores, in bits, and how far noise moves them."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from leakage.evidence.intervals import clustered_interval

#: SMILE clips scores here (Song & Ermon, 2020, whose experiments take 1, 5 and none).
SMILE_CLIP = 5.0
#: A temperature is sought from 0 up to this; more than 1 where a critic is too cautious. Chosen on
#: the channels of `leakage.truth.channels`.
LARGEST_TEMPERATURE = 1.2


def bound(scores: np.ndarray, method: str = "mine") -> tuple[float, np.ndarray]:
    """Bound over all pairs, and each sample's influence on it, in bits.

    Parameters
    ----------
    scores : ndarray of float, shape (n, n)
        ``scores[i, j]``: the critic's value of the pair (x_i, y_j), in nats.
    method : {"mine", "nwj", "infonce", "smile"}
        Which bound; any other name means that of MINE (Donsker and Varadhan).

    Returns
    -------
    (float, ndarray of float, shape (n,))
        The influence of sample i counts its own pair, its row and its column (a U-statistic's two
        projections).

    Examples
    --------
    >>> value, influence = bound(np.zeros((3, 3)))
    >>> value, influence.tolist()
    (0.0, [-2.8853900817779268, -2.8853900817779268, -2.8853900817779268])
    """
    n = len(scores)
    if method == "infonce":
        local = scores.diagonal() - logsumexp(scores, axis=1) + math.log(n)
        return float(local.mean()) / math.log(2), local / math.log(2)
    diagonal = scores.diagonal()
    if method == "smile":
        scores = np.clip(scores, -SMILE_CLIP, SMILE_CLIP)
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    top = 1.0 if method == "nwj" else others.max()
    weights = np.exp(others - top)
    partition = weights.sum() / (n * (n - 1))
    sides = (weights.sum(0) + weights.sum(1)) / (n - 1)
    if method == "nwj":
        value, influence = diagonal.mean() - partition, diagonal - sides
    else:
        value = diagonal.mean() - math.log(partition) - top
        influence = diagonal - sides / partition
    return float(value) / math.log(2), influence / math.log(2)


def log_partition(scores: np.ndarray) -> float:
    """ln of the mean of e^T over all pairs that do not belong together.

    Examples
    --------
    >>> log_partition(np.full((3, 3), 2.0))
    2.0
    """
    n = len(scores)
    return float(logsumexp(scores[~np.eye(n, dtype=bool)])) - math.log(n * (n - 1))


def best_temperature(scores: list[np.ndarray], judge: str) -> tuple[float, float]:
    """Factor on the critics that serves them best on validation, and their mean bound with it.

    Both bounds are concave in the factor. The value at 0 is exactly 0: a critic that found nothing
    need not cost bits.
    """

    def loss(factor: float) -> float:
        return -float(np.mean([bound(factor * s, judge)[0] for s in scores]))

    found = minimize_scalar(
        loss, bounds=(0, LARGEST_TEMPERATURE), method="bounded", options={"xatol": 0.02}
    )
    return float(found.x), float(-found.fun)


def standard_error(influences: list[np.ndarray], clusters: list[np.ndarray]) -> float:
    """Of the mean over several validation parts of values with these influences."""
    errors = []
    for influence, cluster in zip(influences, clusters, strict=True):
        labels = cluster if len(np.unique(cluster)) > 1 else np.arange(len(cluster))
        low, high = clustered_interval(0.0, influence, labels, level=0.6827)
        errors.append((high - low) / 2)
    return float(np.mean(errors)) / math.sqrt(len(errors))
