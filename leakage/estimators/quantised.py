"""The empirical estimator of vectors: codebooks of other groups, and counts of their codes.

A codebook is learned on each side alone, so that it knows nothing of which y belongs to which x.
Its size is chosen on folds that did not fill the table which it is judged by, and the codes of the
fold at hand are counted with a correction. What the same rows say of themselves, codebook and
counts and no correction, is `naive_quantised_mi`: it finds bits where there are none.
"""

import math
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from leakage.arguments import check_int, check_seed
from leakage.estimate import FOLDS_DISAGREE, Estimate
from leakage.estimators.corrections import jackknife_mi, plug_in_mi
from leakage.estimators.counting import SAMPLES_PER_CELL
from leakage.estimators.critics import most_components, principal_components
from leakage.evidence.exchange import Strata, Units
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import few_exchanges, permutation_p_value
from leakage.evidence.samples import check_samples

#: Codes of each side that are tried, as long as a code has so many rows to be learned from.
SIZES, ROWS_PER_CODE = (2, 4, 8, 16, 32), 12
#: Starts of k-means: where clusters are plain, one start in ten merges two of them.
STARTS = 3
#: Share of the folds that teaches; more rows to count are worth more than better codebooks.
TEACH = 0.4
#: Samples to count for each cell that occurs among those that teach, as `SAMPLES_PER_CELL`; of
#: fewer, jackknifed values were too high by up to half a bit on labels seen through vectors.
THINNEST = 5
#: Exchanges behind the mean that is subtracted where rows of a group are exchanged together.
SUBTRACTED = 50
#: Near the most that so many codes can tell, the vectors may well hold more.
NEAR_CEILING = 0.9


class Codes(NamedTuple):
    """Codes of all rows by codebooks of some folds, for one size."""

    x: np.ndarray
    y: np.ndarray
    size: int

    def tables(self, fold: np.ndarray, rows: np.ndarray, partners: np.ndarray) -> np.ndarray:
        """A table for each fold: codes of x at `rows` with those of y at `partners`."""
        folds, cells = int(fold.max()) + 1, self.size**2
        cell = fold[rows] * cells + self.x[rows] * self.size + self.y[partners]
        return np.bincount(cell, minlength=folds * cells).reshape(folds, self.size, self.size)


class Turn(NamedTuple):
    """Folds that teach codebooks and choose their size, codes by these, and the folds counted."""

    teach: np.ndarray
    judge: np.ndarray
    codes: list[Codes]


def principal(values: np.ndarray, fit: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Principal components of standardised coordinates, fitted on the rows `fit`, not whitened.

    Whitening would give noise the weight of what sets clusters apart.
    """
    spread = values[fit].std(0)
    useful = spread > 1e-9 * max(spread.max(), 1e-300)
    scaled = ((values - values[fit].mean(0)) / np.where(spread > 0, spread, 1))[:, useful]
    if scaled.shape[1] == 0:
        return np.zeros((len(values), 1))
    if scaled.shape[1] <= components:
        return scaled
    count = most_components(components, scaled, fit)
    return principal_components(scaled[fit], count, seed).transform(scaled)


def codes_of(
    values: np.ndarray, fit: np.ndarray, sizes: tuple[int, ...], components: int, seed: int
) -> list[np.ndarray]:
    """The nearest of `size` centres of each row, for each size; centres are those of `fit` alone.

    Examples
    --------
    >>> values = np.array([[0.0], [0.1], [5.0], [5.1]] * 10)
    >>> (code,) = codes_of(values, np.arange(20), (2,), 32, 0)
    >>> bool(code[0] == code[1] != code[2])
    True
    """
    from sklearn.cluster import KMeans

    projected = principal(values, fit, components, seed)
    # k-means starts at random rows: of both sides they must not be the same ones
    taught = np.random.default_rng(seed).permutation(projected[fit])
    distinct = len(np.unique(taught, axis=0))
    with threadpool_limits(1):
        return [
            KMeans(min(size, distinct), n_init=STARTS, max_iter=50, random_state=seed)
            .fit(taught)
            .predict(projected)
            .astype(np.intp)
            for size in sizes
        ]


def _seeds(seed: int, first: int) -> tuple[int, int]:
    """A seed for each side: with one for both, rows that start clusters would be paired rows."""
    x, y = np.random.SeedSequence([seed, first]).generate_state(2)
    return int(x), int(y)


def _score(halves: np.ndarray) -> float:
    """What the table of each half says of the codes of the other, in bits a row.

    The log-ratio of a table that was drawn towards independence, so that it knows no impossible
    pair of codes; too many codes cost it what they cost an estimate.
    """
    rest = halves[::-1]
    n = rest.sum((1, 2), keepdims=True)
    product = (rest.sum(2, keepdims=True) + 0.5) * (rest.sum(1, keepdims=True) + 0.5)
    product = product / product.sum((1, 2), keepdims=True)
    weight = rest.shape[1] ** 2 / 4
    ratio = np.log2((rest / product + weight) / (n + weight))
    return float((halves * ratio).sum() / halves.sum())


class _Judged(NamedTuple):
    size: int  # place among the codes of the turn
    table: np.ndarray  # of the folds that are counted
    bits: float


def _judged(turn: Turn, fold: np.ndarray, rows: np.ndarray, partners: np.ndarray) -> _Judged:
    """The size that validation prefers, and the corrected information of what it did not see."""
    best, found = -math.inf, None
    for size, codes in enumerate(turn.codes):
        tables = codes.tables(fold, rows, partners)
        of_teachers, own = tables[turn.teach], tables[turn.judge].sum(0)
        if found is not None and own.sum() < THINNEST * np.count_nonzero(of_teachers.sum(0)):
            continue
        middle = len(of_teachers) // 2
        halves = np.stack([of_teachers[:middle].sum(0), of_teachers[middle:].sum(0)])
        score = _score(halves) if middle else -float(size)
        if score > best:
            best, found = score, _Judged(size, own, math.nan)
    assert found is not None  # of no more than the first size nothing is asked
    return found._replace(bits=_corrected(found.table))


def _corrected(table: np.ndarray) -> float:
    """The table's information by the jackknife; 0 of a table that has lost all its samples."""
    return jackknife_mi(table) if table.sum() > 1 else 0.0


class _Exchanges:
    """Orders of units within their folds, whose codebooks stay what they are."""

    def __init__(self, units: Units, fold: np.ndarray, rng: np.random.Generator):
        self._rng = rng
        self._folds: list[tuple[np.ndarray, Strata]] = []
        for at in range(fold.max() + 1):
            own = np.flatnonzero(fold == at)
            self._folds.append((own, units.strata(own, rng)))
        self.rows = np.concatenate([own[strata.rows] for own, strata in self._folds])
        self.together = any(block.shape[1] > 1 for _, s in self._folds for block in s.blocks)

    def reach(self, permutations: int) -> float:
        """The least p-value that so many of them can give."""
        return 1 / min(permutations + 1, math.prod(s.arrangements for _, s in self._folds))

    def partners(self) -> np.ndarray:
        """Rows of y that take the places of `rows`."""
        return np.concatenate([
            own[strata.taken(strata.shuffled(self._rng))]
            for own, strata in self._folds
        ])  # fmt: skip


def _subtracted(
    turns: list[Turn], judged: list[_Judged], fold: np.ndarray, exchanges: _Exchanges
) -> np.ndarray:
    """Of each turn, what its chosen codes say on average when whole groups change places."""
    null = np.zeros((SUBTRACTED, len(judged)))
    for draw in null:
        partners = exchanges.partners()
        for at, (turn, one) in enumerate(zip(turns, judged, strict=True)):
            tables = turn.codes[one.size].tables(fold, exchanges.rows, partners)
            draw[at] = _corrected(tables[turn.judge].sum(0))
    return null.mean(0)


def _turns(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, components: int, seed: int
) -> list[Turn]:
    """Every fold, with as many after it as make up the share that teaches, in turn."""
    folds = int(fold.max()) + 1
    teachers = max(1, round(TEACH * folds))
    turns = []
    for first in range(folds):
        teach = np.arange(first, first + teachers) % folds
        fit = np.flatnonzero(np.isin(fold, teach))
        sizes = tuple(s for s in SIZES if s == SIZES[0] or s * ROWS_PER_CODE <= len(fit))
        of_x, of_y = (
            codes_of(v, fit, sizes, components, own)
            for v, own in zip((x, y), _seeds(seed, first), strict=True)
        )
        codes = [Codes(*one) for one in zip(of_x, of_y, sizes, strict=True)]
        turns.append(Turn(teach, np.setdiff1d(np.arange(folds), teach), codes))
    return turns


def quantised_mi(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    units: Units,
    fold: np.ndarray,
    *,
    components: int,
    permutations: int,
    seed: int,
    noticed: tuple[str, ...] = (),
) -> Estimate:
    """What `leakage.estimate_mi` does by the method ``"quantised"``, of samples that are checked.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    groups : ndarray, shape (N,)
        Source image of each row.
    units : Units
        What the test exchanges.
    fold : ndarray of int, shape (N,)
        Whole groups together.
    components : int
        Principal components that k-means sees of each side.
    permutations : int
        Exchanges within folds; sizes are chosen anew each time. 0 gives no p-value.
    seed : int
        Of k-means and the exchanges.
    noticed : tuple of str
        Flags of the samples.

    Returns
    -------
    Estimate
        As of `leakage.estimate_mi`, in bits. Details: ``folds``, ``codes`` (size of each fold's
        codebooks), ``plug-in`` (of the same tables, uncorrected), ``bias`` (that less the value),
        ``z``, ``exchanged``, ``ceiling`` (log2 of the codes, mean over folds).

    Examples
    --------
    >>> from leakage.truth.channels import clusters
    >>> x, y, exact = clusters(1000, count=4)
    >>> rows = np.arange(1000)
    >>> found = quantised_mi(
    ...     x, y, rows, Units(rows), rows % 5, components=32, permutations=0, seed=0
    ... )
    >>> bool(abs(found.bits - exact.bits) < 0.05)
    True
    """
    rng = np.random.default_rng(seed)
    turns = _turns(x, y, fold, components, seed)
    every = np.arange(len(x))
    judged = [_judged(turn, fold, every, every) for turn in turns]
    exchanges = _Exchanges(units, fold, rng)
    each = np.array([one.bits for one in judged])
    if exchanges.together:
        each = each - _subtracted(turns, judged, fold, exchanges)
    bits = float(each.mean())
    low, high = _interval(bits, turns, judged, fold, groups)
    p_value, tested = _test(turns, fold, exchanges, permutations)
    raw = float(np.mean([plug_in_mi(one.table) for one in judged]))
    counts = tuple(turn.codes[one.size].size for turn, one in zip(turns, judged, strict=True))
    ceiling = float(np.log2(counts).mean())
    details = {
        "folds": tuple(each.tolist()), "codes": counts, "plug-in": raw, "bias": raw - bits,
        "ceiling": ceiling, "exchanged": f"{len(np.unique(units.labels))} units",
    }  # fmt: skip
    name = f"{min(counts)} to {max(counts)}" if len(set(counts)) > 1 else f"{counts[0]}"
    name = f"quantised to {name} codes, jackknife, {len(turns)} folds held out"
    few = few_exchanges(exchanges.reach(permutations)) if permutations else []
    flags = (*noticed, *few, *_flags(judged, each, bits, ceiling))
    return Estimate(
        bits, low, high, p_value, len(x), name, "estimate", flags, details | tested
    )  # fmt: skip


def _interval(
    bits: float, turns: list[Turn], judged: list[_Judged], fold: np.ndarray, groups: np.ndarray
) -> tuple[float, float]:
    """Over groups, widened by the noise that a table has where nothing depends on anything."""
    influence, noise = np.zeros(len(fold)), []
    for turn, one in zip(turns, judged, strict=True):
        own = np.flatnonzero(np.isin(fold, turn.judge))
        codes, table = turn.codes[one.size], one.table
        expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
        pointwise = np.log2(np.maximum(table, 1) / np.maximum(expected, 1e-12))
        values = pointwise[codes.x[own], codes.y[own]]
        influence[own] += (values - values.mean()) * len(fold) / (len(own) * len(turns))
        rows, columns = (int((table.sum(axis) > 0).sum()) for axis in (1, 0))
        freedom = max(0, (rows - 1) * (columns - 1))
        noise.append(math.sqrt(2 * freedom) / (2 * len(own) * math.log(2)))
    low, high = clustered_interval(bits, influence, groups)
    half = math.hypot((high - low) / 2, 1.96 * float(np.mean(noise)))
    return bits - half, bits + half


def _test(
    turns: list[Turn], fold: np.ndarray, exchanges: _Exchanges, permutations: int
) -> tuple[float | None, dict[str, object]]:
    """p-value and z of the estimate itself among exchanges, sizes being chosen anew each time."""
    if permutations == 0:
        return None, {}
    rows = exchanges.rows

    def value(partners: np.ndarray) -> float:
        return float(np.mean([_judged(turn, fold, rows, partners).bits for turn in turns]))

    observed = value(rows)
    null = np.array([value(exchanges.partners()) for _ in range(permutations)])
    spread = float(null.std())
    z = (observed - float(null.mean())) / spread if spread > 1e-12 else 0.0
    return permutation_p_value(observed - 1e-9, null), {"z": z}


def _flags(judged: list[_Judged], each: np.ndarray, bits: float, ceiling: float) -> list[str]:
    flags = []
    thin = sum(one.table.sum() < SAMPLES_PER_CELL * np.count_nonzero(one.table) for one in judged)
    if thin:
        flags.append(f"too few samples for the codes of {thin} of {len(judged)} folds")
    if bits > NEAR_CEILING * ceiling:
        flags.append(f"saturated: so many codes tell at most {ceiling:.2f} bit")
    if np.ptp(each) > max(1.0, 2 * abs(bits)):
        flags.append(FOLDS_DISAGREE)
    return flags


def naive_quantised_mi(
    x: np.ndarray, y: np.ndarray, *, size: int = 16, components: int = 32, seed: int = 0
) -> Estimate:
    """What goes wrong: codebooks and counts of the same rows, with nothing corrected or held out.

    As the empirical estimator is often written. Its value grows with the number of codes and falls
    with that of rows, whether or not the sides have anything to do with each other.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    size : int
        Codes of each side, 2 to N.
    components : int
        Principal components that k-means sees of each side.
    seed : int
        Of k-means.

    Returns
    -------
    Estimate
        In bits; about ``(size - 1)**2 / (2 N ln 2)`` of independent sides while that is small.
        It has neither interval nor p-value, and is flagged.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few of them, a size out of range.

    Examples
    --------
    >>> x, y = np.random.default_rng(0).normal(size=(2, 500, 8))
    >>> bool(naive_quantised_mi(x, y, size=16).bits > 0.25)
    True
    """
    check_seed(seed)
    x, y, _ = check_samples(x, y, None, 2)
    check_int("size", size)
    if not 2 <= size <= len(x):
        raise ValueError(f"size must be 2 to the {len(x)} rows, not {size}")
    every = np.arange(len(x))
    (a,), (b,) = (
        codes_of(v, every, (int(size),), components, own)
        for v, own in zip((x, y), _seeds(seed, 0), strict=True)
    )
    table = Codes(a, b, int(size)).tables(np.zeros(len(x), np.intp), every, every)[0]
    bits = plug_in_mi(table)
    flag = "in sample: codebooks, counts and value are of the same rows"
    return Estimate(
        bits, None, None, None, len(x), f"quantised to {size} codes, plug-in", "estimate", (flag,)
    )
