import numpy as np
import pytest

from leakage import ksg
from leakage.truth import channels


@pytest.mark.parametrize(
    ("pairs", "within"),
    [
        (channels.gaussian(5000, bits=1.0), 0.06),
        (channels.gaussian(5000, dimensions=2, bits=0.0), 0.06),
        (channels.gaussian(5000, bits=1.0, transform="asinh"), 0.06),
        (channels.clusters(5000, dimensions=3), 0.06),
        (channels.additive_uniform(5000), 0.1),
        (channels.student_t(5000), 0.06),
    ],
)
def test_against_the_exact_value(pairs, within):
    """5,000 samples; spreads over draws are below 0.03 bit."""
    assert ksg(pairs.x, pairs.y, permutations=0).bits == pytest.approx(pairs.exact.bits, abs=within)


def test_by_brute_force(rng):
    """The definition, with loops: neighbours strictly nearer than the third in the joint space."""
    from scipy.special import digamma

    x, y = rng.normal(size=(2, 60, 2))
    scaled = [(v - v.mean(0)) / v.std(0) for v in (x, y)]
    apart = [np.abs(v[:, None] - v[None]).max(-1) for v in scaled]
    joint = np.maximum(*apart)
    total = 0
    for i in range(60):
        radius = np.sort(joint[i])[3]  # the first is the sample itself
        counts = [np.sum(d[i] < radius) for d in apart]  # with the sample itself
        total += digamma(3) + digamma(60) - digamma(counts[0]) - digamma(counts[1])
    assert ksg(x, y, permutations=0).bits == pytest.approx(total / 60 / np.log(2), abs=1e-6)


def test_independent_samples_are_rarely_rejected():
    """20 tests at 0.05: four or more rejections in 1.6 % of runs."""
    rng = np.random.default_rng(0)
    p = [ksg(*rng.normal(size=(2, 100, 1)), permutations=99, seed=s).p_value for s in range(20)]
    assert np.sum(np.array(p) <= 0.05) <= 3


def test_dependent_samples_are_rejected():
    x, y, _ = channels.xor_of_signs(400)
    assert ksg(x, y, permutations=99).p_value == 0.01


def test_refusals(rng):
    x = rng.normal(size=(50, 6))
    with pytest.raises(ValueError, match=r"6 \+ 6 dimensions"):
        ksg(x, x)
    with pytest.raises(ValueError, match="neighbours must be 1 to 49"):
        ksg(x[:, :1], x[:, :1], neighbours=50)
    with pytest.raises(ValueError, match="constant"):
        ksg(np.ones((50, 1)), x[:, :1])


def test_few_permutations_are_flagged(rng):
    x = rng.normal(size=(50, 2))
    assert ksg(x, x, permutations=3).flags == (
        "few groups or permutations: p can be no less than 0.25",
    )
    assert ksg(x, x).flags == ksg(x, x, permutations=0).flags == ()
