"""A study's folder: only our own files are removed, damage is named and mended, or refused."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import leakage
from leakage.__main__ import main
from leakage.sealed import OutputError, is_whole, load_array, read_json, sealing, write_json
from leakage.studies.files import FOLDERS
from leakage.studies.results import VARYING

HERE = Path(__file__).resolve().parent
GRID = {
    "images": [{"source": "photographs", "size": 32, "count": 60}],
    "schemes": [{"name": "bitplane", "levels": {"bits": [0, 8]}}],
    "embeddings": ["pixels", "histogram"],
    "estimators": ["cells:correlation", {"method": "pixel", "permutations": 9}], "seeds": [0, 1],
}  # fmt: skip
GONE = f"leakage-00000000-1-{'0' * 32}"


def run(out, **change):
    return leakage.study(GRID | change, out=out, n_jobs=1, progress=False)


def assert_same(one, other):
    one, other = (table.drop(columns=list(VARYING)) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study: its folder, never changed, and its table."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, run(folder)


@pytest.fixture
def copied(finished, tmp_path):
    """Its folder copied, and the table."""
    return shutil.copytree(finished[0], tmp_path / "study"), finished[1]


OTHERS = (
    ".env", ".gitignore", ".vimrc", ".DS_Store", "notes.txt", ".~lock.table.ods#", ".old",
    f".{'0' * 32}.json", f".{'0' * 32}.json.{'0' * 32}", f".{'0' * 32}.npy.swp",
    f".{'0' * 32}.json.leakage", f".{'0' * 32}.json.{GONE}.bak", f"{'0' * 32}.json.{GONE}",
    f".{'0' * 31}.json.{GONE}", f".notes.txt.{GONE}", f".{'0' * 32}.json.{GONE[:-1]}",
    f".{'0' * 32}.json.{GONE.upper()}", f"..json.{GONE}", ".table.parquet.tmp",
)  # fmt: skip


@pytest.mark.parametrize("age", [0, 10 * 24 * 3600])
def test_other_people_s_files_are_left_alone_and_do_not_block(tmp_path, age):
    folders = [tmp_path, *(tmp_path / name for name in (*FOLDERS, "other"))]
    made = []
    for folder in folders:
        folder.mkdir(exist_ok=True)
        for name in OTHERS:
            (folder / name).write_text("mine")
            made.append(folder / name)
        deep = folder / f".{'1' * 32}.json.{GONE}"
        deep.mkdir()
        (deep / f".{'0' * 32}.json.{GONE}").write_text("mine")
        made.append(deep / f".{'0' * 32}.json.{GONE}")
        for i, target in enumerate((tmp_path / ".env", "nowhere", folder)):
            (folder / f".{i:032}.npy.{GONE}").symlink_to(target)
    stranger = tmp_path / "other" / f".{'0' * 32}.json.{GONE}"
    stranger.write_text("mine, in a folder that is not the study's")
    made.append(stranger)
    for path in made:
        os.utime(path, (time.time() - age,) * 2)
    links = [path for path in tmp_path.rglob("*") if path.is_symlink()]
    before = {path: path.read_bytes() for path in made}
    run(tmp_path, seeds=[0])
    assert {path: path.read_bytes() for path in made} == before
    assert all(path.is_symlink() for path in links)


def test_our_own_fragments_are_removed(tmp_path):
    names = {"images": f"{'0' * 64}.groups.npy", "shared": f"{'0' * 32}.npy",
             "cells": f"{'0' * 32}.json", "": "table.parquet"}  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with sealing(tmp_path / "probe") as file:
        file.write(b"x")
        (running,) = tmp_path.glob(".probe*")
    place = re.search(r"leakage-([0-9a-f]{8})-", running.name)[1]
    elsewhere = f"leakage-00000000-1-{'1' * 32}"
    dead = f"leakage-{place}-{ended.pid}-{'2' * 32}"
    alive = f"leakage-{place}-{os.getpid()}-{'3' * 32}"
    for folder, name in names.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        for mark in (GONE, elsewhere, dead, alive):
            (tmp_path / folder / f".{name}.{mark}").touch()
        os.utime(tmp_path / folder / f".{name}.{GONE}", (0, 0))  # nobody wrote to it for a day
    run(tmp_path, seeds=[0])
    for folder, name in names.items():
        left = {path.name for path in (tmp_path / folder).glob(".*")}
        assert left == {f".{name}.{elsewhere}", f".{name}.{alive}"}


def every_file(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flipped(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


DAMAGES = {
    "empty": lambda data, rng: b"",
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "one byte less": lambda data, rng: data[:-1],
    "one byte more": lambda data, rng: data + b"\n",
    "a flipped bit": flipped,
    "zeros": lambda data, rng: bytes(len(data)),
    "foreign": lambda data, rng: b'{"error": "", "bits": 3.0}',
    "an array": lambda data, rng: b"[1, 2]",
    "no text": lambda data, rng: b"\xff\xfe\x00",
    "deep": lambda data, rng: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named_and_the_table_is_the_same(copied, damage):
    """Every file at once; rows are lost too, so that all others are needed."""
    folder, table = copied
    rng = random.Random(damage)
    for path in every_file(folder):
        path.write_bytes(DAMAGES[damage](path.read_bytes(), rng))
    with pytest.warns(UserWarning, match="damaged, or not written by a study") as told:
        assert_same(run(folder), table)
    (text,) = (str(each.message) for each in told)
    for kind in (r"images/\w{64}\.npy", r"images/\w{64}\.groups\.npy", r"shared/\w{32}\.npy",
                 r"shared/\w{32}\.json", r"cells/\w{32}\.json"):  # fmt: skip
        assert re.search(kind, text), kind
    assert_same(pd.read_parquet(folder / "table.parquet"), table)
    assert_same(run(folder), table)  # and nothing is told again


def test_each_kind_of_file_alone(copied):
    """Damaged, lost, or exchanged with another of its kind, where it is needed."""
    folder, table = copied
    rng = random.Random(0)
    whole = files_in(folder)
    kinds = {(path.parent, "".join(path.suffixes)): path for path in every_file(folder)}
    assert len(kinds) == 6
    for path in kinds.values():
        alike = [p for p in whole if p.parent == path.parent and p.suffixes == path.suffixes]
        other = whole[rng.choice([p for p in alike if p != path] or [path])]
        for content in (flipped(whole[path], rng), whole[path][:-9], other, None):
            for each, data in whole.items():
                each.parent.mkdir(exist_ok=True)
                each.write_bytes(data)
            if path.parent.name != "cells":
                shutil.rmtree(folder / "cells")
            path.unlink() if content is None else path.write_bytes(content)
            if content in (None, whole[path]) or path.parent == folder:
                assert_same(run(folder), table)
            else:
                with pytest.warns(UserWarning, match=re.escape(str(path))):
                    assert_same(run(folder), table)


def test_what_is_damaged_meanwhile_is_a_row_with_its_name(copied, monkeypatch):
    folder, table = copied
    for cell in (folder / "cells").iterdir():
        cell.unlink()
    vectors = next((folder / "shared").glob("*.npy"))
    damaged = flipped(vectors.read_bytes(), random.Random(1))
    monkeypatch.setattr(
        "leakage.studies.running.remove_all_fragments",  # the last step before the work
        lambda folder: vectors.write_bytes(damaged),
    )
    found = run(folder)
    assert (found["error"] != "").any()
    assert set(found.loc[found["error"] != "", "error"].str.contains(vectors.name)) == {True}
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=vectors.name):
        assert_same(run(folder), table)


def test_damaged_rows_are_not_believed(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"error": "", "bits": 1.0, "none": None, "nan": float("nan")})
    assert read_json(path)["bits"] == 1.0
    data = path.read_bytes()
    for at in range(len(data)):
        for bit in range(8):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            assert read_json(path) is None
    for end in range(len(data)):
        path.write_bytes(data[:end])
        assert read_json(path) is None


def in_the_way(folder):
    """What stands where a file or a folder must be, each made in an empty or finished study."""

    def as_file(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")

    cell, shared = (next((folder / name).glob("*.*")) for name in ("cells", "shared"))
    for path in (folder, *(folder / name for name in FOLDERS)):
        yield path, as_file, False
        yield path, lambda p: p.symlink_to("nowhere"), False
    for path in (folder / "table.parquet", cell, shared, next((folder / "images").glob("*.npy"))):
        yield path, lambda p: p.mkdir(parents=True), True
        yield path, lambda p: p.symlink_to("nowhere"), True


def test_a_folder_or_a_link_where_a_file_must_be_is_refused(copied):
    folder, _ = copied
    whole = files_in(folder)
    for path, make, inside in list(in_the_way(folder)):
        shutil.rmtree(folder)
        for each, data in whole.items():
            each.parent.mkdir(parents=True, exist_ok=True)
            each.write_bytes(data)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if inside and path.parent.name != "cells":  # so that it is needed
            for cell in (folder / "cells").iterdir():
                cell.unlink()
        make(path)
        before = files_in(folder)
        with pytest.raises(ValueError, match=r"where something else is|is no folder") as caught:
            run(folder)
        assert str(path) in str(caught.value)
        assert files_in(folder) == before, "work was done"
        if path == folder:
            path.unlink()
            path.mkdir()


def test_somebody_else_s_table_is_not_written_over(tmp_path):
    table = tmp_path / "table.parquet"
    for write in (lambda: pd.DataFrame({"a": [1]}).to_parquet(table),
                  lambda: table.write_text("mine")):  # fmt: skip
        write()
        before = table.read_bytes()
        with pytest.raises(ValueError, match=r"table\.parquet is not of a study"):
            run(tmp_path)
        assert table.read_bytes() == before
        assert os.listdir(tmp_path) == ["table.parquet"]


def test_a_study_s_own_table_is_known_without_its_cells(copied):
    folder, table = copied
    shutil.rmtree(folder / "cells")
    assert_same(run(folder), table)


def failing(after, error=28):
    """Writes that fail from some point on: a full disk."""
    left = [after]

    def write(self, data):
        left[0] -= 1
        if left[0] < 0:
            raise OutputError(f"cannot write {self._path}: {os.strerror(error)}")
        return self._file.write(data)

    return write


@pytest.mark.parametrize("after", [0, 1, 3, 5, 8, 13, 20, 30])
def test_a_disk_that_becomes_full_ends_the_study_and_the_next_goes_on(
    finished, tmp_path, monkeypatch, after
):
    with monkeypatch.context() as patch:
        patch.setattr("leakage.sealed._Output.write", failing(after))
        with pytest.raises(OutputError, match="No space left on device"):
            run(tmp_path)
    assert not list(tmp_path.rglob(".*")), "half a file is left"
    assert all(is_whole(path) for path in tmp_path.rglob("*.npy"))
    assert_same(run(tmp_path), finished[1])


SHELL = """
import resource, signal, sys
from leakage.__main__ import main
if sys.argv[1] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(main(sys.argv[2:]))
"""


def shell(grid, out, *, limit=0, jobs=1):
    """`leakage study` in a process of its own, in which no file may be larger than the limit."""
    command = [sys.executable, "-c", SHELL, str(limit), "study", str(grid), "-o", str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    return subprocess.Popen(
        [*command, "--jobs", str(jobs)], env=environment, text=True, stderr=subprocess.PIPE
    )


@pytest.fixture
def grid_file(tmp_path):
    file = tmp_path / "grid.json"
    file.write_text(json.dumps(GRID))
    return file


def test_a_full_disk_is_bad_output_in_the_shell(grid_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("leakage.sealed._Output.write", failing(2))
    assert main(["study", str(grid_file), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 2
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX")
def test_a_file_that_cannot_grow_is_bad_output_in_the_shell(grid_file, finished, tmp_path):
    out = tmp_path / "out"
    process = shell(grid_file, out, limit=30_000)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "File too large" in errors  # of a JPEG photograph's temporary copy, which comes first
    assert "Traceback" not in errors
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    assert_same(run(out), finished[1])


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(grid_file, monkeypatch, capsys):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("leakage.sealed.tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("leakage.studies.running.read_image_sets", refuse)
    out = grid_file.with_name("out")
    assert main(["study", str(grid_file), "-o", str(out)]) == 2
    assert "Permission denied" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder nobody can write")
def test_a_folder_that_really_cannot_be_written(grid_file, capsys):
    assert main(["study", str(grid_file), "-o", "/proc/leakage/out"]) == 2
    assert "error: cannot write into /proc" in capsys.readouterr().err


def sleeping(grid_file, seconds):
    estimator = {"method": "cells:correlation", "seconds": seconds}
    grid = GRID | {"embeddings": ["histogram"], "estimators": [estimator], "seeds": [*range(6)]}
    grid_file.write_text(json.dumps(grid))
    return grid


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happened in time"
        time.sleep(0.02)


def test_a_request_to_end_leaves_nothing_half_written(grid_file, tmp_path):
    sleeping(grid_file, 0.3)
    out = tmp_path / "out"
    process = shell(grid_file, out)
    wait_for(lambda: list(out.glob("cells/*.json")))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert not list(out.rglob(".*"))
    assert 0 < len(list(out.glob("cells/*.json"))) < 12


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_workers_end_with_their_parent(grid_file, tmp_path, number):
    sleeping(grid_file, 60)
    process = shell(grid_file, tmp_path / "out", jobs=2)
    workers = []

    def started():
        workers[:] = [
            child for child in psutil.Process(process.pid).children(recursive=True)
            if "loky_posix" in " ".join(child.cmdline())
        ]  # fmt: skip
        return len(workers) == 2 and (tmp_path / "out" / "shared").is_dir()

    wait_for(started)
    time.sleep(1)
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_for(lambda: not any(w.is_running() and w.status() != "zombie" for w in workers), 5)
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_worker_whose_parent_is_gone_ends_at_once():
    """Before it was told to watch, or in a thread that Linux does not count as lasting."""
    code = (
        "import time; from leakage.studies.workers import end_with_parent; "
        "end_with_parent({}, False); time.sleep(20)"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code.format(1)],
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
    )
    assert done.returncode == 1
    assert time.monotonic() - start < 15


def test_arrays_of_every_kind_are_read_back(tmp_path):
    for array in (np.zeros((0, 3)), np.arange(6).reshape(2, 3).T, np.array(5.0),
                  np.ones((2, 3, 4), np.uint8), np.array(["a", "bc"])):  # fmt: skip
        with sealing(tmp_path / "a.npy") as file:
            np.save(file, array)
        found = load_array(tmp_path / "a.npy")
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)
        assert np.array_equal(np.load(tmp_path / "a.npy"), array), "an .npy file for all others too"
        found.flags.writeable and found.fill(found.flat[0] if found.size else 0)
