"""Canonical correlations: a closed-form estimate, and the strongest test of weak dependence."""

from typing import NamedTuple

import numpy as np

from leakage.arguments import check_count, check_seed
from leakage.estimate import Estimate
from leakage.estimators.critics import Ranks, canonical_correlations, linear_critic, whitened
from leakage.estimators.threads import one_thread
from leakage.evidence.exchange import Exchange, exchangeable
from leakage.evidence.p_values import check_permutations
from leakage.evidence.permutations import JudgedFold, sequential_test
from leakage.evidence.samples import check_samples, usable_samples
from leakage.evidence.splits import split_by_group


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
        bits,
        None,
        None,
        None,
        n,
        "spiked CCA",
        "estimate",
        details={"correlations": tuple(np.sqrt(rho2[rho2 > 0]))},
    )


class LeakTest(NamedTuple):
    """Outcome of a test of independence.

    `p_value` is by permutation, None without permutations; `z`, the statistic's distance from the
    null mean in null standard deviations, still grows where the p-value is at its floor.
    """

    p_value: float | None
    z: float


def canonical_test(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    exchange: Exchange = "groups",
    strata: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
    permutations: int = 999,
) -> LeakTest:
    """Test whether paired vectors are dependent, by a linear critic that never saw the test images.

    Each fold is judged by a critic fitted on the folds before it. There both vectors are reduced
    to whitened principal components; the singular vectors of their cross-covariance, weighted by
    the squared singular values in excess of what noise gives, are the critic. Its mean over the
    fold's pairs is compared with that of exchanged ones
    (`leakage.evidence.permutations.sequential_test`).

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    groups : ndarray, shape (N,), optional
        Source image of each row; without it every row is its own.
    exchange : {"groups", "rows"}
        What is exchanged, as of `estimate_mi`.
    strata : ndarray, shape (N,), optional
        Rows of different labels are never exchanged, as of `estimate_mi`.
    folds : int
        At least 2, at most the number of groups.
    seed : int
        Of the split and the permutations.
    components : int
        Principal components kept of each vector.
    permutations : int
        Of each fold. 0 gives no p-value.

    Returns
    -------
    LeakTest
        The p-value, and z in standard deviations of the null.

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
    check_seed(seed)
    check_count("components", components)
    permutations = check_permutations(permutations)
    x, y, groups, kinds, _ = usable_samples(x, y, groups, folds, seed, strata)
    units = exchangeable(groups, exchange, kinds)
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    judged = []
    for test in range(1, folds):
        fit, rows = np.flatnonzero(fold < test), np.flatnonzero(fold == test)
        with one_thread():
            a, b = (whitened(v, fit, components, seed) for v in (x, y))
            critic = linear_critic(a, b, fit).of(rows)
        judged.append(JudgedFold.of(units.strata(rows, rng), critic.scores, len(fit)))
    tested = sequential_test(judged, permutations, rng)
    return LeakTest(tested.p_value, tested.z)
