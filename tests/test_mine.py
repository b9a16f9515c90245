import math

import numpy as np
import pytest

import leakage
from leakage import canonical_test, mine


def gaussian(bits, n, d, seed):
    """Pairs of d-dimensional Gaussian vectors that share `bits`."""
    rng = np.random.default_rng(seed)
    rho = math.sqrt(1 - 2 ** (-2 * bits / d))
    x, noise = rng.normal(size=(2, n, d))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("bits", [0.5, 1.0, 2.0])
def test_known_answer(bits):
    """A lower bound, but not a useless one."""
    e = mine(*gaussian(bits, 1000, 3, 0))
    assert e.p_value < 0.001
    assert 0.6 * bits < e.bits
    assert e.low < bits
    assert e.bits < bits + (e.high - e.low) / 2


def test_independent():
    """Five seeds; a p-value at or below 0.002 is a false alarm, together 0.01."""
    for seed in range(5):
        x, _ = gaussian(1.0, 400, 8, seed)
        y, _ = gaussian(1.0, 400, 8, seed + 100)
        e = mine(x, y, seed=seed)
        assert e.low <= 0 <= e.high
        assert abs(e.bits) < 0.05
        assert e.p_value > 0.002


def test_same_seed_same_number():
    x, y = gaussian(1.0, 300, 3, 1)
    assert mine(x, y, permutations=99) == mine(x, y, permutations=99)
    assert mine(x, y, permutations=99).bits != mine(x, y, seed=1, permutations=99).bits


def test_no_global_generator_is_touched():
    import torch

    before, state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    mine(*gaussian(1.0, 100, 2, 0), permutations=9)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_what_a_group_shares_is_not_leakage_across_groups():
    """Every group has its own pair of codes: memorable, but nothing that carries over.

    Dealt out by group nothing is found; dealt out by row, the codes are.
    """
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 40)
    x, y = rng.normal(size=(2, 10, 5))[:, groups] + 0.1 * rng.normal(size=(2, 400, 5))
    by_row = mine(x, y)
    by_group = mine(x, y, groups=groups)
    assert by_row.bits > 1
    assert by_group.bits < by_row.bits / 2


def test_invariant_to_scale_and_shift():
    x, y = gaussian(1.0, 500, 2, 2)
    assert mine(1000 * x + 7, y).bits == pytest.approx(mine(x, y).bits, abs=0.02)


@pytest.fixture(scope="module")
def embedded(photographs):
    def at(bits, key=bytes(range(16))):
        cipher = leakage.get_scheme("bitplane", bits=bits).encrypt(photographs.images, key)
        return leakage.embed_layers(cipher, ["stem", "head"])

    return at


@pytest.mark.parametrize("layer", ["stem", "head"])
def test_photographs_unencrypted_are_saturated(layer, embedded, photographs):
    x = embedded(0)[layer]
    e = mine(x, x, groups=photographs.groups)
    assert any("saturated" in flag for flag in e.flags)


def test_photographs_at_one_plane(embedded, photographs):
    plain, cipher = embedded(0), embedded(1)
    early = mine(plain["stem"], cipher["stem"], groups=photographs.groups)
    assert early.p_value < 0.001
    assert early.low > 0.3
    late = mine(plain["head"], cipher["head"], groups=photographs.groups)
    assert late.p_value < 0.001
    assert late.low > 0
    assert canonical_test(plain["head"], cipher["head"], groups=photographs.groups).z > 5


@pytest.mark.parametrize("layer", ["stem", "head"])
def test_photographs_fully_encrypted(layer, embedded, photographs):
    """False alarms: about 0.01 a layer, for one fixed key."""
    plain, cipher = embedded(0)[layer], embedded(8)[layer]
    e = mine(plain, cipher, groups=photographs.groups)
    assert e.low <= 0 <= e.high
    assert e.p_value > 0.01
    assert canonical_test(plain, cipher, groups=photographs.groups).p_value > 0.01


@pytest.mark.slow
def test_photographs_fully_encrypted_twenty_keys(embedded, photographs):
    """At most one of 20 seeds may raise an alarm at 0.01; false alarms of this test: 0.017."""
    plain, quiet = embedded(0)["head"], 0
    for seed in range(20):
        cipher = embedded(8, np.random.default_rng(seed).bytes(16))["head"]
        e = mine(plain, cipher, groups=photographs.groups, seed=seed)
        quiet += e.low <= 0 <= e.high and e.p_value > 0.01
    assert quiet >= 19


@pytest.mark.slow
def test_p_values_are_honest():
    """200 independent pairs: rejections at 0.05 within four standard errors of 5 %."""
    p = [mine(gaussian(0, 120, 4, s)[0], gaussian(0, 120, 4, s + 1000)[0], seed=s,
              permutations=199).p_value for s in range(200)]  # fmt: skip
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


X, Y = gaussian(1.0, 50, 2, 0)
BAD = np.where(np.arange(50)[:, None] == 3, np.nan, X)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "says"),
    [
        (X, Y[:40], {}, ValueError, "x has 50 rows, y has 40"),
        (BAD, Y, {}, ValueError, "x has NaN or infinite values in 1 rows"),
        (X, np.ones((50, 3)), {}, ValueError, "y is constant"),
        (X[:, 0], Y, {}, ValueError, r"x\[:, None\]"),
        (X[:3], Y[:3], {}, ValueError, "3 groups cannot fill 5 folds"),
        (X[:12], Y[:12], {}, ValueError, "too few for 5 folds"),
        (X, Y, {"folds": 1}, ValueError, "at least 2"),
        (X, Y, {"folds": "5"}, TypeError, "folds must be an int"),
        (X, Y, {"groups": np.zeros(50)}, ValueError, "1 groups cannot fill 5 folds"),
        (X, Y, {"groups": np.zeros(49)}, ValueError, "one label a sample"),
        (X, Y, {"groups": np.arange(50) % 2, "folds": 2}, ValueError, "at least two groups"),
    ],
)
@pytest.mark.parametrize("function", [mine, canonical_test])
def test_bad_samples(function, x, y, options, error, says):
    if function is canonical_test and "at least two groups" in says:
        assert 0 < function(x, y, **options).p_value <= 1  # it needs no validation part
        return
    with pytest.raises(error, match=says):
        function(x, y, **options)
