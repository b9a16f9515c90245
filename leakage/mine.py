"""MINE, held out by construction: mutual information between vectors, in bits.

A critic is trained to tell pairs from shuffled pairs; the Donsker-Varadhan bound of Belghazi et
al. (2018) is then evaluated on source images that neither trained it nor chose it.
"""

import math

import numpy as np
from sklearn.decomposition import PCA

from leakage.estimate import Estimate
from leakage.evidence import (
    clustered_interval,
    diagonal_null,
    pool_folds,
    split_by_group,
)

#: Critics a fold, each validated on another part of its training photographs; their mean is used.
REPETITIONS = 4
#: Whitened coordinates are clipped here: test images unlike the training images stay in range.
CLIP = 3.0
TEMPERATURES = np.linspace(0, 1.2, 25)
#: A temperature above 0 must raise the bound on validation by this many standard errors.
CAUTION = 1.0
#: From this share of recognised pairs on, a sample cannot tell how much more information there is.
RECOGNISED = 0.8


def check_samples(x, y, groups, folds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    arrays = []
    for name, value in (("x", x), ("y", y)):
        value = np.asarray(value)
        if value.ndim != 2 or not np.issubdtype(value.dtype, np.number):
            raise ValueError(
                f"{name} must be numbers of shape (N, d), one row a sample, not "
                f"{value.dtype} {value.shape}; one variable is x[:, None]"
            )
        value = value.astype(np.float64)
        bad = np.count_nonzero(~np.isfinite(value).all(1))
        if bad:
            raise ValueError(f"{name} has NaN or infinite values in {bad} rows; drop those samples")
        arrays.append(value)
    x, y = arrays
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows, y has {len(y)}; rows must be paired")
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer):
        raise TypeError(f"folds must be an int, not {folds!r}")
    if folds < 2:
        raise ValueError(f"folds must be at least 2, not {folds}")
    groups = np.arange(len(x)) if groups is None else np.asarray(groups)
    if groups.shape != (len(x),):
        raise ValueError(f"groups must be one label a sample, ({len(x)},), not {groups.shape}")
    if len(np.unique(groups)) < folds:
        raise ValueError(
            f"{len(x)} samples from {len(np.unique(groups))} groups cannot fill {folds} folds; "
            "give more source images or fewer folds"
        )
    if len(x) < 4 * folds:
        raise ValueError(f"{len(x)} samples are too few for {folds} folds of at least 4")
    for name, value in (("x", x), ("y", y)):
        if np.all(value == value[0]):
            raise ValueError(
                f"{name} is constant: all {len(value)} rows are equal, so it carries no information"
            )
    return x, y, groups


def whitened(values: np.ndarray, fit: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Principal components of all samples, fitted and scaled on the samples `fit`, clipped."""
    components = min(components, values.shape[1], max(1, len(fit) // 10))
    # exact and deterministic; whichever of the two is cheap for this shape
    solver = "covariance_eigh" if len(fit) >= values.shape[1] else "arpack"
    pca = PCA(components, svd_solver=solver, random_state=seed).fit(values[fit])
    scale = np.sqrt(pca.explained_variance_)
    useful = scale > 1e-6 * scale[0]  # the rest is rounding noise: do not blow it up
    projected = pca.transform(values)[:, useful] / scale[useful]
    out = np.zeros((len(values), components), np.float32)
    out[:, : projected.shape[1]] = np.clip(projected, -CLIP, CLIP)
    return out


def _bound(scores: np.ndarray) -> tuple[float, np.ndarray]:
    """Donsker-Varadhan bound over all pairs, and each sample's influence on it, in bits.

    The influence of sample i counts its own pair, its row and its column (a U-statistic's two
    projections).
    """
    n = len(scores)
    diagonal = scores.diagonal()
    weights = np.exp(scores - scores.max())
    np.fill_diagonal(weights, 0)
    partition = weights.sum() / (n * (n - 1))
    value = diagonal.mean() - math.log(partition) - scores.max()
    influence = diagonal - (weights.sum(0) + weights.sum(1)) / ((n - 1) * partition)
    return value / math.log(2), influence / math.log(2)


def _temperature(scores: list[np.ndarray], clusters: list[np.ndarray]) -> float:
    """The factor on the critics that serves them best on their validation samples.

    0, which makes the bound exactly 0, unless the gain is clear of the noise over photographs: a
    critic that found nothing must not cost bits.
    """
    values = [np.mean([_bound(a * s)[0] for s in scores]) for a in TEMPERATURES]
    best = float(TEMPERATURES[int(np.argmax(values))])
    if best == 0:
        return 0.0
    errors = []
    for s, cluster in zip(scores, clusters, strict=True):
        value, influence = _bound(best * s)
        labels = cluster if len(np.unique(cluster)) > 1 else np.arange(len(cluster))
        low, high = clustered_interval(value, influence, labels, level=0.6827)
        errors.append((high - low) / 2)
    return best if max(values) > CAUTION * np.mean(errors) / math.sqrt(len(errors)) else 0.0


def mine(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
    permutations: int = 4999,
) -> Estimate:
    """Held-out MINE: a lower-bound estimate of I(X; Y) in bits, with interval and p-value.

    Samples are split into folds by group. For each fold, both vectors are reduced to principal
    components fitted on the other folds, four critics are trained there, each stopped on another
    quarter of those groups, one temperature is chosen on these, and the mean critic is evaluated
    on all pairs of the fold. The value is the mean over folds, weighted by size.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    groups : ndarray, shape (N,), optional
        Source image of each row. Without groups every row is its own: right only if no two rows
        come from one image.
    folds : int
        At least 2, at most the number of groups.
    seed : int
        Of the split, the critics and the permutations.
    components : int
        Principal components kept of each vector, at most a tenth of the training samples.
    permutations : int
        Behind the p-value, whose smallest value is 1 / (permutations + 1).

    Returns
    -------
    Estimate
        ``kind="estimate"`` of a lower bound: its expectation is at most I(X; Y) but for the
        sampling noise that the interval shows. The interval is over groups. Flags: ``"saturated"``
        when nearly every held-out pair is recognised among all others, so that the sample cannot
        tell how much more there is; ``"folds disagree"``. Details: ``folds`` (bits of each),
        ``temperatures``, ``top1`` (share of held-out y that pick out their x).

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups.

    Notes
    -----
    The p-value compares the mean critic value of the held-out pairs with that of pairs shuffled
    within the fold; the critics are not retrained. `leakage.evidence.pool_folds` adds the folds.

    References
    ----------
    Belghazi et al. (2018), Mutual Information Neural Estimation, ICML, equations 5 and 12.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> mine(x, x + rng.normal(size=(300, 2)), permutations=999).p_value
    0.001
    """
    import torch

    from leakage.critics import one_thread, train

    x, y, groups = check_samples(x, y, groups, folds)
    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)

    xs, ys, fit, validate = [], [], [], []
    for test in range(folds):
        rest = np.flatnonzero(fold != test)
        repetitions = min(REPETITIONS, len(np.unique(groups[rest])))
        if repetitions < 2:
            raise ValueError(
                "each training part needs samples from at least two groups; give more source images"
            )
        part = split_by_group(groups[rest], repetitions, rng)
        x_white, y_white = (whitened(v, rest, components, seed) for v in (x, y))
        for held in range(repetitions):
            xs.append(x_white)
            ys.append(y_white)
            fit.append(rest[part != held])
            validate.append(rest[part == held])
    xs, ys = np.stack(xs), np.stack(ys)
    with one_thread():
        critics = train(xs, ys, fit, validate, seed)

    def scores_of(c: int, rows: np.ndarray) -> np.ndarray:
        with one_thread(), torch.no_grad():
            a, b = torch.from_numpy(xs[c, rows]), torch.from_numpy(ys[c, rows])
            return critics.scores(a, b, c).numpy().astype(np.float64)

    values, temperatures, sizes, top1 = [], [], [], []
    influences = np.zeros(len(x))
    observed, nulls = [], []
    repetitions = len(fit) // folds
    for test in range(folds):
        rows = np.flatnonzero(fold == test)
        mine_ = range(test * repetitions, (test + 1) * repetitions)
        temperature = _temperature(
            [scores_of(c, validate[c]) for c in mine_], [groups[validate[c]] for c in mine_]
        )
        mean_scores = np.mean([scores_of(c, rows) for c in mine_], axis=0)
        value, influence = _bound(temperature * mean_scores)
        if temperature == 0:  # the value is 0 by choice: its noise is that of the critic as trained
            influence = _bound(mean_scores)[1]
        influences[rows] = influence - influence.mean()
        values.append(value)
        temperatures.append(temperature)
        sizes.append(len(rows))
        top1.append(np.mean(mean_scores.argmax(0) == np.arange(len(rows))))
        observed.append(mean_scores.diagonal().mean())
        nulls.append(diagonal_null(mean_scores, permutations, rng))

    bits = float(np.average(values, weights=sizes))
    low, high = clustered_interval(bits, influences, groups)
    p_value, z = pool_folds(observed, nulls)
    recognised = float(np.average(top1, weights=sizes))
    flags = []
    if recognised > RECOGNISED or high > math.log2(min(sizes)) - 1 / math.log(2):
        flags.append(
            f"saturated: {recognised:.0%} of held-out pairs recognised among "
            f"{round(np.mean(sizes))}"
        )
    if np.ptp(values) > max(1.0, 2 * abs(bits)):
        flags.append("folds disagree")
    return Estimate(
        bits, low, high, p_value, len(x),
        f"MINE, {folds} folds held out", "estimate", tuple(flags),
        {
            "folds": tuple(values), "temperatures": tuple(temperatures), "top1": recognised,
            "z": z,
        },
    )
