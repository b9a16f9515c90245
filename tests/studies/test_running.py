"""Studies: right numbers, the same ones after any crash and wherever they are computed."""

import json
import logging
import multiprocessing
import os
import random
import signal
import threading
import time

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from distributed import Client, LocalCluster
from joblib.externals.loky.process_executor import TerminatedWorkerError

import leakage
from leakage.__main__ import main
from leakage.devices import found_device
from leakage.studies.estimating import estimate_cell
from leakage.studies.files import CellFiles
from leakage.studies.grid import Cell, cells_of, key_of
from leakage.studies.provenance import stamp
from leakage.studies.results import VARYING
from leakage.vectors.embeddings import representations

# forked from a process that has loaded all, so that a new one starts at once
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["leakage.studies.running", "leakage.vectors.embeddings"])
IMAGES = {"source": "photographs", "size": 32, "count": 80}
BITPLANE = {"name": "bitplane", "levels": {"bits": [0, 8]}}
SLEEPING = {
    "images": [IMAGES], "schemes": [BITPLANE], "embeddings": ["histogram"],
    "estimators": [{"method": "cells:correlation", "seconds": 0.05}], "seeds": list(range(15)),
}  # fmt: skip
REAL = {
    "images": [IMAGES],
    "schemes": [BITPLANE],
    "embeddings": ["pixels", "histogram", "stem"],
    "estimators": [
        {"method": "canonical", "folds": 3},
        {"method": "certified", "folds": 3},
        {"method": "pixel", "permutations": 9},
        {"method": "patch", "critic": "pretrained"},
    ],
    "seeds": [0, 1],
}


def run(grid, out, **options):
    return leakage.study(grid, out=out, **({"n_jobs": 1, "progress": False} | options))


def assert_same(one, other):
    """To the last digit."""
    one, other = (table.drop(columns=list(VARYING)) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def cell_files(out):
    """When each finished cell was written."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "cells").glob("[!.]*.json")}


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "nothing happened in time"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run(SLEEPING, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return run(REAL, tmp_path_factory.mktemp("real"))


def cluster(workers):
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )  # fmt: skip


def test_cells_are_what_the_functions_give(real):
    images = leakage.load_images(**IMAGES)
    for bits in (0, 8):
        scheme = leakage.get_scheme("bitplane", bits=bits)
        cipher = scheme.encrypt(images.images, key_of({"key": 0}))
        rows = real[(real["scheme.bits"] == bits) & (real["seed"] == 1)]
        rows = rows.set_index(["embedding.rung", "estimator.method"])
        x, y = (representations(v, ["stem"])["stem"] for v in (images.images, cipher))
        expected = {
            ("pixels", "pixel"): leakage.pixel_mi(images.images, cipher, permutations=9, seed=1),
            ("pixels", "patch"): leakage.patch_mi(
                images.images, cipher, groups=images.groups, critic="pretrained", seed=1),
            ("stem", "canonical"): leakage.estimate_mi(
                x, y, "canonical", groups=images.groups, folds=3, seed=1),
            ("stem", "certified"): leakage.certified_mi(
                x, y, groups=images.groups, folds=3, seed=1),
        }  # fmt: skip
        for cell, estimate in expected.items():
            row = rows.loc[cell]
            assert row["bits"] == pytest.approx(estimate.bits, rel=1e-6, abs=1e-9), cell
            assert row["p_value"] == pytest.approx(estimate.p_value, rel=1e-6)
            assert (row["n"], row["method"]) == (estimate.n, estimate.method)
            assert row["flags"] == "; ".join(estimate.flags)
    assert len(rows) == 6  # pixels counted and in patches, two embeddings by two estimators


def test_what_is_known_is_found(real):
    pixel = real[(real["estimator.method"] == "pixel") & (real["scheme.name"] == "bitplane")]
    clear, hidden = (pixel[pixel["scheme.bits"] == bits] for bits in (0, 8))
    assert (clear["bits"] > 7).all()
    assert (clear["p_value"] == 0.1).all()  # the smallest that 9 permutations can give
    assert (hidden["low"] < 0).all()
    assert (hidden["bits"] < 0.01).all()


def test_rows_tell_settings_time_memory_and_provenance(real):
    assert len(real) == 2 * (2 + 2 * 2) * 2
    assert (real["error"] == "").all()
    assert (real[["seconds", "memory_mb"]] > 0).all(axis=None)
    assert real.loc[real["embedding.rung"] == "stem", "shared_seconds"].gt(0).all()
    for name, value in stamp().items():
        assert set(real[name]) == {value}
    assert list(real["seed"][:2]) == [0, 1], "rows in the order of the grid"
    device = found_device("auto")
    assert set(real["device"]) == {"", device}
    assert (real.loc[real["device"] == "", "embedding.rung"] == "pixels").all()


def test_the_table_is_saved_and_computed_once(tmp_path):
    first = run(SLEEPING, tmp_path)
    pd.testing.assert_frame_equal(first, pd.read_parquet(tmp_path / "table.parquet"))
    written = cell_files(tmp_path)
    wider = SLEEPING | {"seeds": list(range(16))}
    again = run(wider, tmp_path)
    later = cell_files(tmp_path)
    assert {name: later[name] for name in written} == written, "finished cells are not touched"
    assert len(later) == len(again) == len(first) + 2
    assert not list(tmp_path.rglob(".*")), "temporary files are left"


def _in_a_process(grid, out, jobs):
    leakage.study(grid, out=out, n_jobs=jobs, progress=False)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("jobs", "kills"), [(1, 5), pytest.param(1, 15, marks=SLOW), pytest.param(2, 5, marks=SLOW)]
)
def test_killed_at_random_moments_it_goes_on_to_the_same_table(
    tmp_path, uninterrupted, jobs, kills
):
    moments = sorted(random.Random(0).choices(range(28), k=kills))
    seen = {}
    for cells in moments:
        process = PROCESSES.Process(target=_in_a_process, args=(SLEEPING, tmp_path, jobs))
        process.start()
        wait_for(lambda enough=cells: len(cell_files(tmp_path)) >= enough)
        time.sleep(random.Random(cells).uniform(0, 0.05))
        assert process.is_alive(), "it was done before it could be killed"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert not (tmp_path / "table.parquet").exists()
        now = cell_files(tmp_path)
        assert {name: now[name] for name in seen} == seen, "a finished cell was lost or done twice"
        seen = now
    assert 0 < len(seen) < 30
    assert_same(run(SLEEPING, tmp_path), uninterrupted)
    now = cell_files(tmp_path)
    assert {name: now[name] for name in seen} == seen
    assert not list(tmp_path.rglob(".*")), "something half-written is left"


def test_a_failed_cell_is_a_row_and_is_tried_again(tmp_path, uninterrupted):
    mend = tmp_path / "mended"
    estimator = {"method": "cells:correlation", "fail_seed": 3, "unless": str(mend)}
    grid = SLEEPING | {"estimators": [estimator]}
    table = run(grid, tmp_path)
    failed = table[table["error"] != ""]
    assert list(failed["seed"]) == [3, 3]
    assert set(failed["error"]) == {"OverflowError: seed 3, as asked"}
    assert failed["bits"].isna().all()
    mend.touch()
    after = run(grid, tmp_path)
    assert (after["error"] == "").all()
    assert np.array_equal(after["bits"], uninterrupted["bits"])


def test_what_estimators_of_one_s_own_give(tmp_path):
    table = run(SLEEPING | {"schemes": ["identity"], "estimators": ["cells:odd"],
                            "seeds": list(range(5))}, tmp_path)  # fmt: skip
    assert list(table["error"]) == [
        "", "ValueError: must give an Estimate or a number of bits, not a str",
        "ValueError: cells:odd gave nan bits",
        "ValueError: gave an Estimate whose low is above its high, 2 and 0.5", "",
    ]  # fmt: skip
    assert table["bits"].dropna().tolist() == [1.5, 2.0]
    assert json.loads(table["details"].iloc[4]) == {"each": [0, 1]}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_code_that_ends_the_program_fails_its_own_cells_alone(tmp_path, n_jobs):
    grid = SLEEPING | {"estimators": ["cells:leaves"], "seeds": [2, 3]}
    table = run(grid | {"schemes": ["cells:Leaves", "identity"]}, tmp_path, n_jobs=n_jobs)
    assert list(table["error"]) == ["SystemExit: 0"] * 2 + ["", "SystemExit: nothing to do"]


@pytest.mark.slow
def test_a_killed_local_worker_ends_the_study_and_the_next_goes_on(tmp_path, uninterrupted):
    estimator = {"method": "cells:dies_once", "mark": str(tmp_path / "died")}
    grid = SLEEPING | {"estimators": [estimator]}
    with pytest.raises(TerminatedWorkerError) as caught:
        run(grid, tmp_path, n_jobs=2)
    assert caught.value.__notes__ == [
        "What is finished is kept: run the same study again to go on."
    ]
    table = run(grid, tmp_path, n_jobs=2)
    assert np.array_equal(table["bits"], uninterrupted["bits"])


def test_a_failed_shared_step_fails_its_own_cells_alone(tmp_path):
    table = run(SLEEPING | {"schemes": ["cells:OneOnly", "identity"], "seeds": [0]}, tmp_path)
    assert list(table["error"]) == ["ZeroDivisionError: more than one image", ""]


def test_a_scheme_that_knows_no_first_index_is_refused_before_any_work(tmp_path):
    """Batches that all begin at nonce 0 would share keystreams, and nobody would be told."""
    with pytest.raises(ValueError, match=r"encrypt is to take .*first_index.*in batches"):
        run(SLEEPING | {"schemes": ["cells:WithoutNumbers"], "seeds": [0]}, tmp_path)


def test_a_worker_with_other_versions_is_refused(tmp_path):
    cell = Cell({}, {}, {}, {"method": "canonical"}, seed=0)
    files = CellFiles(*(tmp_path / name for name in ("x.npy", "g.npy", "p.npy", "c.npy", "r.json")))
    estimate_cell(cell, files, stamp() | {"numpy": "0.1"})
    error = json.loads(files.row.read_text())["error"]
    assert f"this worker has numpy {np.__version__}, not 0.1" in error


def test_shared_steps_by_two_at_once_are_whole(tmp_path):
    """Two studies in one folder want the same files."""
    both = [PROCESSES.Process(target=_in_a_process, args=(SLEEPING, tmp_path, 1)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert not list(tmp_path.rglob(".*"))
    assert len(cell_files(tmp_path)) == 30


IMPOSSIBLE = {
    "no axis": ({"level": []}, "'level' is no axis"),
    "empty": ({"schemes": []}, "schemes must be a list of at least one entry"),
    "unknown scheme": ({"schemes": ["bitplan"]}, "did you mean 'bitplane'"),
    "level out of range": (
        {"schemes": [{"name": "bitplane", "levels": {"bits": [3, 9]}}]}, r"schemes\[0\].*9"),
    "unknown estimator": ({"estimators": ["magic"]}, "no estimator 'magic'"),
    "unknown option": (
        {"estimators": [{"method": "canonical", "fold": 3}]}, "no setting 'fold'"),
    "unknown module": ({"estimators": ["nowhere:f"]}, "cannot find nowhere:f"),
    "unknown rung": ({"embeddings": ["stem", "blocks.99"]}, "no layer 'blocks.99'"),
    "unknown model": ({"embeddings": [{"rung": "x", "model": "alexnot"}]}, "no model 'alexnot'"),
    "unknown device": ({"embeddings": [{"rung": "stem", "device": "tpu"}]}, "device must be"),
    "nothing for pixels": ({"embeddings": ["pixels", "stem"]}, "'pixels'.*go with"),
    "no pixels": ({"estimators": ["canonical", "pixel"]}, "none of the embeddings goes with"),
    "no folder": ({"images": [{"source": "/nowhere"}]}, "no file or folder '/nowhere'"),
    "too many images": ({"images": [{"source": "photographs", "count": 10**6}]}, "count=1000000"),
    "too many folds": ({"estimators": [{"method": "canonical", "folds": 50}]}, "cannot fill 50"),
    "no such critic": (
        {"embeddings": ["pixels"], "estimators": [{"method": "patch", "critic": "wise"}]},
        "critic must be"),
    "patches too large": (
        {"embeddings": ["pixels"], "estimators": [{"method": "patch", "patch": 65}]},
        "shorter side"),
    "patches for ksg": ({"estimators": ["ksg"]}, "one a group"),
    "outside the image": (
        {"schemes": [{"name": "region", "boxes": [[0, 0, 64, 64]]}]}, "scheme.*region.*64"),
    "twice": ({"embeddings": ["stem", {"rung": "stem"}]}, "is there twice"),
    "seeds": ({"seeds": [0, -1]}, "seeds must be"),
    "no plain data": ({"seeds": [0], "schemes": [{"name": "bitplane", "bits": {1}}]},
                      "not plain data"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_grid_is_refused_before_any_work(tmp_path, change, message):
    grid = {"images": [IMAGES], "schemes": ["identity"], "embeddings": ["stem"],
            "estimators": ["canonical"]}  # fmt: skip
    with pytest.raises(ValueError, match=r"(?s)this grid cannot be run.*" + message):
        run(grid | change, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_stored_when_another_image_set_is_impossible(tmp_path):
    with pytest.raises(ValueError, match="no file or folder"):
        run(SLEEPING | {"images": [IMAGES, {"source": "/nowhere"}]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_problems_are_told_at_once(tmp_path):
    grid = SLEEPING | {"schemes": ["nope"], "seeds": [], "images": [{"source": "x", "size": 0}]}
    with pytest.raises(ValueError, match=r"(?s)images\[0\].*schemes\[0\].*seeds"):
        run(grid, tmp_path / "out")


def test_levels_are_swept_on_every_axis():
    cells = cells_of({
        "images": [{"source": "photographs", "levels": {"size": [32, 64], "count": [10, 20]}}],
        "schemes": [{"name": "bitplane", "levels": {"bits": [1], "key": [0, 1]}}],
        "embeddings": [{"levels": {"rung": ["stem", "head"]}}], "estimators": ["canonical"],
    })  # fmt: skip
    assert len(cells) == 4 * 2 * 2
    assert len({json.dumps(cell.columns()) for cell in cells}) == 16


def test_another_key_gives_other_ciphertexts_and_another_seed_does_not(tmp_path):
    scheme = {"name": "bitplane", "bits": 8, "levels": {"key": [0, 1]}}
    table = run(SLEEPING | {"schemes": [scheme], "seeds": [0, 1]}, tmp_path)
    assert table["bits"].nunique() == 4
    assert len(list((tmp_path / "shared").glob("*.npy"))) == 3  # plain, and one for each key


def test_precision_is_an_axis_and_its_vectors_are_computed_apart(tmp_path):
    embedding = {"rung": "blocks.4", "levels": {"precision": ["float32", "bfloat16"]}}
    table = run(SLEEPING | {"embeddings": [embedding], "seeds": [0]}, tmp_path)
    assert (table["error"] == "").all()
    clear = table[table["scheme.bits"] == 0].set_index("embedding.precision")["bits"]
    assert clear["float32"] != clear["bfloat16"]
    assert clear["float32"] == pytest.approx(clear["bfloat16"], rel=0.1)


def test_an_encoder_of_one_s_own(tmp_path):
    own = {"rung": "output", "model": "cells:lowest_plane"}
    table = run(SLEEPING | {"embeddings": [own], "seeds": [0]}, tmp_path)
    assert (table["error"] == "").all()
    (vectors, *_) = (np.load(path) for path in sorted((tmp_path / "shared").glob("*.npy")))
    assert vectors.shape == (80, 1024)
    assert set(np.unique(vectors)) == {0, 1}


@pytest.mark.parametrize(
    ("model", "rung", "says"),
    [("cells:absent", "output", "has no 'absent'"), ("cells:OneOnly", "output", "is no function"),
     ("cells:lowest_plane", "stem", "lowest_plane has no layer 'stem'"),
     ("cells:dies_once", "output", "the encoder dies_once failed")],
)  # fmt: skip
def test_a_wrong_encoder_is_refused_before_any_work(tmp_path, model, rung, says):
    with pytest.raises(ValueError, match=says):
        run(SLEEPING | {"embeddings": [{"rung": rung, "model": model}]}, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("cells/*"))


def test_a_worker_without_the_device_says_so_and_other_embeddings_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    embeddings = ["histogram", {"rung": "stem", "device": "cuda"}]
    table = run(SLEEPING | {"embeddings": embeddings, "seeds": [0]}, tmp_path)
    failed = table["embedding.device"] == "cuda"
    assert failed.sum() == (~failed).sum() == 2
    assert table["error"][failed].str.contains("torch sees no GPU; use device='cpu'").all()
    assert (table["error"][~failed] == "").all()


def test_without_pyarrow_the_error_names_the_fix(tmp_path, monkeypatch):
    monkeypatch.setattr("leakage.studies.running.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'leakage\[scale\]'"):
        run(SLEEPING, tmp_path / "out")


def test_from_the_shell(tmp_path, capsys):
    file, out = tmp_path / "grid.yaml", str(tmp_path / "out")
    grid = SLEEPING | {"seeds": [0, 1]}
    file.write_text(yaml.safe_dump(grid))
    command = ["study", str(file), "-o", out, "--jobs", "1"]
    assert main(command) == 0
    assert "4 of 4 cells finished" in capsys.readouterr().out
    file.write_text(yaml.safe_dump(grid | {"estimators": [
        {"method": "cells:correlation", "fail_seed": 1}]}))  # fmt: skip
    assert main(command) == 3
    assert "2 failed: OverflowError: seed 1, as asked" in capsys.readouterr().out
    for text in ("images: [", "- 1", json.dumps(grid | {"schemes": ["nope"]})):
        file.write_text(text)
        assert main(command) == 2
        assert capsys.readouterr().err.startswith("error: ")
    assert main(["study", str(tmp_path / "none.json"), "-o", out]) == 2


def test_the_number_of_processes_is_what_joblib_was_told(tmp_path):
    grid = SLEEPING | {"estimators": ["cells:process"], "seeds": [0, 1]}
    with joblib.parallel_config(n_jobs=1):
        table = run(grid, tmp_path, n_jobs=None)
    assert set(table["bits"]) == {os.getpid()}


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_dask_cluster_gives_the_same_table(tmp_path, real, workers):
    with cluster(workers) as own, Client(own), joblib.parallel_config(backend="dask"):
        assert_same(run(REAL, tmp_path, n_jobs=None), real)


@pytest.mark.slow
def test_from_the_shell_on_a_cluster(tmp_path, uninterrupted):
    file = tmp_path / "grid.json"
    file.write_text(json.dumps(SLEEPING))
    with cluster(2) as own:
        address = own.scheduler_address
        assert main(["study", str(file), "-o", str(tmp_path), "--scheduler", address]) == 0
    assert_same(pd.read_parquet(tmp_path / "table.parquet"), uninterrupted)


@pytest.mark.slow
def test_local_processes_give_the_same_table(tmp_path, real):
    assert_same(run(REAL, tmp_path, n_jobs=2), real)


def _in_a_thread(grid, out, client):
    """Starts a study on a cluster; returns the thread, and a list for its table or error."""
    found = []

    def target():
        with joblib.parallel_config(backend="dask", client=client):
            try:
                found.append(run(grid, out, n_jobs=None))
            except Exception as error:
                found.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    return thread, found


def test_a_killed_dask_worker_costs_nothing(tmp_path, uninterrupted):
    with cluster(2) as own, Client(own) as client:
        thread, found = _in_a_thread(SLEEPING, tmp_path, client)
        wait_for(lambda: len(cell_files(tmp_path)) >= 8)
        seen = cell_files(tmp_path)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        thread.join(60)
    assert_same(found[0], uninterrupted)
    now = cell_files(tmp_path)
    assert {name: now[name] for name in seen} == seen, "a finished cell was lost or done twice"


@pytest.mark.slow
def test_a_stopped_scheduler_ends_the_study_and_the_next_goes_on(tmp_path, uninterrupted):
    with cluster(2) as own, Client(own) as client:
        thread, found = _in_a_thread(SLEEPING, tmp_path, client)
        wait_for(lambda: len(cell_files(tmp_path)) >= 8)
        own.close()
        thread.join(120)
        assert not thread.is_alive(), "the study hangs without its scheduler"
    assert isinstance(found[0], Exception)
    seen = cell_files(tmp_path)
    assert 8 <= len(seen) < 30
    with cluster(2) as own, Client(own), joblib.parallel_config(backend="dask"):
        assert_same(run(SLEEPING, tmp_path, n_jobs=None), uninterrupted)
    now = cell_files(tmp_path)
    assert {name: now[name] for name in seen} == seen
