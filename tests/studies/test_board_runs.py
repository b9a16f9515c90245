"""Estimators on the public board: their rows, what these add up to, and errors that are told."""

import math
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import leakage
from leakage.__main__ import main
from leakage.estimate import Estimate
from leakage.studies import board_runs
from leakage.truth.board import TASKS

LN2 = math.log(2)
COLUMNS = ["task", "seed", "n", "exact", "bits", "low", "high", "p", "flag", "training", "cpu_s"]


def run(estimator, n=60, seeds=2, tasks="additive", **options):
    return leakage.run_board(estimator, n, seeds, tasks, **({"progress": False} | options))


def test_an_estimator_that_tells_all():
    def all_of_it(x, y, *, seed):
        bits = float(seed)
        return Estimate(bits, bits - 1, bits + 1, 0.005 * (1 + seed), len(x), "test", "estimate",
                        ("few: 60",), {"training": bits + 2})  # fmt: skip

    table = run(all_of_it, seeds=[3, 1])
    assert list(table) == COLUMNS
    assert table["task"].tolist() == ["1v1-additive-0.1"] * 2 + ["1v1-additive-0.75"] * 2
    assert table["bits"].tolist() == table["seed"].tolist() == [3, 1, 3, 1]
    assert table["exact"].tolist() == [TASKS[name].bits for name in table["task"]]
    assert (table["n"] == 60).all()
    assert (table["training"] - table["bits"] == 2).all()
    assert (table["high"] - table["low"] == 2).all()
    assert (table["flag"] == "few").all()
    assert (table["cpu_s"] >= 0).all()


def test_an_estimator_that_gives_a_number():
    seen = []

    def counts(x, y):
        seen.append((x, y, threading.active_count(), torch.get_num_threads()))
        return np.float32(0.25)

    table = run(counts)
    assert (table["bits"] == 0.25).all()
    assert table[["low", "high", "p", "training"]].isna().all(axis=None)
    assert len(seen) == 1 + len(table)  # the first is made twice
    for (x, y, _, threads), (name, seed) in zip(
        seen[1:], table[["task", "seed"]].values, strict=True
    ):
        expected = TASKS[name].draw(60, seed)
        assert (x == expected.x).all()
        assert (y == expected.y).all()
        assert threads == 1
    assert leakage.board_score(table)[["share_detected", "share_within_interval"]].isna().all()


def test_ours_by_their_names():
    x, y, _ = TASKS["multinormal-dense-2-2-0.5"].draw(100, 1)
    for method, found in (
        ("canonical", leakage.estimate_mi(x, y, "canonical", seed=1)),
        ("certified", leakage.certified_mi(x, y, seed=1)),
    ):
        table = run(method, n=100, seeds=[1], tasks="dense-2-2")
        assert table["bits"].item() == found.bits


def test_auto_is_the_default(monkeypatch):
    asked = []
    monkeypatch.setattr(board_runs, "estimator_of", lambda settings: asked.append(settings) or auto)

    def auto(x, y, *, method, seed):
        return Estimate(0.5, None, None, None, len(x), method, "estimate")

    run(None)
    assert asked == [{"method": "auto"}]


def made(**columns):
    """A table of runs, in nats."""
    table = pd.DataFrame({"low": math.nan, "high": math.nan, "p": math.nan, "training": math.nan,
                          "cpu_s": 1.0, "seed": 0} | columns)  # fmt: skip
    numbers = ["exact", "bits", "low", "high", "training"]
    table[numbers] /= LN2
    return table


def test_summary_and_score():
    table = made(
        task=["b"] * 3 + ["a"] * 3,
        exact=[1.0] * 3 + [0.2] * 3,
        bits=[0.9, 0.95, 1.3, 0.0, 0.0, 0.25],
        low=[0.8, 0.9, 1.2, math.nan, -0.1, 0.1],
        high=[0.99, 1.05, 1.4, math.nan, 0.1, 0.3],
        training=[1.5, 0.96, 1.6, 0.3, math.nan, 0.4],
        p=[0.001, 0.01, 0.02, math.nan, 0.9, 0.001],
        cpu_s=[1, 2, 3, 4, 5, 9],
    )
    summary = leakage.board_summary(table).set_index("task")
    assert list(summary.index) == ["b", "a"]
    assert summary.loc["b"].drop("runs").astype(float).round(6).to_dict() == {
        "exact_nats": 1.0, "median_nats": 0.95, "error_nats": -0.05, "low_nats": 0.9,
        "high_nats": 1.05, "training_nats": 1.5, "p": 0.01, "cpu_s": 2.0,
    }  # fmt: skip
    assert summary.loc["a", "median_nats"] == 0
    assert math.isnan(summary.loc["a", "low_nats"])
    score = leakage.board_score(table)
    assert score.round(6).to_dict() == {
        "mean_absolute_error_nats": pytest.approx((0.1 + 0.05 + 0.3 + 0.2 + 0.2 + 0.05) / 6),
        "tasks_within_0.1_nats": 1, "tasks": 2, "runs_above_by_0.1_nats": 1, "runs": 6,
        "runs_without_value": 0, "share_detected": pytest.approx(3 / 5),
        "share_within_interval": pytest.approx(2 / 5),
        "share_within_training": pytest.approx(2 / 5),
        "share_from_low_to_training": pytest.approx(2 / 4), "mean_cpu_s": 4,
    }  # fmt: skip


@pytest.mark.parametrize("nothing", [math.nan, math.inf])
def test_runs_without_a_value_flatter_nobody(nothing):
    table = made(task=["a", "a"], exact=[0.5, 0.5], bits=[0.5, nothing])
    score = leakage.board_score(table)
    assert score["runs_without_value"] == 1
    assert score["mean_absolute_error_nats"] == 0
    assert score["tasks_within_0.1_nats"] == 0


def fails(x, y):
    raise ZeroDivisionError("no")


def leaves(x, y):
    raise SystemExit(0)


def gives_words(x, y):
    return "1.5"


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (fails, "fails on task 1v1-additive-0.1 of the board, seed 0, failed: ZeroDivision.*: no"),
        (gives_words, "gives_words on task 1v1-additive-0.1 .* number of bits, not a str"),
        (leaves, "leaves on task .* failed: SystemExit"),
        (lambda x, y: True, "must give an Estimate or a number of bits, not a bool"),
        (lambda x, y: None, "must give an Estimate or a number of bits, not a NoneType"),
        (lambda x: 0.0, r"cannot be called as <lambda>\(x, y\): too many"),
        (lambda x, y, extra: 0.0, "cannot be called as .*missing a required argument: 'extra'"),
        ("mined", "did you mean 'mine'"),
        ("pixel", "must be 'certified'"),
        ("no.such:thing", "cannot find no.such:thing: no module named"),
        ("math:pi", "math:pi is no function of x and y"),
        (3, "int is no function of x and y"),
    ],
)
def test_bad_estimators(estimator, message):
    with pytest.raises(ValueError, match=message):
        run(estimator)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be above 0"),
        ({"seeds": 0}, "seeds must be above 0"),
        ({"seeds": [-1]}, "seed must be from 0"),
        ({"tasks": "gauss"}, "no task of the board"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        run(fails, **options)


def test_whether_a_seed_is_passed():
    def takes(x, y, /, seed):
        return seed

    assert run(takes)["bits"].tolist() == [0, 1, 0, 1]
    assert run(lambda x, y, **_: 5.0)["bits"].tolist() == [5.0] * 4
    assert run(np.vdot, tasks="1v1-additive")["bits"].notna().all()


def test_the_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "board.csv"
    with pytest.raises(ValueError, match="failed"):
        run(fails, out=path)
    assert not list(tmp_path.iterdir())
    table = run(lambda x, y: 0.5, out=path)
    pd.testing.assert_frame_equal(
        pd.read_csv(path, keep_default_na=True).drop(columns="flag"),
        table.drop(columns="flag"), check_dtype=False,
    )  # fmt: skip
    assert [p.name for p in path.parent.iterdir()] == ["board.csv"]


@pytest.mark.parametrize("place", ["folder", "file/board.csv", "link"])
def test_bad_output_is_found_before_the_work(tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(ValueError, match=r"is no folder|something else is"):
        run(fails, out=tmp_path / place)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Estimators of a reader, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("own_board.py").write_text(
        "def half(x, y, seed):\n    return 0.5 + seed / 100\n\n"
        "def broken(x, y):\n    return 1 / 0 if x.shape[1] > 2 else 0.5\n"
    )
    Path("bad_board.py").write_text("raise OSError('not today')\ndef half(x, y): return 0.5\n")
    yield
    for name in ("own_board", "bad_board"):
        sys.modules.pop(name, None)


def shell(*arguments):
    return main(["board", "--n", "50", "--seeds", "2", *arguments])


def test_the_shell(own_module, capsys):
    arguments = ("--estimator", "own_board:half", "--tasks", "1v1-additive", "-o", "board.csv")
    assert shell(*arguments) == 0
    said = capsys.readouterr()
    assert "mean absolute error nats: " in said.out
    assert "share detected" not in said.out
    assert "table: board.csv" in said.out
    assert said.err == ""
    assert pd.read_csv("board.csv")["bits"].tolist() == [0.5, 0.51] * 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--estimator", "own_board:broken"], "on task multinormal-dense-3-3-0.5 of the board"),
        (["--estimator", "own_board:whole"], "has no 'whole'"),
        (["--estimator", "bad_board:half"], "cannot import bad_board:half: OSError: not today"),
        (["--estimator", "nothing"], "estimator"),
        (["--tasks", "gauss"], "no task of the board"),
        (["--n", "0"], "n must be above 0"),
        (["--n", "3", "--tasks", "additive"], "samples"),
        (["--seeds", "-1"], "seeds must be above 0"),
        (["-o", "own_board.py/board.csv"], "is no folder"),
    ],
)
def test_bad_input_to_the_shell(own_module, capsys, arguments, says):
    assert shell("-o", "board.csv", *arguments) == 2
    assert says in capsys.readouterr().err
    assert not Path("board.csv").exists()


def test_a_failure_of_ours_is_told_as_one(own_module, capsys, monkeypatch):
    def failing(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(board_runs, "estimator_of", lambda _: failing)
    assert shell("--tasks", "additive") == 4
    assert "no answer" in capsys.readouterr().err
