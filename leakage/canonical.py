"""A leak test by canonical correlation: the cheapest critic, held out, with a permutation null."""

from typing import NamedTuple

import numpy as np

from leakage.evidence import diagonal_null, pool_folds, split_by_group
from leakage.mine import check_samples, whitened


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
    components: int = 16,
    permutations: int = 999,
) -> LeakTest:
    """Test whether paired vectors are dependent, by a linear critic that never saw the test images.

    On the training folds both vectors are reduced to whitened principal components; the singular
    vectors of their cross-covariance, weighted by the squared singular values in excess of what
    noise gives, are the critic. Its mean over held-out pairs is compared with shuffled pairs.

    Parameters
    ----------
    x, y, groups, folds, seed, permutations
        As of `leakage.mine`.
    components : int
        Principal components kept of each vector.

    Raises
    ------
    ValueError, TypeError
        As `leakage.mine`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3))
    >>> canonical_test(x, x + rng.normal(size=(200, 3))).p_value
    0.001
    """
    x, y, groups = check_samples(x, y, groups, folds)
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    observed, nulls = [], []
    for test in range(folds):
        fit, rows = np.flatnonzero(fold != test), np.flatnonzero(fold == test)
        a, b = (whitened(v, fit, components, seed) for v in (x, y))
        u, s, vt = np.linalg.svd(a[fit].T @ b[fit] / len(fit), full_matrices=False)
        weights = np.maximum(s**2 - len(s) / len(fit), 0)
        if not weights.any():
            weights = s**2
        scores = (a[rows] @ u * weights) @ (b[rows] @ vt.T).T
        observed.append(scores.diagonal().mean())
        nulls.append(diagonal_null(scores, permutations, rng))
    return LeakTest(*pool_folds(observed, nulls))
