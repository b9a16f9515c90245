"""Mutual information of low-dimensional vectors from distances to nearest neighbours."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from leakage.estimate import Estimate
from leakage.evidence import clustered_interval, permutation_p_value

#: Coordinates of x and y together, beyond which the estimate is refused: with a thousand samples
#: neighbours are then no longer near, and strong dependence goes unseen.
MAX_DIMENSIONS = 8


def _local(x: np.ndarray, y: np.ndarray, neighbours: int) -> np.ndarray:
    """Contribution of each sample in nats; their mean is the estimate (equation 8)."""
    n = len(x)
    joint = cKDTree(np.hstack([x, y]))
    distance = joint.query(joint.data, neighbours + 1, p=np.inf)[0][:, -1]
    closer = np.nextafter(distance, 0)  # strictly nearer than the k-th neighbour
    counts = [
        cKDTree(v).query_ball_point(v, closer, p=np.inf, return_length=True) for v in (x, y)
    ]  # with the sample itself, so these are n_x + 1 and n_y + 1
    return digamma(neighbours) + digamma(n) - digamma(counts[0]) - digamma(counts[1])


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
    >>> from leakage.channels import gaussian
    >>> x, y, exact = gaussian(2000, bits=1.0)
    >>> bool(abs(ksg(x, y, permutations=0).bits - exact.bits) < 0.1)
    True
    """
    from leakage.mine import check_samples

    x, y, _ = check_samples(x, y, None, 2)
    if x.shape[1] + y.shape[1] > MAX_DIMENSIONS:
        raise ValueError(
            f"x and y have {x.shape[1]} + {y.shape[1]} dimensions; nearest neighbours are reliable "
            f"up to {MAX_DIMENSIONS} together. Reduce them, or use leakage.mine"
        )
    if not 1 <= neighbours < len(x):
        raise ValueError(f"neighbours must be 1 to {len(x) - 1}, not {neighbours}")
    rng = np.random.default_rng(seed)
    x, y = ((v - v.mean(0)) / np.where(v.std(0) > 0, v.std(0), 1) for v in (x, y))
    x, y = (v + 1e-10 * rng.normal(size=v.shape) for v in (x, y))
    local = _local(x, y, neighbours) / np.log(2)
    bits = float(local.mean())
    low, high = clustered_interval(bits, local, np.arange(len(x)))
    p_value = None
    if permutations:
        null = [_local(x, y[rng.permutation(len(y))], neighbours).mean() / np.log(2)
                for _ in range(permutations)]
        p_value = permutation_p_value(bits, np.array(null))
    return Estimate(
        bits, low, high, p_value, len(x), f"KSG, {neighbours} neighbours", "estimate",
    )
