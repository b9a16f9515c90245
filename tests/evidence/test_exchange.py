"""What is exchanged: whole groups of like size, and nothing else."""

import math

import numpy as np
import pytest

from leakage.evidence.exchange import LARGEST, Strata, exchangeable


def test_rows_without_groups_are_one_stratum(rng):
    strata = Strata.of(np.arange(30), rng)
    assert [block.shape for block in strata.blocks] == [(30, 1)]
    assert strata.arrangements == math.inf


def test_a_huge_group_among_small_ones_keeps_as_many_rows_as_they_have(rng):
    groups = np.array([0] * 64 + list(range(1, 11)))
    (block,) = Strata.of(groups, rng).blocks
    assert block.shape == (11, 1)


def test_like_sizes_are_kept_apart_from_others(rng):
    sizes = [40, 38, 36, 30, 5, 5, 4, 4]
    groups = np.repeat(np.arange(8), sizes)
    blocks = Strata.of(groups, rng).blocks
    assert [block.shape for block in blocks] == [(4, 30), (4, 4)]
    for block in blocks:
        for rows in block:
            assert len(set(groups[rows])) == 1
            assert (np.diff(rows) > 0).all()


def test_few_groups_are_gone_through_one_by_one(rng):
    strata = Strata.of(np.repeat([0, 1, 2], 2), rng)
    orders = [tuple(order[0]) for order in strata.orders(5, rng)]
    assert orders[0] == (0, 1, 2)
    assert len(set(orders)) == len(orders) == strata.arrangements == 6


def test_many_rows_are_scored_in_parts(rng):
    strata = Strata.of(np.arange(2 * LARGEST + 1), rng)
    assert max(len(block) for block in strata.blocks) <= LARGEST
    assert np.array_equal(np.sort(strata.rows), np.arange(2 * LARGEST + 1))


def test_sums_are_those_of_exchanged_rows(rng):
    groups = np.repeat(np.arange(5), 3)
    strata = Strata.of(groups, rng)
    scores = rng.normal(size=(15, 15))
    (summed,) = strata.summed(lambda rows: scores[np.ix_(rows, rows)])
    order = [np.array([1, 2, 3, 4, 0])]
    direct = scores[strata.rows, strata.taken(order)].sum()
    assert summed[np.arange(5), order[0]].sum() == pytest.approx(direct)


def test_unknown_exchange():
    with pytest.raises(ValueError, match="exchange must be 'groups' or 'rows'"):
        exchangeable(np.arange(3), "pixels")
