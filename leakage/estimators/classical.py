"""Classical measures of dependence: nearest neighbours and canonical correlations."""

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from leakage.estimate import Estimate
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import permutation_p_value
from leakage.evidence.permutations import sequential_test
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group

#: Coordinates of x and y together, beyond which KSG is refused: with a thousand samples
#: neighbours are then no longer near, and strong dependence goes unseen.
MAX_DIMENSIONS = 8


def _local(x: np.ndarray, y: np.ndarray, neighbours: int) -> np.ndarray:
    n = len(x)
    joint = cKDTree(np.hstack([x, y]))
    distance = joint.query(joint.data, neighbours + 1, p=np.inf)[0][:, -1]
    closer = np.nextafter(distance, 0)  # strictly nearer than the k-th neighbour
    counts = [
        cKDTree(v).query_ball_point(v, closer, p=np.inf, return_length=True) for v in (x, y)
    ]  # with the sample itself, so these are n_x + 1 and n_y + 1
    nats = digamma(neighbours) + digamma(n) - digamma(counts[0]) - digamma(counts[1])
    return nats / math.log(2)


def _scaled(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Unit variance, and a jitter of 1e-10 standard deviations that separates ties."""
    scaled = [(v - v.mean(0)) / np.where(v.std(0) > 0, v.std(0), 1) for v in (x, y)]
    return [v + 1e-10 * rng.normal(size=v.shape) for v in scaled]


def local_contributions(
    x: np.ndarray, y: np.ndarray, *, neighbours: int = 3, seed: int = 0
) -> np.ndarray:
    """What each sample adds to `ksg`, in bits: their mean is the estimate (equation 8).

    No sample is its own neighbour, so every value is judged on other samples than it stands for.

    Examples
    --------
    >>> local_contributions(np.eye(5), np.eye(5)).shape
    (5,)
    """
    return _local(*_scaled(x, y, np.random.default_rng(seed)), neighbours)


def ksg(
    x: np.ndarray, y: np.ndarray, *, neighbours: int = 3, permutations: int = 199, seed: int = 0
) -> Estimate:
    """Mutual information by the first estimator of Kraskov, Stögbauer and Grassberger.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy), dx + dy at most 8
        Paired rows, independent of each other: patches of one photograph are not.
    neighbours : int
        Fewer give less bias and more noise.
    permutations : int
        Behind the p-value. 0 gives none.
    seed : int
        Of the permutations, and of a jitter of 1e-10 standard deviations that separates ties.

    Returns
    -------
    Estimate
        In bits. Each coordinate is scaled to unit variance first. The interval is of the mean of
        the local contributions: it shows noise, not bias, which grows with dimension and strength.

    Raises
    ------
    ValueError, TypeError
        Too many dimensions, not more samples than neighbours, unpaired, constant or non-finite
        samples.

    References
    ----------
    Kraskov, Stögbauer & Grassberger (2004), Estimating mutual information, Physical Review E 69,
    066138, equation 8.

    Examples
    --------
    >>> from leakage.truth.channels import gaussian
    >>> x, y, exact = gaussian(2000, bits=1.0)
    >>> bool(abs(ksg(x, y, permutations=0).bits - exact.bits) < 0.1)
    True
    """
    x, y, _ = check_samples(x, y, None, 2)
    if x.shape[1] + y.shape[1] > MAX_DIMENSIONS:
        raise ValueError(
            f"x and y have {x.shape[1]} + {y.shape[1]} dimensions; nearest neighbours are reliable "
            f"up to {MAX_DIMENSIONS} together. Reduce them, or use leakage.estimate_mi"
        )
    if not 1 <= neighbours < len(x):
        raise ValueError(f"neighbours must be 1 to {len(x) - 1}, not {neighbours}")
    rng = np.random.default_rng(seed)
    x, y = _scaled(x, y, rng)
    local = _local(x, y, neighbours)
    bits = float(local.mean())
    low, high = clustered_interval(bits, local, np.arange(len(x)))
    p_value = None
    if permutations:
        null = [_local(x, y[rng.permutation(len(y))], neighbours).mean()
                for _ in range(permutations)]  # fmt: skip
        p_value = permutation_p_value(bits, np.array(null))
    return Estimate(
        bits, low, high, p_value, len(x), f"KSG, {neighbours} neighbours", "estimate",
    )


def spiked_cca(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Mutual information of Gaussian copulas from debiased canonical correlations.

    Sees few correlated coordinates among many, where neighbours and networks see nothing. It is no
    bound: of data that is not Gaussian after its ranks are mapped to normal scores it may report
    far too much (7.5 nats for 2.3 on clusters). `estimate_mi` uses the same correlations as a
    critic inside a held-out bound.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy), dx + dy below N
        Paired rows.

    Returns
    -------
    Estimate
        In bits, without interval or p-value.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, more coordinates than samples.

    References
    ----------
    Bao, Hu, Pan & Zhou (2019), Canonical correlation coefficients of high-dimensional Gaussian
    vectors: finite rank case, Annals of Statistics 47, 612-640.

    Examples
    --------
    >>> from leakage.truth.channels import gaussian
    >>> x, y, exact = gaussian(2000, dimensions=100, active=2, bits=1.5)
    >>> bool(abs(spiked_cca(x, y).bits - exact.bits) < 0.2)
    True
    """
    from leakage.estimators.critics import Ranks, canonical_correlations

    x, y, _ = check_samples(x, y, None, 2)
    n = len(x)
    if x.shape[1] + y.shape[1] >= n:
        raise ValueError(
            f"{x.shape[1]} + {y.shape[1]} coordinates need more samples than {n}; reduce them "
            "to principal components first"
        )
    a, b = (np.linalg.qr(v - v.mean(0))[0] for v in (
        Ranks(side).normal_scores(np.arange(n)).astype(np.float64) for side in (x, y)
    ))  # fmt: skip
    squared = np.linalg.svd(a.T @ b, compute_uv=False) ** 2
    rho2 = canonical_correlations(squared, x.shape[1], y.shape[1], n)
    bits = float(-0.5 * np.log2(1 - rho2).sum()) + 0.0
    return Estimate(
        bits, None, None, None, n, "spiked CCA", "estimate",
        details={"correlations": tuple(np.sqrt(rho2[rho2 > 0]))},
    )


class LeakTest(NamedTuple):
    """Outcome of a test of independence.

    `p_value` is by permutation; `z`, the statistic's distance from the null mean in null standard
    deviations, still grows where the p-value is at its floor.
    """

    p_value: float
    z: float


def canonical_test(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
    permutations: int = 999,
) -> LeakTest:
    """Test whether paired vectors are dependent, by a linear critic that never saw the test images.

    Each fold is judged by a critic fitted on the folds before it. There both vectors are reduced
    to whitened principal components; the singular vectors of their cross-covariance, weighted by
    the squared singular values in excess of what noise gives, are the critic. Its mean over the
    fold's pairs is compared with shuffled pairs (`leakage.evidence.permutations.sequential_test`).

    Parameters
    ----------
    x, y, groups, folds, seed, permutations
        As of `leakage.estimate_mi`.
    components : int
        Principal components kept of each vector.

    Raises
    ------
    ValueError, TypeError
        As `leakage.estimate_mi`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> canonical_test(x, x + rng.normal(size=(200, 3))).p_value < 1e-6
    True
    """
    from leakage.estimators.critics import linear_critic, one_thread, whitened

    x, y, groups = check_samples(x, y, groups, folds)
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    scores, trained_on = [], []
    for test in range(1, folds):
        fit, rows = np.flatnonzero(fold < test), np.flatnonzero(fold == test)
        with one_thread():
            a, b = (whitened(v, fit, components, seed) for v in (x, y))
            scores.append(linear_critic(a, b, fit).scores(rows))
        trained_on.append(len(fit))
    return LeakTest(*sequential_test(scores, trained_on, permutations, rng))
