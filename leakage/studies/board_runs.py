"""An estimator on the public board: a row for every task and seed, and what they add up to.

Rows are in bits, summaries in nats, as the literature prints them.
"""

import inspect
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
from tqdm import tqdm

from leakage.arguments import check_one_of, check_seed
from leakage.estimate import Estimate, as_estimate
from leakage.estimators.candidates import Method
from leakage.sealed import check_writable, replacing
from leakage.studies.cells import estimator_of, is_own, options_of
from leakage.studies.files import check_places
from leakage.studies.own_code import own_object
from leakage.studies.trials import told
from leakage.truth.board import BoardTask, board_tasks
from leakage.truth.channels import check_positive

if TYPE_CHECKING:
    import pandas as pd

#: So near to the truth, and so far above it, in nats, and such p-values, count in `board_score`.
NEAR, DETECTED = 0.1, 0.01
_NATS = math.log(2)
_Estimator = Callable[..., Estimate | float]
_Run = Callable[[BoardTask, np.ndarray, np.ndarray, int], Estimate]


def run_board(
    estimator: str | _Estimator | None = None,
    n: int = 1000,
    seeds: int | Sequence[int] = 5,
    tasks: str | Sequence[str] | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
) -> "pd.DataFrame":
    """Run an estimator over the public board of `board_tasks`, on one thread.

    Parameters
    ----------
    estimator : str or callable, optional
        A method of `leakage.estimate_mi`, ``"certified"``, ``"module:function"``, or a function of
        x and y, and of ``seed`` where it takes one, that gives an `Estimate` or a number of bits.
        Default: `leakage.estimate_mi`.
    n : int
        Pairs of each run.
    seeds : int or sequence of int
        How many from 0 on, or which: of the draws and of the estimator.
    tasks : str or sequence of str, optional
        As of `board_tasks`; all 40 by default.
    out : str or Path, optional
        A CSV file for the table, written whole or not at all; proved writable before any work.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    DataFrame
        A row a task and seed: ``task``, ``seed``, ``n``, ``exact`` (bits), what `Estimate.row` has
        (``bits``, ``low``, ``high``, ``p``, ``flag``), ``training`` (bits, of the estimate's
        details), and ``cpu_s``, seconds of this process. What an estimate does not have is NaN.
        The first run is made twice and the second one counts, for imports are nobody's time.

    Raises
    ------
    ValueError
        No such estimator or task, an impossible size or seed, a file that cannot be written; or
        an estimator of the caller's own failed, or gave something else than it should, on the task
        that is named.

    Examples
    --------
    >>> def constant(x, y):
    ...     return 0.5
    >>> table = run_board(constant, n=100, seeds=2, tasks="additive", progress=False)
    >>> table[["task", "seed", "exact", "bits"]].round(2).values.tolist()[1:3]
    [['1v1-additive-0.1', 1, 2.47, 0.5], ['1v1-additive-0.75', 0, 0.48, 0.5]]
    """
    import pandas as pd

    from leakage.estimators.threads import one_thread

    check_positive(n=n)
    numbers = list(range(seeds) if isinstance(seeds, int) else seeds)
    check_positive(seeds=len(numbers))
    for seed in numbers:
        check_seed(seed)
    chosen = board_tasks(tasks)
    path = None if out is None else Path(out).expanduser().absolute()
    if path is not None:
        check_places([path])
        check_writable(path.parent)
    run = _run_of(estimator)
    total = len(chosen) * len(numbers)
    with one_thread(), tqdm(total=total, desc="board", disable=not progress) as bar:
        _row(run, chosen[0], n, numbers[0])
        rows = []
        for task in chosen:
            for seed in numbers:
                rows.append(_row(run, task, n, seed))
                bar.update()
    table = pd.DataFrame(rows)
    if path is not None:
        with replacing(path) as file:
            file.write(table.to_csv(index=False).encode())
    return table


def _row(run: _Run, task: BoardTask, n: int, seed: int) -> dict[str, object]:
    x, y, exact = task.draw(n, seed)
    start = time.process_time()
    found = run(task, x, y, seed)
    spent = time.process_time() - start
    training = cast("float", found.details.get("training", math.nan))
    about = {"task": task.name, "seed": seed, "n": n, "exact": exact.bits}
    return about | found.row() | {"training": float(training), "cpu_s": spent}


def _run_of(estimator: str | _Estimator | None) -> _Run:
    """A run of one of our estimators, or of the caller's own, whose errors are told."""
    if estimator is None:
        estimator = "auto"
    if isinstance(estimator, str) and not is_own(estimator):
        known = ("certified", *get_args(Method))
        check_one_of("estimator, unless it is 'module:function',", estimator, known)
        settings = {"method": estimator}
        ours = partial(estimator_of(settings), **options_of(settings))
        return lambda _, x, y, seed: ours(x, y, seed=seed)
    own = own_object(estimator) if isinstance(estimator, str) else estimator
    name = estimator if isinstance(estimator, str) else getattr(own, "__name__", type(own).__name__)
    if not callable(own):
        raise ValueError(f"{name} is no function of x and y")
    return partial(_own_run, own, name, _takes_seed(own, name))


def _takes_seed(own: Callable, name: str) -> bool:
    try:
        signature = inspect.signature(own)
    except ValueError:  # of some compiled functions nothing is known
        return False
    found = signature.parameters.get("seed")
    takes = found is not None and found.kind is not found.POSITIONAL_ONLY
    try:
        signature.bind(None, None, **({"seed": 0} if takes else {}))
    except TypeError as error:
        raise ValueError(f"{name} cannot be called as {name}(x, y): {error}") from None
    return takes


def _own_run(
    own: _Estimator, name: str, takes_seed: bool,
    task: BoardTask, x: np.ndarray, y: np.ndarray, seed: int,
) -> Estimate:  # fmt: skip
    where = f"{name} on task {task.name} of the board, seed {seed}"
    try:
        found = own(x, y, **({"seed": seed} if takes_seed else {}))
    except (Exception, SystemExit) as error:  # whatever code of the reader's own raises
        raise ValueError(f"{where}, failed: {told(error)}") from error
    try:
        return as_estimate(found, len(x), name)
    except ValueError as error:
        raise ValueError(f"{where}, {error}") from None


def board_summary(table: "pd.DataFrame") -> "pd.DataFrame":
    """Medians over the seeds of every task, in nats.

    Parameters
    ----------
    table : DataFrame
        What `run_board` gave.

    Returns
    -------
    DataFrame
        A row a task: ``task``, ``exact_nats``, ``median_nats``, ``error_nats`` (of the median),
        the medians ``low_nats``, ``high_nats``, ``training_nats``, ``p`` and ``cpu_s``, and the
        number of ``runs``. A median is NaN where any of its values is.

    Examples
    --------
    >>> table = run_board(lambda x, y: 0.5, n=50, seeds=3, tasks="additive-0.75", progress=False)
    >>> board_summary(table)[["exact_nats", "median_nats", "error_nats"]].round(3).values.tolist()
    [[0.333, 0.347, 0.013]]
    """
    import pandas as pd

    tasks = table.groupby("task", sort=False)

    def median(column: str) -> "pd.Series":
        return tasks[column].agg(lambda values: values.median(skipna=False))

    columns = {"exact_nats": tasks["exact"].first() * _NATS}
    columns["median_nats"] = median("bits") * _NATS
    columns["error_nats"] = columns["median_nats"] - columns["exact_nats"]
    columns |= {f"{name}_nats": median(name) * _NATS for name in ("low", "high", "training")}
    columns |= {name: median(name) for name in ("p", "cpu_s")} | {"runs": tasks.size()}
    return pd.DataFrame(columns).reset_index()


def board_score(table: "pd.DataFrame") -> "pd.Series":
    """What the runs of an estimator over the board add up to.

    Parameters
    ----------
    table : DataFrame
        What `run_board` gave.

    Returns
    -------
    Series
        ``mean_absolute_error_nats`` of single runs; ``tasks_within_0.1_nats``, by their medians,
        of ``tasks``; ``runs_above_by_0.1_nats`` of ``runs``; ``runs_without_value``, which are in
        no mean and whose tasks are not within; shares of the runs that have what it takes, else
        NaN: ``share_detected`` (p at most 0.01), ``share_within_interval`` (the exact value is from
        ``low`` to ``high``), ``share_within_training`` (it is from ``bits`` to ``training``) and
        ``share_from_low_to_training``; and ``mean_cpu_s``.

    Examples
    --------
    >>> table = run_board(lambda x, y: 0.5, n=50, seeds=1, tasks="additive", progress=False)
    >>> score = board_score(table)
    >>> score[["mean_absolute_error_nats", "tasks_within_0.1_nats"]].round(3).tolist()
    [0.688, 1.0]
    """
    import pandas as pd

    error = (table["bits"] - table["exact"]) * _NATS
    error = error.where(np.isfinite(error))
    median_error = board_summary(table)["error_nats"].abs()

    def share(holds: "pd.Series", *needs: str) -> float:
        return float(holds[table[list(needs)].notna().all(axis=1)].mean())

    exact = table["exact"]
    return pd.Series({
        "mean_absolute_error_nats": error.abs().mean(),
        f"tasks_within_{NEAR}_nats": (median_error <= NEAR).sum(),
        "tasks": len(median_error),
        f"runs_above_by_{NEAR}_nats": (error > NEAR).sum(),
        "runs": len(table),
        "runs_without_value": error.isna().sum(),
        "share_detected": share(table["p"] <= DETECTED, "p"),
        "share_within_interval": share(exact.between(table["low"], table["high"]), "low", "high"),
        "share_within_training": share(
            exact.between(table["bits"], table["training"]), "bits", "training"
        ),
        "share_from_low_to_training": share(
            exact.between(table["low"], table["training"]), "low", "training"
        ),
        "mean_cpu_s": table["cpu_s"].mean(),
    }, dtype=float)  # fmt: skip
