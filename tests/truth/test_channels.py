import numpy as np
import pytest
from scipy.stats import multivariate_t, norm

import leakage
from leakage.estimate import entropy
from leakage.truth import channels

LN2 = np.log(2)


def assert_mean(samples, expected):
    """Within 4.5 standard errors: a false alarm in 150,000 tests."""
    error = np.std(samples) / np.sqrt(len(samples))
    assert abs(np.mean(samples) - expected) < 4.5 * error


@pytest.mark.parametrize("bits", [0.0, 0.5, 2.0])
def test_gaussian_by_its_density(bits):
    x, y, exact = channels.gaussian(20_000, dimensions=3, active=2, bits=bits)
    rho = np.sqrt(1 - 2**-bits)
    assert exact.bits == bits
    assert exact.kind == "exact"
    noise = y[:, :2] - rho * x[:, :2]
    ratio = norm.logpdf(noise, scale=np.sqrt(1 - rho**2)) - norm.logpdf(y[:, :2])
    assert_mean(ratio.sum(1) / LN2 + 1e-9 * x[:, 0], bits)
    assert abs(np.corrcoef(x[:, 2], y[:, 2])[0, 1]) < 4.5 / np.sqrt(20_000)
    for transform in ("cubic", "asinh"):
        other = channels.gaussian(20_000, dimensions=3, active=2, bits=bits, transform=transform)
        assert (np.argsort(other.x, 0) == np.argsort(x, 0)).all()  # monotone, same draws


@pytest.mark.parametrize(("dimensions", "correlation"), [(1, 0.75), (3, 0.0), (2, -0.5)])
def test_student_t_by_its_density(dimensions, correlation):
    x, y, exact = channels.student_t(
        50_000, correlation=correlation, freedom=3.0, dimensions=dimensions
    )
    shape = np.kron([[1, correlation], [correlation, 1]], np.eye(dimensions))
    joint = multivariate_t(shape=shape, df=3).logpdf(np.hstack([x, y]))
    alone = multivariate_t(shape=np.eye(dimensions), df=3)
    assert_mean((joint - alone.logpdf(x) - alone.logpdf(y)) / LN2, exact.bits)


@pytest.mark.parametrize("width", [0.2, 0.5, 0.75])
def test_additive_uniform_by_its_density(width):
    _, y, exact = channels.additive_uniform(50_000, width=width)
    # y is uniform noise around x; its marginal density is a trapezium
    marginal = np.clip(np.minimum(y + width, 1 + width - y), 0, min(1, 2 * width)) / (2 * width)
    assert_mean(np.log2(1 / (2 * width) / marginal[:, 0]), exact.bits)


def test_clusters_can_be_read_off_either_side():
    x, y, exact = channels.clusters(2_000, count=10)
    of_x, of_y = (np.rint(v[:, 0] / 20).astype(int) for v in (x, y))
    assert exact.bits == pytest.approx(np.log2(10))
    table = leakage.plug_in(of_x, of_y, correction=None)
    assert table.bits == pytest.approx(entropy(np.bincount(of_x)))  # one to one
    assert len(np.unique(of_x)) == 10


def test_xor_of_signs_has_no_correlation():
    x, y, _ = channels.xor_of_signs(10_000)
    assert np.abs(np.corrcoef(x.T, y.T)[2, :2]).max() < 4.5 / 100
    assert leakage.plug_in(x[:, 0] > 0, y[:, 0] > 0).p_value > 1e-5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.gaussian(0), "n must be above 0"),
        (lambda: channels.gaussian(9, bits=-1), "bits must not be negative"),
        (lambda: channels.gaussian(9, dimensions=2, active=3), "active must be 1 to 2"),
        (lambda: channels.gaussian(9, transform="square"), "one of none, cubic, asinh"),
        (lambda: channels.additive_uniform(9, width=0), "width must be above 0"),
        (lambda: channels.student_t(9, dimensions=0), "dimensions must be above 0"),
        (lambda: channels.student_t(9, correlation=1), "within -1 and 1"),
    ],
)
def test_bad_sizes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
