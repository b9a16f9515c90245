"""Copies, large groups and extreme scales: noticed, cut, or refused with the way out."""

import numpy as np
import pytest

import leakage
from leakage.evidence.samples import check_samples, usable_samples


def test_copies_without_groups_count_once(rng):
    """Doubled independent rows: reported as dependence before, p < 5e-4 each time."""
    for dimensions in (1, 2, 5):
        x, y = rng.normal(size=(2, 100, dimensions))
        usable = usable_samples(np.vstack([x, x]), np.vstack([y, y]), None, 5, 0)
        assert len(np.unique(usable.groups)) == 100
        assert usable.flags == ("100 of 200 rows repeat others: they count once",)
    e = leakage.estimate_mi(np.vstack([x, x]), np.vstack([y, y]), permutations=99)
    assert e.low < 0.02
    assert e.p_value > 0.01
    assert "repeat" in e.flags[0]


def test_discrete_samples_repeat_by_chance(rng):
    bits = rng.integers(0, 2, (300, 1))
    gray = rng.integers(0, 256, (300, 1))
    for x, y in ((bits, bits), (gray, gray), (bits * 0.1, gray)):
        usable = usable_samples(x, y, None, 5, 0)
        assert usable.flags == ()
        assert len(np.unique(usable.groups)) == 300


@pytest.mark.parametrize("times", [2, 4])
@pytest.mark.parametrize("labels", [2, 4])
def test_a_vector_that_comes_again_with_its_label_counts_once(rng, times, labels):
    """Labels come again by chance, but not beside the same vector."""
    x, y = rng.normal(size=(50, 8)), rng.integers(0, labels, 50)
    for side in (y[:, None], np.eye(labels)[y]):
        for pair in ((x, side), (side, x)):
            usable = usable_samples(*(np.repeat(v, times, 0) for v in pair), None, 5, 0)
            assert len(np.unique(usable.groups)) == 50
            assert "count once" in usable.flags[0]
    x, y = (np.repeat(v, times, 0) for v in (x, y[:, None]))
    assert leakage.estimate_mi(x, y, permutations=99).low < 0.1
    assert leakage.certified_mi(x, y).bits < 0.01


def test_codes_repeat_by_chance_however_they_are_written(rng):
    """Of sixteen symbols, as vectors, numbers or out of scale: each comes with several others."""
    sent = rng.integers(0, 16, 800)
    seen = (sent + rng.integers(0, 4, 800)) % 16
    words = rng.normal(size=(16, 5))
    for code in (words, np.eye(16), np.arcsinh(np.arange(16.0))[:, None]):
        for other in (words, np.arange(16)[:, None]):
            assert usable_samples(code[sent], other[seen], None, 5, 0).flags == ()


def test_groups_that_share_a_pair_become_one(rng):
    x, y = rng.normal(size=(2, 40, 3))
    x[39], y[39] = x[0], y[0]
    usable = usable_samples(x, y, np.repeat(np.arange(20), 2), 5, 0)
    assert usable.groups[0] == usable.groups[39] == usable.groups[38]
    assert len(np.unique(usable.groups)) == 19


def test_no_group_fills_more_than_a_fold(rng):
    x, y = rng.normal(size=(2, 200, 2))
    groups = np.concatenate([np.zeros(100, int), np.arange(1, 101)])
    usable = usable_samples(x, y, groups, 5, 0)
    assert (usable.groups == 0).sum() == 25
    assert usable.flags == (
        "75 rows of large groups are left out, so that none fills more than a fold",
    )


def test_too_little_is_left(rng):
    x, y = rng.normal(size=(2, 74, 2))
    groups = np.array([0] * 64 + list(range(1, 11)))
    with pytest.raises(ValueError, match=r"12 samples .* once no group fills .* fewer folds"):
        usable_samples(x, y, groups, 5, 0)


@pytest.mark.parametrize("scale", [1e-300, 1e200])
def test_extreme_scales_change_nothing(scale, rng):
    x, y = rng.normal(size=(2, 200, 1))
    y = x + y
    near, far = (leakage.ksg(a, y, permutations=0) for a in (x, x * scale))
    assert far.bits == pytest.approx(near.bits)
    found = leakage.estimate_mi(x * scale, y / scale, "canonical", permutations=99)
    assert found.bits == pytest.approx(
        leakage.estimate_mi(x, y, "canonical", permutations=99).bits, abs=0.02
    )
    assert np.isfinite(check_samples(x * scale, y, None, 5)[0]).all()


@pytest.mark.parametrize(
    "seed", [*range(16), *(pytest.param(i, marks=pytest.mark.slow) for i in range(16, 80))]
)
def test_any_group_sizes_work_or_are_refused(seed):
    """Random sizes: a result, or the refusal that names the way out; never another error."""
    rng = np.random.default_rng([19, seed])
    n = int(rng.integers(20, 301))
    shape = rng.choice([0.2, 0.5, 1.0, 3.0])
    names = rng.choice(n, size=int(rng.integers(2, n)), replace=False)
    weights = rng.gamma(shape, size=len(names)) + 1e-9
    groups = rng.choice(names, size=n, p=weights / weights.sum())
    dimensions = rng.integers(1, 12, 2)
    x, y = rng.normal(size=(n, dimensions[0])), rng.normal(size=(n, dimensions[1]))
    method = ("auto", "canonical", "mine", "infonce", "cluster")[seed % 5]
    for compute in (
        lambda: leakage.estimate_mi(x, y, method, groups=groups, permutations=19, seed=seed),
        lambda: leakage.canonical_test(x, y, groups=groups, permutations=19, seed=seed),
        lambda: leakage.certified_mi(x, y, method="canonical", groups=groups, seed=seed),
    ):
        refused = refusal(compute)
        assert refused is None or "give more source images" in refused


def refusal(compute):
    """What a refusal says; any other error passes through."""
    try:
        compute()
    except ValueError as error:
        return str(error)
    return None
