"""The public board: benchmark-mi's values, and laws that its tasks must have.

Seeds are fixed; each random test would fail by chance in fewer than one of 10,000 other seeds.
"""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import cauchy, f, kstest, norm, t, uniform

import leakage
from leakage.truth import channels
from leakage.truth.board import TASKS

#: Nats, as benchmark-mi 0.1.3 gives them, and coordinates of x and of y, in its order.
BOARD = {
    "1v1-normal-0.75": (0.4133393, 1, 1),
    "normal_cdf-1v1-normal-0.75": (0.4133393, 1, 1),
    "1v1-additive-0.1": (1.7094379, 1, 1),
    "1v1-additive-0.75": (0.3333333, 1, 1),
    "1v1-bimodal-0.75": (0.4133393, 1, 1),
    "wiggly-1v1-normal-0.75": (0.4133393, 1, 1),
    "half_cube-1v1-normal-0.75": (0.4133393, 1, 1),
    "student-identity-1-1-1": (0.2241714, 1, 1),
    "asinh-student-identity-1-1-1": (0.2241714, 1, 1),
    "swissroll_x-normal_cdf-1v1-normal-0.75": (0.4133393, 2, 1),
    "multinormal-dense-2-2-0.5": (0.2938933, 2, 2),
    "multinormal-dense-3-3-0.5": (0.4133393, 3, 3),
    "multinormal-dense-5-5-0.5": (0.5928118, 5, 5),
    "multinormal-dense-25-25-0.5": (1.2921837, 25, 25),
    "multinormal-dense-50-50-0.5": (1.6242654, 50, 50),
    "multinormal-sparse-2-2-2-2.0": (1.0216512, 2, 2),
    "multinormal-sparse-3-3-2-2.0": (1.0216512, 3, 3),
    "multinormal-sparse-5-5-2-2.0": (1.0216512, 5, 5),
    "multinormal-sparse-25-25-2-2.0": (1.0216512, 25, 25),
    "student-identity-2-2-1": (0.4319456, 2, 2),
    "student-identity-2-2-2": (0.1931472, 2, 2),
    "student-identity-3-3-2": (0.2909219, 3, 3),
    "student-identity-3-3-3": (0.1787119, 3, 3),
    "student-identity-5-5-2": (0.4481507, 5, 5),
    "student-identity-5-5-3": (0.2985436, 5, 5),
    "normal_cdf-multinormal-sparse-3-3-2-2.0": (1.0216512, 3, 3),
    "normal_cdf-multinormal-sparse-5-5-2-2.0": (1.0216512, 5, 5),
    "normal_cdf-multinormal-sparse-25-25-2-2.0": (1.0216512, 25, 25),
    "half_cube-multinormal-sparse-3-3-2-2.0": (1.0216512, 3, 3),
    "half_cube-multinormal-sparse-5-5-2-2.0": (1.0216512, 5, 5),
    "half_cube-multinormal-sparse-25-25-2-2.0": (1.0216512, 25, 25),
    "spiral-multinormal-sparse-3-3-2-2.0": (1.0216512, 3, 3),
    "spiral-multinormal-sparse-5-5-2-2.0": (1.0216512, 5, 5),
    "spiral-multinormal-sparse-25-25-2-2.0": (1.0216512, 25, 25),
    "spiral-normal_cdf-multinormal-sparse-3-3-2-2.0": (1.0216512, 3, 3),
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0": (1.0216512, 5, 5),
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": (1.0216512, 25, 25),
    "asinh-student-identity-2-2-1": (0.4319456, 2, 2),
    "asinh-student-identity-3-3-2": (0.2909219, 3, 3),
    "asinh-student-identity-5-5-2": (0.4481507, 5, 5),
}
N = 4000


def law_of_bumps(weight, first, second):
    return lambda v: weight * ndtr(v - first) + (1 - weight) * ndtr(v - second)


#: Laws of every coordinate of x, and of y.
MARGINALS = {
    "1v1-normal-0.75": (norm.cdf, norm.cdf),
    "normal_cdf-1v1-normal-0.75": (uniform.cdf, uniform.cdf),
    "1v1-bimodal-0.75": (law_of_bumps(0.3, 0, 5), law_of_bumps(0.5, -1, 3)),
    "half_cube-1v1-normal-0.75": (lambda v: ndtr(np.sign(v) * np.abs(v) ** (2 / 3)),) * 2,
    "student-identity-1-1-1": (cauchy.cdf, cauchy.cdf),
    "asinh-student-identity-5-5-2": (lambda v: t.cdf(np.sinh(v), 2),) * 2,
    "multinormal-dense-3-3-0.5": (norm.cdf, norm.cdf),
    "multinormal-sparse-5-5-2-2.0": (norm.cdf, norm.cdf),
    "student-identity-3-3-2": (lambda v: t.cdf(v, 2),) * 2,
    "normal_cdf-multinormal-sparse-3-3-2-2.0": (uniform.cdf, uniform.cdf),
}


def test_values_and_dimensions_are_those_of_the_board():
    assert list(TASKS) == list(BOARD)
    for name, (nats, *dimensions) in BOARD.items():
        task = TASKS[name]
        assert task.bits * math.log(2) == pytest.approx(nats, abs=1e-6)
        assert task.dimensions == tuple(dimensions)


@pytest.mark.parametrize("name", TASKS)
def test_draws(name):
    task = TASKS[name]
    x, y, exact = task.draw(50, 3)
    assert (x.shape, y.shape) == tuple((50, d) for d in task.dimensions)
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    assert (exact.bits, exact.kind, exact.n) == (task.bits, "exact", 50)
    again, other = task.draw(50, 3), task.draw(50, 4)
    assert (again.x == x).all()
    assert (again.y == y).all()
    assert (other.x != x).any()


@pytest.mark.parametrize("name", MARGINALS)
def test_marginal_laws(name):
    """Of the first and the last coordinate: 40 tests, each at 2e-6."""
    for side, law in zip(TASKS[name].draw(N, 0), MARGINALS[name], strict=False):
        for j in (0, -1):
            assert kstest(side[:, j], law).pvalue > 2e-6


def test_dense_coordinates_all_have_the_same_correlation():
    x, y, _ = TASKS["multinormal-dense-5-5-0.5"].draw(N, 0)
    found = np.corrcoef(np.hstack([x, y]).T)[np.triu_indices(10, 1)]
    assert np.abs(found - 0.5).max() < 5 / math.sqrt(N)


def test_sparse_coordinates_are_two_pairs():
    x, y, _ = TASKS["multinormal-sparse-5-5-2-2.0"].draw(N, 0)
    expected = np.diag([0.8, 0.8, 0, 0, 0])
    assert np.abs(np.corrcoef(x.T, y.T)[:5, 5:] - expected).max() < 5 / math.sqrt(N)


def test_squared_norms_of_student_t():
    """They are d times an F of d and the degrees of freedom; one test at 1e-5."""
    x, y, _ = TASKS["student-identity-5-5-3"].draw(N, 0)
    both = (np.hstack([x, y]) ** 2).sum(1) / 10
    assert kstest(both, f(10, 3).cdf).pvalue > 1e-5


def test_maps_give_back_what_they_were_given():
    """All tasks over a base have its samples behind them, at one seed."""
    x, y, _ = TASKS["1v1-normal-0.75"].draw(N, 0)
    bumps = TASKS["1v1-bimodal-0.75"].draw(N, 0)
    assert ndtri(law_of_bumps(0.3, 0, 5)(bumps.x)) == pytest.approx(x, abs=1e-6)
    assert ndtri(law_of_bumps(0.5, -1, 3)(bumps.y)) == pytest.approx(y, abs=1e-6)
    wiggly = TASKS["wiggly-1v1-normal-0.75"].draw(N, 0)
    for side, base in ((wiggly.x, x), (wiggly.y, y)):
        order = np.argsort(base[:, 0])
        assert (np.diff(side[order, 0]) > 0).all()
    roll = TASKS["swissroll_x-normal_cdf-1v1-normal-0.75"].draw(N, 0)
    radius = 21 * np.hypot(*roll.x.T)
    assert radius / (3 * math.pi) - 0.5 == pytest.approx(ndtr(x[:, 0]))
    assert np.cos(radius) == pytest.approx(21 * roll.x[:, 0] / radius)
    assert (roll.y == ndtr(y)).all()


def test_a_spiral_turns_one_plane_by_the_squared_norm():
    x, y, _ = TASKS["multinormal-sparse-3-3-2-2.0"].draw(N, 0)
    spiral = TASKS["spiral-multinormal-sparse-3-3-2-2.0"].draw(N, 0)
    for side, turned, plane in ((x, spiral.x, [0, 1]), (y, spiral.y, [1, 2])):
        (fixed,) = {0, 1, 2} - set(plane)
        assert (turned[:, fixed] == side[:, fixed]).all()
        before, after = ((v[:, plane] @ [1, 1j]) for v in (side, turned))
        angle = (side**2).sum(1) / 3
        assert after == pytest.approx(before * np.exp(1j * angle))


@pytest.mark.parametrize("name", [n for n, task in TASKS.items() if max(task.dimensions) == 1])
def test_values_by_nearest_neighbours(name):
    """Of one coordinate a side, to five standard errors; of heavy tails by their asinh."""
    task = TASKS[name]
    if name == "student-identity-1-1-1":
        name = f"asinh-{name}"
    x, y, _ = TASKS[name].draw(N, 0)
    assert leakage.ksg(x, y, permutations=0).bits == pytest.approx(task.bits, abs=0.15)


@pytest.mark.parametrize("name", [n for n in TASKS if n.startswith("multinormal")])
def test_values_of_gaussian_tasks_by_their_covariances(name):
    """The bias is near d**2 / 2 / n nats, and the standard error of the most of them 0.02."""
    task = TASKS[name]
    d = task.dimensions[0]
    x, y, _ = task.draw(N, 0)
    cov = np.cov(np.hstack([x, y]).T)
    parts = [np.linalg.slogdet(c)[1] for c in (cov[:d, :d], cov[d:, d:], cov)]
    bits = ((parts[0] + parts[1] - parts[2]) / 2 - d**2 / 2 / N) / math.log(2)
    assert bits == pytest.approx(task.bits, abs=0.12)


def test_picking_tasks():
    assert [task.name for task in leakage.board_tasks()] == list(BOARD)
    assert len(leakage.board_tasks("student")) == 11
    names = ["1v1-additive-0.1", "1v1-normal-0.75"]
    assert [task.name for task in leakage.board_tasks(names)] == names
    with pytest.raises(ValueError, match="no task of the board has 'gauss' in its name"):
        leakage.board_tasks("gauss")
    with pytest.raises(ValueError, match=r"did you mean '1v1-additive-0.1'"):
        leakage.board_tasks(["1v1-aditive-0.1"])


def test_sizes_and_seeds_are_checked():
    for task in TASKS.values():
        with pytest.raises(ValueError, match="n must be above 0"):
            task.draw(0, 0)
        with pytest.raises(ValueError, match="seed must be from 0"):
            task.draw(5, -1)


def test_the_channel_of_a_base_is_that_of_the_package():
    found = TASKS["student-identity-3-3-2"].draw(9, 1)
    base = channels.student_t(9, correlation=0.0, freedom=2, dimensions=3, seed=1)
    assert (found.x == base.x).all()
    assert found.exact.bits == base.exact.bits
