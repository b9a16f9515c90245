"""Plug-in estimates of the mutual information of paired discrete samples."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc  # of the chi-squared distribution, the upper tail

from leakage.estimate import Estimate, entropy
from leakage.estimators.corrections import CORRECTIONS
from leakage.evidence.p_values import positive

#: A table is trusted when it holds at least this many samples per occupied cell.
SAMPLES_PER_CELL = 5
#: Tables up to this many cells are counted without sorting the values first.
_DIRECT = 2**18


def contingency_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Counts of each pair of values, rows for x, columns for y, values in sorted order.

    Examples
    --------
    >>> contingency_table(np.array([0, 0, 1]), np.array([5, 7, 7])).tolist()
    [[1, 1], [0, 1]]
    """
    return _counted(x, y)[0]


def _counted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The contingency table, its sums over y and its sums over x."""
    (x, rows), (y, columns) = (_codes(np.asarray(v)) for v in (x, y))
    if rows * columns > max(_DIRECT, 4 * x.size):
        (x, rows), (y, columns) = (_ranks(v) for v in (x, y))
    narrow = columns < 2**16 and rows * columns <= 2**16  # then less memory goes by
    code = np.uint16 if narrow else np.intp
    cell = np.multiply(x, code(columns), dtype=code, casting="unsafe")
    np.add(cell, y, out=cell, casting="unsafe")
    table = np.bincount(cell, minlength=rows * columns).reshape(rows, columns)
    sums = table.sum(1), table.sum(0)
    occupied = [s > 0 for s in sums]
    if not all(map(np.all, occupied)):
        table = table[occupied[0]][:, occupied[1]]
    return table, *(s[o] for s, o in zip(sums, occupied, strict=True))


def _codes(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Integers from 0 in the order of the values, and how many there may be: unsorted if cheap."""
    if values.dtype.kind in "ui" and values.size:
        low, high = int(values.min()), int(values.max())
        if high - low < _DIRECT:
            flat = values.ravel()
            return (flat if low == 0 else flat.astype(np.int64) - low), high - low + 1
    return _ranks(values)


def _ranks(values: np.ndarray) -> tuple[np.ndarray, int]:
    found, code = np.unique(values, return_inverse=True)
    return code.ravel(), len(found)


def _discrete(name: str, given: ArrayLike) -> np.ndarray:
    values = np.asarray(given)
    if values.dtype.kind not in "buiSU":
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ValueError(f"{name} has NaN values; drop those samples")
        raise TypeError(
            f"{name} must be discrete (integers, booleans or strings), not {values.dtype}; "
            "quantise it first, for instance by numpy.digitize"
        )
    if values.size < 2:
        raise ValueError(f"{name} has {values.size} samples, at least 2 are needed")
    return values


def plug_in(x: np.ndarray, y: np.ndarray, *, correction: str | None = "miller-madow") -> Estimate:
    """Mutual information of paired discrete samples.

    Parameters
    ----------
    x, y : ndarray of int, bool or str, of one shape
        Every element is a sample, paired by position.
    correction : str or None
        Of the plug-in estimator's upward bias: ``"miller-madow"``, ``"panzeri-treves"``,
        ``"jackknife"``, ``"james-stein"`` (far too low in sparse tables), ``"grassberger"``,
        ``"chao-shen"``, ``"chao-wang-jost"`` or ``"nsb"``; see `leakage.estimators.corrections`.
        None shows it uncorrected. Those with a prior (James-Stein, NSB) take the values that occur
        in x and in y for the alphabets.

    Returns
    -------
    Estimate
        The p-value is that of the G-test, None where it does not hold (fewer than five samples a
        cell) and right only for independent samples: neighbouring pixels are not. The interval,
        by the delta method (Roulston, 1999), is likewise for independent samples. Details:
        ``plug-in`` (bits before correction) and ``bias`` (bits subtracted).

    Raises
    ------
    TypeError
        Samples that are not discrete.
    ValueError
        Different shapes, NaN, fewer than two samples, or a constant.

    Examples
    --------
    >>> x = np.array([0, 1] * 50)
    >>> plug_in(x, 1 - x, correction=None).bits
    1.0
    """
    x, y = _discrete("x", x), _discrete("y", y)
    if x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape}, y has {y.shape}; samples are paired by position")
    if correction not in CORRECTIONS:
        raise ValueError(
            f"no correction {correction!r}; there are "
            + ", ".join(repr(name) for name in CORRECTIONS)
        )
    table, *sums = _counted(x, y)
    for name, size in zip("xy", table.shape, strict=True):
        if size == 1:
            raise ValueError(f"{name} is constant, so it carries no information")
    occupied = np.flatnonzero(table.ravel() > 0)  # of booleans: ten times as fast
    row, column = np.divmod(occupied, table.shape[1])
    counts = table.ravel()[occupied]
    n, flags = x.size, []
    raw = entropy(sums[0]) + entropy(sums[1]) - entropy(counts)
    bits = CORRECTIONS[correction](table) if correction else raw
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    frequent = sums[0].min() * sums[1].min() >= 5 * n  # in every cell, under independence
    p_value = positive(chdtrc(freedom, 2 * n * raw * np.log(2))) if frequent else None
    if n < SAMPLES_PER_CELL * len(counts):
        flags.append(f"too few samples: {n} in {len(counts)} occupied cells")
    pointwise = np.log2(counts / (sums[0][row] * (sums[1][column] / n)))
    variance = counts @ (pointwise - raw) ** 2 / n**2
    variance += 2 * freedom / (2 * n * np.log(2)) ** 2  # at independence the first term vanishes
    half = 1.96 * np.sqrt(variance)
    return Estimate(
        bits,
        float(bits - half),
        float(bits + half),
        p_value,
        n,
        "plug-in" if correction is None else f"plug-in, {correction}",
        "estimate",
        tuple(flags),
        {"plug-in": raw, "bias": raw - bits},
    )
