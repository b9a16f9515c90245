"""Splits of samples into folds, whole groups together."""

import numpy as np


def split_by_group(groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Assign every sample to a fold, whole groups together, folds of similar size.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        Group of each sample, for instance its source photograph.
    folds : int
        Number of folds, at most the number of groups.
    rng : numpy.random.Generator
        Deals out groups of equal size.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> groups = np.array([0, 0, 0, 1, 1, 2])
    >>> fold = split_by_group(groups, 2, np.random.default_rng(0))
    >>> fold[0] == fold[1] == fold[2] != fold[3] == fold[5]
    np.True_
    """
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if folds > len(names):
        raise ValueError(f"{folds} folds need at least {folds} groups, there are {len(names)}")
    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first
    fold_of = np.zeros(len(names), int)
    fold_of[order] = _dealt(sizes[order], folds)
    return fold_of[member]


def least_part(groups: np.ndarray, parts: int) -> int:
    """How many samples the smallest part has where whole groups are dealt out to so many.

    Examples
    --------
    >>> least_part(np.array([0, 0, 0, 1, 1, 2]), 2), least_part(np.array([0, 0, 0, 1]), 2)
    (3, 1)
    """
    sizes = -np.sort(-np.unique(groups, return_counts=True)[1])
    return int(np.bincount(_dealt(sizes, parts), weights=sizes, minlength=parts).min())


def _dealt(sizes: np.ndarray, parts: int) -> np.ndarray:
    """Part of each group, the next always into the part that has fewest samples."""
    load, part = np.zeros(parts, int), np.zeros(len(sizes), int)
    for group, size in enumerate(sizes):
        part[group] = np.argmin(load)
        load[part[group]] += size
    return part
