"""The public board: the 40 tasks of benchmark-mi, on which estimators are compared.

Five families of base channels, and invertible maps of each side alone, which leave the mutual
information as it is: so every value is a closed form. The laws are those of the paper's package,
the draws are not: one seed gives other samples there.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from leakage.arguments import check_one_of, check_seed
from leakage.truth.channels import (
    Pairs,
    _pairs,
    additive_uniform,
    check_positive,
    gaussian,
    student_t,
)

_Draw = Callable[[int, int], Pairs]
_Map = Callable[[np.ndarray], np.ndarray]
#: Correlation of the task of one coordinate a side, of any two coordinates of the dense tasks, and
#: of the pairs of the sparse ones: 4 / (1 + 4), as a shared part of strength 2 over noise of
#: strength 1 has it.
_ONE, _DENSE, _SPARSE = 0.75, 0.5, 0.8


@dataclass(frozen=True)
class BoardTask:
    """A task of the public board.

    Attributes
    ----------
    name : str
        As benchmark-mi has it.
    dimensions : tuple of int
        Coordinates of x and of y.
    bits : float
        Exact mutual information.
    draw : callable
        Takes the number of pairs and a seed, and gives `Pairs`.

    Examples
    --------
    >>> task = board_tasks("swissroll")[0]
    >>> task.dimensions, round(task.bits, 3)
    ((2, 1), 0.596)
    >>> x, y, exact = task.draw(1000, 0)
    >>> x.shape, y.shape, exact.bits == task.bits
    ((1000, 2), (1000, 1), True)
    """

    name: str
    dimensions: tuple[int, int]
    bits: float
    draw: _Draw


def board_tasks(match: str | Sequence[str] | None = None) -> list[BoardTask]:
    """Tasks of the public board of estimators, benchmark-mi, in its order.

    Parameters
    ----------
    match : str or sequence of str, optional
        A text that a task's name must contain, or whole names. Default: all 40.

    Returns
    -------
    list of BoardTask
        Each with its name, dimensions, exact value in bits and sampler.

    Raises
    ------
    ValueError
        No name contains the text, or a whole name is none of the board.

    References
    ----------
    Czyż, Grabowski, Vogt, Beerenwinkel & Marx (2023), Beyond normal: on the evaluation of mutual
    information estimators, NeurIPS 36.

    Examples
    --------
    >>> len(board_tasks()), [task.name for task in board_tasks("additive")]
    (40, ['1v1-additive-0.1', '1v1-additive-0.75'])
    """
    if match is None:
        return list(TASKS.values())
    if isinstance(match, str):
        found = [task for name, task in TASKS.items() if match in name]
        if not found:
            raise ValueError(
                f"no task of the board has {match!r} in its name; leakage.board_tasks() has all"
            )
        return found
    for name in match:
        check_one_of("a task of the board", name, TASKS)
    return [TASKS[name] for name in dict.fromkeys(match)]


def _dense(dimensions: int) -> _Draw:
    """Gaussian coordinates each of which has the same correlation with every other."""
    # the determinant of such a matrix of size d is (1 - r)**(d - 1) * (1 + (d - 1) * r)
    nats = math.log1p((dimensions - 1) * _DENSE) - 0.5 * (
        math.log1p(-_DENSE) + math.log1p((2 * dimensions - 1) * _DENSE)
    )

    def draw(n: int, seed: int) -> Pairs:
        check_seed(seed)
        check_positive(n=n)
        rng = np.random.default_rng(seed)
        shared = math.sqrt(_DENSE) * rng.normal(size=(n, 1))
        x, y = shared + math.sqrt(1 - _DENSE) * rng.normal(size=(2, n, dimensions))
        return _pairs(x, y, nats / math.log(2), f"dense Gaussian, {dimensions} coordinates")

    return draw


def _half_cube(values: np.ndarray) -> np.ndarray:
    return values * np.sqrt(np.abs(values))


def _wiggly_x(x: np.ndarray) -> np.ndarray:
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def _wiggly_y(y: np.ndarray) -> np.ndarray:
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def _bimodal(weight: float, first: float, second: float) -> _Map:
    """From a standard normal to a mixture of two of unit variance, by equal ranks.

    `weight` is the share of the first; the inverse is found by bisection within 10 on either side
    of 0, to 2e-14.
    """

    def apply(values: np.ndarray) -> np.ndarray:
        ranks = ndtr(values)
        low, high = np.full_like(values, -10.0), np.full_like(values, 10.0)
        for _ in range(50):
            middle = (low + high) / 2
            below = weight * ndtr(middle - first) + (1 - weight) * ndtr(middle - second) < ranks
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    return apply


def _swiss_roll(values: np.ndarray) -> np.ndarray:
    """One uniform coordinate rolled up in the plane."""
    turn = 1.5 * math.pi * (1 + 2 * values)
    return np.hstack([turn * np.cos(turn), turn * np.sin(turn)]) / 21


def _spiral(first: int) -> _Map:
    """A turn in the plane of coordinate `first` and the next, by the squared norm over d."""

    def apply(values: np.ndarray) -> np.ndarray:
        angle = (values**2).sum(1) / values.shape[1]
        a, b = values[:, first], values[:, first + 1]
        turned = values.copy()
        turned[:, first] = np.cos(angle) * a - np.sin(angle) * b
        turned[:, first + 1] = np.sin(angle) * a + np.cos(angle) * b
        return turned

    return apply


def _mapped(draw: _Draw, name: str, of_x: _Map, of_y: _Map | None = None) -> _Draw:
    """Maps that can be inverted, of x and of y; the same for both where one is given."""

    def mapped(n: int, seed: int) -> Pairs:
        x, y, exact = draw(n, seed)
        return _pairs(of_x(x), (of_y or of_x)(y), exact.bits, f"{name} of {exact.method}")

    return mapped


def _normal(n: int, seed: int) -> Pairs:
    return gaussian(n, bits=-0.5 * math.log2(1 - _ONE**2), seed=seed)


def _additive(width: float) -> _Draw:
    return lambda n, seed: additive_uniform(n, width=width, seed=seed)


def _sparse(dimensions: int) -> _Draw:
    bits = -math.log2(1 - _SPARSE**2)
    return lambda n, seed: gaussian(n, dimensions=dimensions, active=2, bits=bits, seed=seed)


def _student(dimensions: int, freedom: int) -> _Draw:
    return lambda n, seed: student_t(
        n, correlation=0.0, freedom=freedom, dimensions=dimensions, seed=seed
    )


def _one_coordinate() -> Iterator[tuple[str, _Draw]]:
    base = f"1v1-normal-{_ONE}"
    yield base, _normal
    uniform = _mapped(_normal, "normal CDF", ndtr)
    yield f"normal_cdf-{base}", uniform
    for width in (0.1, 0.75):
        yield f"1v1-additive-{width}", _additive(width)
    two = _bimodal(0.3, 0, 5), _bimodal(0.5, -1, 3)
    yield f"1v1-bimodal-{_ONE}", _mapped(_normal, "two bumps", *two)
    yield f"wiggly-{base}", _mapped(_normal, "wiggles", _wiggly_x, _wiggly_y)
    yield f"half_cube-{base}", _mapped(_normal, "half cube", _half_cube)
    yield "student-identity-1-1-1", _student(1, 1)
    yield "asinh-student-identity-1-1-1", _mapped(_student(1, 1), "asinh", np.arcsinh)
    yield (
        f"swissroll_x-normal_cdf-{base}",
        _mapped(uniform, "Swiss roll", _swiss_roll, lambda y: y),
    )


def _vectors() -> Iterator[tuple[str, _Draw]]:
    for d in (2, 3, 5, 25, 50):
        yield f"multinormal-dense-{d}-{d}-{_DENSE}", _dense(d)
    for d in (2, 3, 5, 25):
        yield f"multinormal-sparse-{d}-{d}-2-2.0", _sparse(d)
    for d, freedom in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        yield f"student-identity-{d}-{d}-{freedom}", _student(d, freedom)


def _mapped_vectors() -> Iterator[tuple[str, _Draw]]:
    sparse = {f"multinormal-sparse-{d}-{d}-2-2.0": _sparse(d) for d in (3, 5, 25)}
    uniform = {
        f"normal_cdf-{name}": _mapped(draw, "normal CDF", ndtr) for name, draw in sparse.items()
    }
    yield from uniform.items()
    for name, draw in sparse.items():
        yield f"half_cube-{name}", _mapped(draw, "half cube", _half_cube)
    for name, draw in (sparse | uniform).items():
        yield f"spiral-{name}", _mapped(draw, "spiral", _spiral(0), _spiral(1))
    for d, freedom in ((2, 1), (3, 2), (5, 2)):
        draw = _mapped(_student(d, freedom), "asinh", np.arcsinh)
        yield f"asinh-student-identity-{d}-{d}-{freedom}", draw


def _task(name: str, draw: _Draw) -> BoardTask:
    x, y, exact = draw(1, 0)
    return BoardTask(name, (x.shape[1], y.shape[1]), exact.bits, draw)


#: All tasks of the board, by name.
TASKS = {
    name: _task(name, draw)
    for part in (_one_coordinate, _vectors, _mapped_vectors)
    for name, draw in part()
}
