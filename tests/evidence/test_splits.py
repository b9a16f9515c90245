import numpy as np
import pytest

from leakage.evidence.splits import split_by_group


@pytest.mark.parametrize("folds", [2, 5, 19])
def test_groups_stay_together_and_folds_are_even(folds, photographs, rng):
    fold = split_by_group(photographs.groups, folds, rng)
    assert set(fold) == set(range(folds))
    for group in np.unique(photographs.groups):
        assert len(set(fold[photographs.groups == group])) == 1
    if folds == 5:
        sizes = np.bincount(fold)
        assert np.ptp(sizes) <= 64


def test_more_folds_than_groups(rng):
    with pytest.raises(ValueError, match="3 folds need at least 3 groups"):
        split_by_group(np.array([0, 0, 1]), 3, rng)
