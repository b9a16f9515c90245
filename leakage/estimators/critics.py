"""Critics: functions T(x, y) that are larger on pairs than on shuffled pairs.

Every critic here is separable: T(x_i, y_j) is the inner product of a vector of features of x_i and
one of y_j. So a critic is two arrays of features, all its scores are one matrix product, adding
critics is joining their features, and a network can be trained on top of any other critic.
"""

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:  # scikit-learn is imported where it is used: it brings pandas along
    from sklearn.decomposition import PCA

#: Squared canonical correlations are taken as at most this: 8.3 bits each.
LARGEST_CORRELATION = 1 - 1e-5
#: Whitened coordinates are clipped here, so that no image unlike all others decides alone.
CLIP = 10.0
#: Canonical variates are clipped here.
VARIATE_CLIP = 4.0
#: Share of the independent table mixed into that of clusters, so that empty cells have a finite
#: score; chosen on `leakage.truth.channels.clusters`.
PRIOR = 0.02
#: How noise in canonical correlations is met, see `canonical_variates`.
Shrinkage = Literal["spiked", "even", "screened"]
SHRINKAGES: tuple[Shrinkage, ...] = get_args(Shrinkage)


class Critic(NamedTuple):
    """Features of all N samples, shape (N, r) each: T(x_i, y_j) = left[i] @ right[j], in nats."""

    left: np.ndarray
    right: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """T of all pairs of the samples `rows`: (n, n)."""
        return self.left[rows].astype(np.float64) @ self.right[rows].astype(np.float64).T

    def of(self, rows: np.ndarray) -> "Critic":
        """The same critic of the samples `rows` alone, which it numbers from 0."""
        return Critic(self.left[rows], self.right[rows])


def mean_critic(critics: list[Critic]) -> Critic:
    """The critic whose scores are the mean of those of `critics`."""
    left = np.hstack([c.left for c in critics]) / len(critics)
    return Critic(left, np.hstack([c.right for c in critics]))


# Coordinates: what critics are built on. Nothing here sees which x belongs to which y.


def whitened(values: np.ndarray, fit: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Principal components of all samples, fitted and scaled on the samples `fit`, clipped.

    Zeros where the samples of the fit are all equal: they have no components.
    """
    components = most_components(components, values, fit)
    out = np.zeros((len(values), components), np.float32)
    if (values[fit] == values[fit[0]]).all():
        return out
    pca = principal_components(values[fit], components, seed)
    scale = np.sqrt(pca.explained_variance_)
    useful = scale > 1e-6 * scale[0]  # the rest is rounding noise: do not blow it up
    projected = pca.transform(values)[:, useful] / scale[useful]
    out[:, : projected.shape[1]] = np.clip(projected, -CLIP, CLIP)
    return out


def most_components(components: int, values: np.ndarray, fit: np.ndarray) -> int:
    """As many of so many principal components as the samples `fit` can teach."""
    return min(components, values.shape[1], max(1, len(fit) // 10))


def principal_components(values: np.ndarray, components: int, seed: int) -> "PCA":
    """Fitted, exactly and deterministically, by whichever solver is cheap for this shape."""
    from sklearn.decomposition import PCA

    solver = "covariance_eigh" if len(values) >= values.shape[1] else "arpack"
    return PCA(components, svd_solver=solver, random_state=seed).fit(values)


class Ranks:
    """Normal scores of each coordinate's rank among the samples of a fit, for many fits.

    The map is monotone in each coordinate, so that estimates do not depend on its scale or shape.
    Equal values get the mean of their ranks. Sorting is done once.
    """

    def __init__(self, values: np.ndarray):
        # half the memory of numpy's own index: the largest arrays of a large sample
        self.order = np.argsort(values, axis=0, kind="stable").astype(np.int32)
        ordered = np.take_along_axis(values, self.order, 0)
        n = len(values)
        first = np.vstack([np.ones((1, values.shape[1]), bool), np.diff(ordered, axis=0) > 0])
        self.ties: tuple[np.ndarray, np.ndarray] | None = None  # where equal values begin and end
        if not first.all():
            index = np.arange(n, dtype=np.int32)[:, None]
            last = np.vstack([first[1:], np.ones((1, values.shape[1]), bool)])
            start = np.maximum.accumulate(np.where(first, index, 0), axis=0)
            stop = np.minimum.accumulate(np.where(last, index, n)[::-1], axis=0)[::-1] + 1
            self.ties = start, stop

    def normal_scores(self, fit: np.ndarray) -> np.ndarray:
        """Normal scores of all samples by their rank among `fit`: (N, d), float32."""
        chosen = np.zeros(len(self.order), np.int32)
        chosen[fit] = 1
        below = np.zeros((len(chosen) + 1, self.order.shape[1]), np.int32)
        np.cumsum(chosen[self.order], axis=0, out=below[1:])
        begin, end = (
            (below[:-1], below[1:])
            if self.ties is None
            else (np.take_along_axis(below, rows, 0) for rows in self.ties)
        )
        twice = begin + end
        score = ndtri((np.arange(2 * len(fit) + 1) + 1) / (2 * len(fit) + 2)).astype(np.float32)
        out = np.empty(twice.shape, np.float32)
        np.put_along_axis(out, self.order, score[twice], 0)
        return out


# Critics in closed form


def _decorrelated(values: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """All samples, centred and multiplied by the inverse root of the covariance on `fit`."""
    centred = values.astype(np.float64)
    centred -= values[fit].mean(0)
    teaching = centred[fit]
    eigenvalues, axes = np.linalg.eigh(teaching.T @ teaching / len(fit))
    useful = eigenvalues > 1e-6 * eigenvalues[-1]
    return centred @ (axes[:, useful] / np.sqrt(eigenvalues[useful]))


def canonical_correlations(squared: np.ndarray, dx: int, dy: int, n: int) -> np.ndarray:
    """Squared population correlations behind sample ones, 0 for those that chance explains.

    Sample canonical correlations of high-dimensional vectors are far too large. Those below the
    edge of the null distribution are cut, the others are mapped back by the limit of a finite
    number of correlations (Bao, Hu, Pan and Zhou, 2019, Annals of Statistics 47, theorem 1.9).

    Parameters
    ----------
    squared : ndarray of float
        Squared sample canonical correlations.
    dx, dy, n : int
        Dimensions, and samples that they were computed on.

    Examples
    --------
    >>> canonical_correlations(np.array([0.6, 0.1]), 100, 100, 1000).round(3)
    array([0.494, 0.   ])
    """
    c1, c2 = dx / n, dy / n
    if c1 + c2 >= 1:
        raise ValueError(f"{dx} + {dy} coordinates need more than {dx + dy} samples, not {n}")
    edge = (math.sqrt(c1 * (1 - c2)) + math.sqrt(c2 * (1 - c1))) ** 2
    squared = np.minimum(squared, LARGEST_CORRELATION)
    a, c = (1 - c1) * (1 - c2), c1 * c2
    b = c1 * (1 - c2) + c2 * (1 - c1) - squared
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    return np.where(squared > edge, np.clip((root - b) / (2 * a), 0, LARGEST_CORRELATION), 0.0)


class Canonical(NamedTuple):
    """Canonical variates of all samples, shape (N, r) each, and their squared correlations."""

    x: np.ndarray
    y: np.ndarray
    squared: np.ndarray

    def first(self, count: int) -> "Canonical | None":
        """A copy of the first pairs alone, None where there are none."""
        if not len(self.squared):
            return None
        return Canonical(
            self.x[:, :count].copy(), self.y[:, :count].copy(), self.squared[:count].copy()
        )


def canonical_variates(
    x: np.ndarray, y: np.ndarray, fit: np.ndarray, shrinkage: Shrinkage
) -> Canonical:
    """Pairs of directions that are correlated on the samples `fit`, strongest first.

    Noise in the correlations is met in one of three ways: ``"spiked"`` for few strong ones
    (`canonical_correlations`), ``"even"`` for many weak ones, which shrinks all alike so that
    their sum of squares is right on average, ``"screened"`` for few coordinates among many, which
    drops those that chance explains one by one. A side that is constant has no variates.
    """
    if shrinkage == "screened":
        kept = screened(x, y, fit)
        x, y = x[:, kept[0]], y[:, kept[1]]
    a, b = _decorrelated(x, fit), _decorrelated(y, fit)
    if not (a.shape[1] and b.shape[1]):
        return Canonical(np.zeros((len(x), 0)), np.zeros((len(y), 0)), np.zeros(0))
    u, s, vt = np.linalg.svd(a[fit].T @ b[fit] / len(fit), full_matrices=False)
    if shrinkage == "even":
        noise = a.shape[1] * b.shape[1] / len(fit) * (1 - np.mean(s**2))
        left = max(0.0, 1 - noise / total) if (total := np.sum(s**2)) else 0.0
        rho2 = np.minimum(s**2, LARGEST_CORRELATION) * left**2
    else:
        rho2 = canonical_correlations(s**2, a.shape[1], b.shape[1], len(fit))
    kept = rho2 > 0
    # one sample far from all others would otherwise decide what a bound says
    a, b = a @ u[:, kept], b @ vt[kept].T
    for variates in (a, b):
        variates.clip(-VARIATE_CLIP, VARIATE_CLIP, out=variates)
    return Canonical(a, b, rho2[kept])


def screened(x: np.ndarray, y: np.ndarray, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which coordinates of x and of y have a correlation that chance does not explain.

    On the samples `fit`; the threshold is what the largest of so many correlations reaches.
    """
    a, b = (_standardised(side[fit]) for side in (x, y))
    found = abs(a.T @ b) > math.sqrt(2 * math.log(max(x.shape[1] * y.shape[1], 2)) * len(fit))
    return found.any(1), found.any(0)


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, np.inf)


def canonical_critic(x: np.ndarray, y: np.ndarray, fit: np.ndarray, shrinkage: Shrinkage) -> Critic:
    """Log-likelihood ratio of a Gaussian with the `canonical_variates` of the samples `fit`."""
    a, b, rho2 = canonical_variates(x, y, fit, shrinkage)
    cross, square = np.sqrt(rho2) / (1 - rho2), rho2 / (2 * (1 - rho2))
    one = np.ones((len(x), 1))
    right = np.hstack([b, one, -(b**2) @ square[:, None]])
    left = np.hstack([a, -(a**2) @ square[:, None], one])
    left[:, : len(cross)] *= cross
    return Critic(left, right)


def linear_critic(x: np.ndarray, y: np.ndarray, fit: np.ndarray) -> Critic:
    """Singular vectors of the cross-covariance of whitened coordinates on the samples `fit`.

    Weighted by the squared singular values in excess of what noise gives. No log-likelihood
    ratio, but the best known detector of a weak leak (`leakage.canonical_test`).
    """
    u, s, vt = np.linalg.svd(x[fit].T @ y[fit] / len(fit), full_matrices=False)
    weights = np.maximum(s**2 - len(s) / len(fit), 0)
    if not weights.any():
        weights = s**2
    return Critic(x @ (u * weights), y @ vt.T)


def cluster_critic(x: np.ndarray, y: np.ndarray, fit: np.ndarray, count: int, seed: int) -> Critic:
    """Log-ratio of joint and product frequencies of k-means clusters of the samples `fit`."""
    from sklearn.cluster import KMeans

    labels = []
    for values in (x, y):
        distinct = len(np.unique(values[fit], axis=0))
        k_means = KMeans(min(count, distinct), n_init=1, max_iter=50, random_state=seed)
        labels.append(k_means.fit(values[fit]).predict(values))
    a, b = labels
    table = np.zeros((count, count))
    np.add.at(table, (a[fit], b[fit]), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / len(fit)
    ratio = np.log((table + PRIOR * expected) / ((1 + PRIOR) * np.maximum(expected, 1e-12)) + 1e-12)
    return Critic(ratio[a], np.eye(count)[b])
