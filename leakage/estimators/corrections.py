"""Estimators of mutual information from one contingency table, by the bias they remove.

Each takes a table of counts, rows for x and columns for y, whose alphabets are the rows and the
columns; each gives bits. Most estimate three entropies, I = H(X) + H(Y) - H(X, Y).
"""

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, gammaln, polygamma, softmax

from leakage.estimate import entropy

Estimator = Callable[[np.ndarray], float]


def _from_entropies(entropy_of: Callable[[np.ndarray], float], what: str = "") -> Estimator:
    """Mutual information by an entropy estimator that takes counts, zeros included.

    `what` is the docstring of the function made.
    """

    def information(table: np.ndarray) -> float:
        parts = table.sum(1), table.sum(0), table.ravel()
        x, y, joint = (float(entropy_of(counts)) for counts in parts)
        return x + y - joint

    information.__doc__ = what
    return information


plug_in_mi = _from_entropies(entropy, "Observed frequencies for probabilities: biased upwards.")


def miller_madow_mi(table: np.ndarray) -> float:
    """Miller (1955): each entropy is raised by (occupied cells - 1) / 2N nats."""
    occupied = np.count_nonzero
    excess = occupied(table) - occupied(table.sum(1)) - occupied(table.sum(0)) + 1
    return plug_in_mi(table) - excess / (2 * table.sum() * np.log(2))


def panzeri_treves_mi(table: np.ndarray) -> float:
    """Panzeri & Treves (1996): as Miller-Madow, with the cells that could be occupied, estimated.

    A row's support starts at its occupied cells and grows until as many as observed are expected
    to be occupied, or until one cell more no longer helps; the prior is the one of their
    Bayes-like procedure. Not symmetric: rows are their stimuli.
    """
    counts = table[table.sum(1) > 0].astype(float)
    n = counts.sum(1)
    seen = np.count_nonzero(counts, axis=1)
    responses = np.count_nonzero(counts.sum(0))
    unseen = 1 - (n / (n + seen)) ** (1 / n)  # the prior probability of one unseen cell
    row, column = np.nonzero(counts)
    share = ((counts + 1) / (n + seen)[:, None])[row, column]

    def expected(extra: np.ndarray) -> np.ndarray:
        """Occupied cells expected in each row under a support of `extra` cells more."""
        p = np.clip((1 - extra * unseen)[row] * share, 0, 1)
        hit = np.bincount(row, 1 - (1 - p) ** n[row], len(n))
        return hit + extra * (1 - (1 - unseen) ** n)

    extra = np.zeros(len(n), int)
    value = expected(extra)
    growing = (value < seen) & (seen < responses)
    while growing.any():
        wider = extra + growing
        new = expected(wider)
        growing &= new > value
        extra, value = np.where(growing, wider, extra), np.where(growing, new, value)
        growing &= (value < seen) & (seen + extra < responses)
    bias = (seen + extra - 1).sum() - (responses - 1)
    return plug_in_mi(table) - bias / (2 * table.sum() * np.log(2))


def jackknife_entropy(counts: np.ndarray) -> float:
    """Zahl (1977): N H - (N - 1) times the mean entropy with one sample left out.

    Written out, the logarithm of a count is replaced by `jackknifed_log`, N's as well.
    """
    c = counts[counts > 0].astype(float)
    n = c.sum()
    return float(jackknifed_log(n) - np.sum(c * jackknifed_log(c)) / n)


def jackknifed_log(counts: np.ndarray) -> np.ndarray:
    """Of counts c from 1, log2(c) - (c - 1) log2(1 - 1/c).

    Examples
    --------
    >>> jackknifed_log(np.array([1.0, 2.0, 4.0])).round(3)
    array([0.   , 2.   , 3.245])
    """
    return np.log2(counts) - (counts - 1) * np.log1p(-1 / np.maximum(counts, 2)) / np.log(2)


def james_stein_mi(table: np.ndarray) -> float:
    """Hausser & Strimmer (2009), equations 2 and 5: the table is shrunk towards a uniform one.

    Far too low where most cells are empty although the variables depend on each other.
    """
    n, cells = table.sum(), table.size
    p = table / n
    distance = np.sum((1 / cells - p) ** 2)
    weight = 1.0 if distance == 0 else min(1.0, (1 - np.sum(p**2)) / ((n - 1) * distance))
    return plug_in_mi(weight / cells + (1 - weight) * p)


def grassberger_entropy(counts: np.ndarray) -> float:
    """Grassberger (2003), equation 30: the logarithm of a count replaced by G(count).

    Examples
    --------
    >>> round(grassberger_entropy(np.array([1, 1, 1, 1])), 3)
    3.833
    """
    c = counts[counts > 0].astype(float)
    sign = np.where(c % 2 == 0, 1.0, -1.0)
    g = digamma(c) + sign / 2 * (digamma((c + 1) / 2) - digamma(c / 2))
    return float((np.log(c.sum()) - np.sum(c * g) / c.sum()) / np.log(2))


def chao_shen_entropy(counts: np.ndarray) -> float:
    """Chao & Shen (2003): unseen cells by the coverage, then Horvitz-Thompson weights."""
    c = counts[counts > 0].astype(float)
    n = c.sum()
    singletons = min(np.count_nonzero(c == 1), n - 1)
    p = (1 - singletons / n) * c / n
    inclusion = -np.expm1(n * np.log1p(-p)) if len(c) > 1 else 1.0
    return float(-np.sum(p * np.log2(p) / inclusion))


def chao_wang_jost_entropy(counts: np.ndarray) -> float:
    """Chao, Wang & Jost (2013), equation 7: the slope of the species accumulation curve.

    Their infinite sum is written as an integral, which does not cancel for large samples.
    """
    from scipy.integrate import quad  # brings the whole of scipy.optimize along

    c = counts[counts > 0].astype(float)
    n = c.sum()
    seen = np.sum(c / n * (digamma(n) - digamma(c)))
    once, twice = np.count_nonzero(c == 1), np.count_nonzero(c == 2)
    if once == 0 or n < 2:
        return float(seen) / np.log(2)
    a = 2 * twice / ((n - 1) * once + 2 * twice) if twice else 2 / ((n - 1) * (once - 1) + 2)
    rest, _ = quad(lambda v: np.exp(-v) / (n * (a - (1 - a) * np.expm1(-v / n))), 0, 50, limit=200)
    return float((seen + once / n * (1 - a) * rest) / np.log(2))


def nsb_entropy(counts: np.ndarray) -> float:
    """Nemenman, Shafee & Bialek (2002): the posterior mean under a prior nearly flat in entropy.

    The number of cells is the length of `counts`. Integrated over the concentration in logarithms,
    which neither overflows nor underflows.
    """
    cells, n = len(counts), float(counts.sum())
    if cells == 1:
        return 0.0
    values, times = np.unique(counts, return_counts=True)
    c = values[None, :].astype(float)
    b = np.logspace(-9, 4, 600)[:, None]
    total = n + cells * b[:, 0]
    log_evidence = (
        gammaln(total - n) - gammaln(total) + (times * (gammaln(c + b) - gammaln(b))).sum(1)
    )
    slope = cells * polygamma(1, cells * b[:, 0] + 1) - polygamma(1, b[:, 0] + 1)
    mean = digamma(total + 1) - (times * (c + b) * digamma(c + b + 1)).sum(1) / total
    weight = softmax(log_evidence + np.log(np.maximum(slope * b[:, 0], 1e-300)))
    return float((weight @ mean) / np.log(2))


jackknife_mi = _from_entropies(jackknife_entropy, "Three entropies by `jackknife_entropy`.")

#: By the name that `leakage.plug_in` takes.
CORRECTIONS: dict[str | None, Estimator] = {
    None: plug_in_mi,
    "miller-madow": miller_madow_mi,
    "panzeri-treves": panzeri_treves_mi,
    "jackknife": jackknife_mi,
    "james-stein": james_stein_mi,
    "grassberger": _from_entropies(grassberger_entropy),
    "chao-shen": _from_entropies(chao_shen_entropy),
    "chao-wang-jost": _from_entropies(chao_wang_jost_entropy),
    "nsb": _from_entropies(nsb_entropy),
}
