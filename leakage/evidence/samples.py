"""Paired samples and their groups: what every estimator of vectors accepts."""

import numpy as np
from numpy.typing import ArrayLike


def check_samples(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike | None, folds: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paired vectors as float64 with their groups, or the error that says what is wrong.

    Parameters
    ----------
    x, y : array_like, shape (N, dx) and (N, dy)
        Paired rows of finite numbers.
    groups : array_like of shape (N,), or None
        None: every row is its own group.
    folds : int
        That the groups must be able to fill.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups.

    Examples
    --------
    >>> x, y, groups = check_samples(np.eye(8), np.eye(8), None, 2)
    >>> groups
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """
    x, y = (_numbers(name, value) for name, value in (("x", x), ("y", y)))
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows, y has {len(y)}; rows must be paired")
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer):
        raise TypeError(f"folds must be an int, not {folds!r}")
    if folds < 2:
        raise ValueError(f"folds must be at least 2, not {folds}")
    labels = _labels(groups, len(x), folds)
    for name, value in (("x", x), ("y", y)):
        if np.all(value == value[0]):
            raise ValueError(
                f"{name} is constant: all {len(value)} rows are equal, so it carries no information"
            )
    return x, y, labels


def _numbers(name: str, given: ArrayLike) -> np.ndarray:
    """Rows of finite numbers as float64."""
    value = np.asarray(given)
    if value.ndim != 2 or not np.issubdtype(value.dtype, np.number):
        raise ValueError(
            f"{name} must be numbers of shape (N, d), one row a sample, not "
            f"{value.dtype} {value.shape}; one variable is x[:, None]"
        )
    value = value.astype(np.float64)
    if bad := np.count_nonzero(~np.isfinite(value).all(1)):
        raise ValueError(f"{name} has NaN or infinite values in {bad} rows; drop those samples")
    return value


def _labels(groups: ArrayLike | None, rows: int, folds: int) -> np.ndarray:
    """One label a sample, of groups enough for the folds."""
    labels = np.arange(rows) if groups is None else np.asarray(groups)
    if labels.shape != (rows,):
        raise ValueError(f"groups must be one label a sample, ({rows},), not {labels.shape}")
    if (count := len(np.unique(labels))) < folds:
        raise ValueError(
            f"{rows} samples from {count} groups cannot fill {folds} folds; "
            "give more source images or fewer folds"
        )
    if rows < 4 * folds:
        raise ValueError(f"{rows} samples are too few for {folds} folds of at least 4")
    return labels
