import math

import numpy as np
import pytest

from leakage import certified_mi
from leakage.estimators.certified import _Bounded, _by_group, _Cut, _kernel, _means_of
from leakage.truth import channels

NATS = 1 / math.log(2)


@pytest.mark.parametrize(
    "pairs",
    [
        channels.gaussian(2000, bits=0.3 * NATS),
        channels.gaussian(2000, dimensions=5, bits=0.3 * NATS),
        channels.clusters(1000),
        channels.xor_of_signs(2000),
    ],
    ids=lambda pairs: pairs.exact.method,
)
def test_between_zero_and_the_truth(pairs):
    """Each bound may exceed the truth with probability 0.05; recorded: 0 of 1,600 runs."""
    bound = certified_mi(pairs.x, pairs.y)
    assert 0 < bound.bits < pairs.exact.bits
    assert bound.kind == "lower bound"
    assert bound.p_value < 0.05
    assert (bound.low, bound.high) == (bound.bits, None)


def test_nothing_is_certified_where_nothing_is():
    """Four seeds; false alarms of this test: at most 0.19, recorded: 0 of 400."""
    for seed in range(4):
        x, y, _ = channels.gaussian(500, dimensions=5, bits=0, seed=seed)
        assert certified_mi(x, y, seed=seed).bits == 0


def test_strong_leaks_are_certified_from_few_samples():
    """200 samples of 5 bits: critics with long tails, which two levels cut off."""
    x, y, exact = channels.gaussian(200, dimensions=5, bits=5.0)
    assert 1.0 < certified_mi(x, y, method="canonical").bits < exact.bits


def test_more_confidence_costs_bits():
    x, y, _ = channels.gaussian(1500, dimensions=2, bits=1.0)
    bits = [certified_mi(x, y, confidence).bits for confidence in (0.5, 0.95, 0.999)]
    assert bits[0] > bits[1] > bits[2] > 0


def test_duplicates_do_not_make_evidence():
    """Ten copies of each row under one group are worth no more than the row."""
    x, y, _ = channels.gaussian(60, dimensions=1, bits=0.5)
    copied = certified_mi(np.repeat(x, 10, 0), np.repeat(y, 10, 0), groups=np.repeat(range(60), 10))
    assert copied.bits < 0.5


def test_heavy_tails_and_bits():
    """What small samples certify: medians of five seeds in nats, exact 0.69 and 0.49."""
    cauchy, binary = [], []
    for seed in range(5):
        x, y, _ = channels.student_t(500, correlation=0.779, freedom=1, seed=seed)
        cauchy.append(certified_mi(x, y, method="canonical", seed=seed).bits / NATS)
        x, y = binary_channel(300, 0.05, seed)
        binary.append(certified_mi(x, y, method="canonical", seed=seed).bits / NATS)
    assert 0.2 < np.median(cauchy) < 0.69
    assert 0.24 < np.median(binary) < 0.49


def test_few_samples_are_no_error():
    x, y, _ = channels.gaussian(20, bits=1.0)
    assert certified_mi(x, y).bits >= 0
    assert certified_mi(x, y, groups=np.repeat(range(5), 4)).bits >= 0


def binary_channel(n: int, flipped: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (n, 1))
    return x, x ^ (rng.random((n, 1)) < flipped)


def test_the_outcomes_of_groups_have_the_mean_of_the_bound():
    """All ordered pairs of groups of three equal groups; by hand."""
    scores = np.log(np.arange(1.0, 37.0).reshape(6, 6) / 10)
    groups = np.repeat(range(3), 2)
    kernel = _kernel(_by_group(scores, groups))
    own, crossed = scores.diagonal(), np.exp(scores)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        a, b = groups == one, groups == other
        mixed = (crossed[np.ix_(a, b)].mean() + crossed[np.ix_(b, a)].mean()) / 2
        expected = (own[a].mean() + own[b].mean()) / 2 - mixed + 1
        assert kernel[one, other] == pytest.approx(expected)
        assert kernel[other, one] == kernel[one, other]


def test_promised_growth_is_that_of_all_pairs():
    """Two levels counted by row and column give the means of the whole kernel."""
    scores = np.random.default_rng(0).normal(size=(30, 30))
    bounded = _Bounded(-1.5, 1.0, cut=0.5)
    kernel = _kernel(_by_group(bounded(scores), np.arange(30)))
    np.fill_diagonal(kernel, 0)
    expected = kernel.sum(1) / 29
    np.testing.assert_allclose(_Cut.of(scores, 0.5).means(bounded), expected)
    np.testing.assert_allclose(_means_of(bounded(scores)), expected)


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1])
def test_confidence_is_checked(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        certified_mi(*channels.gaussian(100)[:2], confidence)


def test_an_unknown_method_is_refused():
    x, y, _ = channels.gaussian(80, dimensions=2)
    with pytest.raises(ValueError, match="method must be 'auto' or 'canonical', not 'mine'"):
        certified_mi(x, y, method="mine")
