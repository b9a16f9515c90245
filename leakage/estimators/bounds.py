"""Variational bounds of a critic's scores, in bits, and how far noise moves them."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from leakage.evidence.intervals import clustered_interval

#: SMILE clips scores here (Song & Ermon, 2020, whose experiments take 1, 5 and none).
SMILE_CLIP = 5.0
#: A temperature is sought from 0 up to this; more than 1 where a critic is too cautious. Chosen on
#: the channels of `leakage.truth.channels`.
LARGEST_TEMPERATURE = 1.2
PRECISION = 0.02
#: Relative error of a slope, which is computed in float32.
ROUNDING = 1e-5


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


def ceiling_of(sizes: Sequence[int]) -> float:
    """What groups that are told from those of their parts, of these sizes, can tell at most, bits.

    Examples
    --------
    >>> ceiling_of([8, 8])
    3.0
    """
    return float(np.average(np.log2(sizes), weights=sizes))


def log_partition(scores: np.ndarray) -> float:
    """ln of the mean of e^T over all pairs that do not belong together.

    Examples
    --------
    >>> log_partition(np.full((3, 3), 2.0))
    2.0
    """
    n = len(scores)
    return float(logsumexp(scores[~np.eye(n, dtype=bool)])) - math.log(n * (n - 1))


def best_temperature(scores: Sequence[np.ndarray], judge: str) -> tuple[float, float]:
    """Factor on the critics that serves them best on validation, and their mean bound with it.

    Both bounds are concave in the factor: Newton's steps within a bracket that the sign of the
    slope narrows. The value at 0 is exactly 0: a critic that found nothing need not cost bits.
    """
    low, high, factor = 0.0, LARGEST_TEMPERATURE, 1.0
    while high - low > PRECISION:
        slopes = [_slopes(s, factor, judge) for s in scores]
        slope, curvature = (sum(v) for v in zip(*slopes, strict=True))
        # where every pair is recognised with a large margin, the slope is 0 but for rounding
        rounding = ROUNDING * sum(abs(float(s.diagonal().mean())) for s in scores)
        low, high = (factor, high) if slope > -rounding else (low, factor)
        step = factor - slope / curvature if curvature < 0 else math.inf
        if abs(step - factor) < PRECISION / 2:
            break
        factor = step if low < step < high else (low + high) / 2
    if high <= PRECISION:
        return 0.0, 0.0
    value = float(np.mean([bound(factor * s, judge)[0] for s in scores]))
    return (factor, value) if value > 0 else (0.0, 0.0)


def _slopes(scores: np.ndarray, factor: float, judge: str) -> tuple[float, float]:
    """First and second derivative of the bound by a factor on the scores, in nats."""
    small = scores.astype(np.float32)
    own = float(small.diagonal().mean())
    weights = np.float32(factor) * small
    if judge == "infonce":
        weights = np.exp(weights - weights.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        share = np.float32(1 / len(scores))
    else:
        np.fill_diagonal(weights, -np.inf)
        weights = np.exp(weights - weights.max())
        share = np.float32(1 / weights.sum(dtype=np.float64))
    weights *= share
    product = weights * small
    mean = product.sum(1 if judge == "infonce" else None, dtype=np.float64)
    squares = float(np.vdot(product, small))
    if judge == "infonce":
        return own - float(mean.sum()), float((mean**2).sum()) * len(scores) - squares
    return own - float(mean), float(mean**2) - squares


def standard_error(influences: list[np.ndarray], clusters: list[np.ndarray]) -> float:
    """Of the mean over several validation parts of values with these influences."""
    errors = []
    for influence, cluster in zip(influences, clusters, strict=True):
        labels = cluster if len(np.unique(cluster)) > 1 else np.arange(len(cluster))
        low, high = clustered_interval(0.0, influence, labels, level=0.6827)
        errors.append((high - low) / 2)
    return float(np.mean(errors)) / math.sqrt(len(errors))
