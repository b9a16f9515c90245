"""Grids: refused in little time and memory, with a clear message, and nothing runs meanwhile."""

import sys
import time
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest

import leakage
from leakage.studies.grid import AXES, MOST_CELLS, cells_of, read_grid
from leakage.studies.grid_files import MOST_BYTES, MOST_DEPTH, MOST_VALUES
from leakage.studies.own_code import check_own_name
from leakage.studies.trials import look_up

GRID = {
    "images": [{"source": "photographs", "size": 32, "count": 80}], "schemes": ["identity"],
    "embeddings": ["histogram"], "estimators": ["cells:correlation"],
}  # fmt: skip


@contextmanager
def in_little(seconds=5, megabytes=100):
    """Time of this process and memory of its objects."""
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - start < seconds
    assert peak < megabytes * 2**20


def own_module(folder, name, text):
    """A module of the reader's own, which leaves a mark when it runs."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"open({str(folder / 'ran')!r}, 'a').close()\n{text}")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder, in which code of the reader's own may lie."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("own", "house")]:
        del sys.modules[name]


@pytest.mark.parametrize("axis", ["schemes", "estimators"])
@pytest.mark.parametrize("name", ["own:made", "house.room:made", "house:made"])
def test_nothing_of_the_readers_own_runs_while_a_grid_is_checked(here, axis, name):
    code = "class made:\n    def encrypt(self, images, key): ...\n"
    for module in ("own", "house/room", "house/__init__"):
        own_module(here, module, code)
    # the parent's mark is in another folder than the room's
    marks = lambda: list(here.rglob("ran"))  # noqa: E731
    grid = GRID | {axis: [name]}
    assert len(cells_of(grid)) == 1
    with pytest.raises(ValueError, match="seeds must be"):
        cells_of(grid | {"seeds": ["x"]})
    for wrong in (name.replace("made", "other"), "own.deeper:made", "houses:made"):
        with pytest.raises(ValueError, match="cannot find"):
            cells_of(grid | {axis: [wrong]})
    with pytest.raises(ValueError, match="this grid cannot be run"):
        leakage.study(grid | {"seeds": [-1]}, out=here / "out", progress=False)
    assert not marks()
    assert not [m for m in sys.modules if m.partition(".")[0] in ("own", "house")]


NO_SCHEMES = ("os:system", "subprocess:run", "subprocess:Popen", "builtins:exec", "pathlib:Path")
NO_ESTIMATORS = ("os:system", "os:remove", "builtins:exec", "shutil:rmtree", "time:sleep")


@pytest.mark.parametrize(
    ("axis", "call"),
    [*(("schemes", call) for call in NO_SCHEMES), *(("estimators", c) for c in NO_ESTIMATORS)],
)
def test_what_is_no_scheme_and_no_estimator_is_never_called(tmp_path, axis, call):
    victim = tmp_path / "victim"
    victim.touch()
    key = {"schemes": "name", "estimators": "method"}[axis]
    for setting in ("command", "args", "path", "source", "cmd"):
        entry = {key: call, setting: f"rm {victim}"}
        with pytest.raises(ValueError, match=f"(?s)this grid cannot be run.*{call}"):
            leakage.study(GRID | {axis: [entry]}, out=tmp_path / "out", progress=False)
    assert victim.exists()
    assert not (tmp_path / "out").exists()


def test_what_a_parse_cannot_tell_is_looked_up_later(here):
    own_module(here, "own", "from math import *\nclass later: pass\ndef one(x): pass\n")
    for name, message in (
        ("own:nothing", "cannot find own:nothing"), ("own:later", "no class with a method encrypt"),
        ("own:sqrt", "no class with a method encrypt"),
    ):  # fmt: skip
        cells = cells_of(GRID | {"schemes": [name]})
        with pytest.raises(ValueError, match=message):
            look_up(cells)
    for name in ("own:one", "own:sqrt"):
        cells = cells_of(GRID | {"estimators": [name]})
        with pytest.raises(ValueError, match=f"{name} cannot be called as"):
            look_up(cells)


@pytest.mark.parametrize("text", ["1 / 0", "raise SystemExit(0)", "import nowhere_at_all"])
def test_a_module_that_cannot_be_imported_is_named(here, text):
    own_module(here, "own", f"{text}\nclass made:\n    def encrypt(self): ...\n")
    cells = cells_of(GRID | {"schemes": ["own:made"]})
    with pytest.raises(ValueError, match=r"(?s)this grid cannot be run.*own:made"):
        look_up(cells)


@pytest.mark.parametrize("name", ["a:b:c", ":b", "a:", "a b:c", "a..b:c", "1:x", "a:b.c", "../a:b"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(ValueError, match="'module:name'"):
        check_own_name(name)


def test_a_file_that_is_no_python_is_named(here):
    (here / "own.py").write_text("class (:\n")
    with pytest.raises(ValueError, match=r"own\.py is no Python"):
        check_own_name("own:made")


def laughs(of, start, last):
    """Nine aliases of nine aliases of ..., in YAML."""
    lines = [f"l0: &l0 {start}"]
    lines += [f"l{i}: &l{i} {of.format(', '.join([f'*l{i - 1}'] * 9))}" for i in range(1, 12)]
    return "\n".join([*lines, last.format("*l11")])


TOO_LARGE = {
    "aliases in lists": laughs("[{}]", "[0]", "seeds: {}"),
    "aliases in mappings": laughs("{{a: [{}]}}", "{a: 1}", "images: [{}]"),
    "merged": laughs("{{<<: [{}]}}", "{a: 1}", "images: [{}]"),
    "long texts": f"a: &a {'x' * 50_000}\nb: &b [{', '.join(['*a'] * 100)}]\n"
                  f"images: [{', '.join(['*b'] * 100)}]",
    "in itself": "images: &a [*a]",
    "in itself below": "images: &a {b: [{c: *a}]}",
    "deep": "images: " + "[" * 900 + "]" * 900,
    "deeper": "images: " + "[" * 100_000,
    "deep blocks": "- " * 100_000 + "a",
    "many bytes": "# " + "x" * MOST_BYTES,
    "many seeds": "seeds: [" + ",".join(map(str, range(50_000))) + "]",
}  # fmt: skip


@pytest.mark.parametrize("text", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_file_that_explodes_is_refused_soon(tmp_path, text):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    with in_little(), pytest.raises(ValueError, match=r"more than|deep|at most|nest") as caught:
        cells_of({**GRID, "schemes": ["identity", "blur", "skk"], **read_grid(file)})
    assert len(str(caught.value)) < 3000


def test_a_deep_json_file_is_refused(tmp_path):
    file = tmp_path / "grid.json"
    file.write_text("[" * 100_000)
    with in_little(), pytest.raises(ValueError, match="deep"):
        read_grid(file)


BROKEN = {
    "latin": b"images: [\xe4]", "binary": bytes(range(256)), "date": b"images: 2001-99-99",
    "number": b"seeds: [1" + b"0" * 5000 + b"]", "tag": b"images: !!python/object:os.system x",
    "tab": b"\timages: []", "anchor": b"images: *nobody",
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_broken_file_is_named(tmp_path, data, suffix):
    file = tmp_path / f"grid.{suffix}"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=f"grid.{suffix} is not"):
        read_grid(file)


def test_aliases_that_do_not_explode_are_welcome(tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text(
        "all: &all {source: photographs, size: 32}\nimages: [*all, {<<: *all, size: 64}]\n"
    )
    assert read_grid(file)["images"] == [
        {"source": "photographs", "size": 32}, {"source": "photographs", "size": 64},
    ]  # fmt: skip


def in_itself():
    found = {"images": [], "schemes": ["identity"]}
    found["images"].append(found)
    return found


def nested(depth):
    found = "x"
    for _ in range(depth):
        found = [found]
    return found


def doubled():
    found = ["x"]
    for _ in range(60):
        found = [found, found]
    return found


HUGE = {
    "seeds": lambda: {"seeds": list(range(10**6))},
    "levels": lambda: {
        "schemes": [{"name": "bitplane", "levels": {f"a{i}": list(range(50)) for i in range(30)}}]},
    "one level": lambda: {"images": [{"levels": {"source": ["photographs"] * (MOST_VALUES + 1)}}]},
    "cells": lambda: {"seeds": list(range(40_000)), "schemes": ["identity", "blur", "skk"]},
    "heavy cells": lambda: {
        "schemes": [{"name": "region", "boxes": [[0, 0, 8, 8]] * 9000}],
        "seeds": list(range(3000))},
    "in itself": in_itself,
    "nested": lambda: {"images": nested(MOST_DEPTH + 2)},
    "deeply nested": lambda: {"images": nested(50_000)},
    "doubled": lambda: {"images": doubled()},
    "a long text": lambda: {"images": ["x" * 10**8]},
}  # fmt: skip


@pytest.mark.parametrize("change", HUGE.values(), ids=HUGE)
def test_a_huge_grid_is_refused_soon(change):
    grid = GRID | change()
    with in_little(), pytest.raises(ValueError, match=r"at most") as caught:
        cells_of(grid)
    assert len(str(caught.value)) < 3000


def test_a_grid_within_the_limits_is_quick():
    start = time.process_time()
    assert len(cells_of(GRID | {"seeds": list(range(90_000))})) == 90_000 < MOST_CELLS
    assert time.process_time() - start < 5


def test_of_many_problems_some_are_told():
    with pytest.raises(ValueError, match="and 980 more") as caught:
        cells_of(GRID | {"schemes": [f"none{i}" * 500 for i in range(1000)]})
    assert len(str(caught.value)) < 20_000


VALUES = [None, True, 1.5, -1, 10**400, "", "x", [], [1], ["x"], [[]], {}, {"x": 1}, {1: 2},
          float("nan"), float("inf"), b"x", {"x"}, np.int64(3), np.zeros(3), object()]  # fmt: skip
PLACES = {
    "axis": lambda axis, key, value: {axis: value},
    "entry": lambda axis, key, value: {axis: [value]},
    "word": lambda axis, key, value: {axis: [{key: value}]},
    "levels": lambda axis, key, value: {axis: [{key: "x", "levels": value}]},
    "level": lambda axis, key, value: {axis: [{"levels": {key: value}}]},
    "setting": lambda axis, key, value: {axis: [{key: "x", "setting": value}]},
}


def may_be_right(axis, place, value):
    """Whether only a look at the images, or at the network, can tell."""
    texts = isinstance(value, str) or (isinstance(value, list) and value == ["x"])
    named = axis in ("images", "embeddings") and place not in ("setting", "levels")
    return (texts and named) or (isinstance(value, dict) and not value and place == "levels")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("axis", "key"), AXES.items())
def test_entries_of_the_wrong_type_get_a_clear_message(place, axis, key):
    for value in VALUES:
        if may_be_right(axis, place, value):
            continue
        with pytest.raises(ValueError, match=rf"(?s)this grid cannot be run.*{axis}") as caught:
            cells_of(GRID | PLACES[place](axis, key, value))
        told = str(caught.value)
        assert len(told) < 3000
        for foreign in ("' object is not", "unhashable", "not supported between", "argument must"):
            assert foreign not in told, told


SETTINGS = {
    "images": ({"source": "photographs"}, ("size", "count", "mode", "seed")),
    "schemes": ({"name": "bitplane", "bits": 3}, ("keying", "key", "bits")),
    "embeddings": ({"rung": "stem"}, ("model", "device", "precision")),
    "estimators": ({"method": "canonical"}, ("folds", "permutations", "extrapolate", "components")),
}


@pytest.mark.parametrize("axis", SETTINGS)
def test_settings_of_the_wrong_type_get_a_clear_message(axis):
    entry, names = SETTINGS[axis]
    for name in names:
        for value in ([1], {"x": 1}, "many" if name not in ("model", "precision") else 7, 1.5):
            with pytest.raises(ValueError, match=rf"(?s)this grid cannot be run.*{name}"):
                cells_of(GRID | {"embeddings": ["stem"], axis: [entry | {name: value}]})


def test_what_is_no_grid_is_refused(tmp_path):
    for grid in (None, [], "images", 3, [GRID], {}):
        with pytest.raises(ValueError, match=r"a grid is a mapping|cannot be run"):
            cells_of(grid)
    file = tmp_path / "grid.yaml"
    file.write_text("")
    with pytest.raises(ValueError, match="a grid is a mapping"):
        leakage.study(file, out=tmp_path / "out")
    with pytest.raises(ValueError, match="no file"):
        leakage.study(tmp_path, out=tmp_path / "out")
