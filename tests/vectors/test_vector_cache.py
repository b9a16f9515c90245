"""The cache of vectors: it runs nothing, changes no result, stays small and is cleared cleanly."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

import leakage
from leakage.__main__ import main
from leakage.vectors import embeddings, vector_cache
from leakage.vectors.vector_cache import cache_entries, cache_folder, cache_limit, keep, recall

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32), np.uint8)
ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"leakage-vectors-{i:064x}.npy" for i in range(9)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of its own, and no warning told before."""
    monkeypatch.setenv("LEAKAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(vector_cache, "_told", set())
    return tmp_path / "cache"


@pytest.fixture
def calls(monkeypatch):
    """How often vectors were computed."""
    made = []

    def counted(images, run):
        made.append(run)
        return {layer: IMAGES.reshape(6, -1)[:, :8].astype(np.float32) for layer in run.layers}

    monkeypatch.setattr(embeddings, "pooled_layers", counted)
    return made


def vectors():
    return leakage.embed(IMAGES, layer="stem")


def the_file(folder):
    (entry,) = cache_entries(folder)
    return entry.path


def test_what_was_computed_is_read_back(folder, calls):
    first = vectors()
    assert np.array_equal(vectors(), first)
    assert len(calls) == 1
    both = leakage.embed_layers(IMAGES, ["stem", "head"])
    assert list(both) == ["stem", "head"]
    assert np.array_equal(leakage.embed(IMAGES, layer="head"), both["head"])
    assert len(calls) == 2, "each layer is an entry of its own"
    found = vectors()
    found += 1  # a reader's own array, as if computed
    assert np.array_equal(vectors(), first)


def test_other_arguments_are_other_entries(folder, calls):
    for images, options in (
        (IMAGES, {}), (IMAGES ^ 1, {}), (IMAGES.reshape(6, 16, 64), {}), (IMAGES, {"seed": 1}),
        (IMAGES, {"precision": "bfloat16"}), (IMAGES, {"weights": None}), (IMAGES[:, ::-1], {}),
    ):  # fmt: skip
        leakage.embed(images, layer="stem", **options)
    assert len(calls) == len(cache_entries(folder)) == 7


class Mark:
    """What a poisoned entry would do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def damages(path, mark):
    """Ways in which an entry can be wrong, each a content for its file."""
    whole = path.read_bytes()
    objects = np.empty(6, object)
    objects[:] = [Mark(mark)] * 6
    middle = len(whole) // 2
    yield from (b"", b"\0", whole[:10], whole[:middle], whole[:-1], whole + b"\0")
    for at in (0, 8, 20, 200, middle, len(whole) - 40, len(whole) - 1):
        yield whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
    yield pickle.dumps(Mark(mark))
    for array in (objects, np.zeros((6, 8)), np.zeros((5, 8), np.float32), np.zeros(6, np.float32)):
        other = path.with_name("other.npy")
        np.save(other, array, allow_pickle=True)
        yield other.read_bytes()
        # the same under a right seal, which anybody can make
        with vector_cache.sealing(path) as file:
            file.write(other.read_bytes())
        other.unlink()
        yield path.read_bytes()
    huge = {"descr": "<f4", "fortran_order": False, "shape": (6, 2**60)}
    with vector_cache.sealing(path) as file:
        np.lib.format.write_array_header_1_0(file, huge)
    yield path.read_bytes()


def test_nothing_in_a_poisoned_folder_runs_or_counts(folder, calls, tmp_path):
    first = vectors()
    path, mark = the_file(folder), tmp_path / "it ran"
    for content in list(damages(path, mark)):
        path.write_bytes(content)
        made = len(calls)
        assert np.array_equal(vectors(), first)
        assert len(calls) == made + 1, "a damaged entry was believed"
        assert np.array_equal(vectors(), first)
        assert len(calls) == made + 1, "it was not kept anew"
    assert not mark.exists()


def test_an_entry_under_another_name_is_none(folder):
    keep({NAMES[0]: np.zeros((6, 2), np.float32)})
    (folder / NAMES[0]).rename(folder / NAMES[1])
    assert recall(NAMES[1], 6) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_links_and_folders_in_the_place_of_an_entry_are_left_alone(folder, calls, tmp_path):
    first, elsewhere = vectors(), tmp_path / "elsewhere"
    path = the_file(folder)
    for make in (
        path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to(elsewhere),
    ):  # fmt: skip
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        before = os.lstat(path)
        assert np.array_equal(vectors(), first)
        assert os.lstat(path) == before
        assert not elsewhere.exists()


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch):
    monkeypatch.setenv("LEAKAGE_CACHE_LIMIT", "5K")
    for i, name in enumerate(NAMES[:4]):
        keep({name: np.zeros((2, 125), np.float32)})  # 1000 bytes, and a header and a seal
        os.utime(folder / name, (i, i))
    assert recall(NAMES[0], 2) is not None, "this counts as a use"
    keep({NAMES[4]: np.zeros((2, 125), np.float32)})
    assert {entry.path.name for entry in cache_entries(folder)} == {
        NAMES[0], NAMES[2], NAMES[3], NAMES[4],
    }  # fmt: skip
    keep({NAMES[5]: np.zeros((2, 1000), np.float32)})
    assert not (folder / NAMES[5]).exists(), "larger than the whole cache"
    assert sum(entry.size for entry in cache_entries(folder)) <= cache_limit()


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 2 * 10**9), ("0", 0), ("500", 500), ("1.5k", 1500), ("20 G", 2 * 10**10), ("3MB", 3e6)],
)
def test_sizes_of_the_cache(folder, monkeypatch, text, size):
    monkeypatch.setenv("LEAKAGE_CACHE_LIMIT", text)
    assert cache_limit() == size


def test_a_size_that_is_none_is_told_once(folder, calls, monkeypatch):
    for text in ("-1", "much", "1e9", "nan"):
        monkeypatch.setenv("LEAKAGE_CACHE_LIMIT", text)
        vector_cache._told.clear()
        with pytest.warns(UserWarning, match="is no size such as 500M"):
            assert cache_limit() == 2 * 10**9
        assert cache_limit() == 2 * 10**9, "told once"


def test_without_a_limit_above_zero_nothing_is_kept(folder, calls, monkeypatch):
    monkeypatch.setenv("LEAKAGE_CACHE_LIMIT", "0")
    vectors(), vectors()
    assert len(calls) == 2
    assert not cache_entries(folder)


def test_an_empty_name_means_no_cache(folder, calls, monkeypatch, tmp_path):
    monkeypatch.setenv("LEAKAGE_CACHE", "")
    monkeypatch.chdir(tmp_path)
    vectors(), vectors()
    assert cache_folder() is None
    assert len(calls) == 2
    assert not list(tmp_path.rglob("*"))


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("state", ["a file", "no space", "read-only", "under a file"])
def test_a_cache_that_cannot_be_written_is_told_once(state, folder, calls, monkeypatch):
    if state == "a file":
        folder.write_text("mine")
    elif state == "under a file":
        folder.parent.joinpath("file").write_text("mine")
        monkeypatch.setenv("LEAKAGE_CACHE", str(folder.parent / "file" / "cache"))
    else:
        monkeypatch.setattr("leakage.sealed.os.fsync" if state == "no space" else
                            "leakage.sealed.uuid4", full)  # fmt: skip
        monkeypatch.setattr("leakage.sealed._Output.write", full)
    with pytest.warns(UserWarning, match="vectors are not kept"):
        first = vectors()
    assert np.array_equal(vectors(), first), "told once"
    assert len(calls) == 2
    assert not list(folder.parent.rglob("*leakage-vectors*")), "half a file is left"


AS_NOBODY = """
import json, os, sys, warnings
import numpy as np
import leakage
from leakage.__main__ import main
from leakage.vectors import vector_cache
images = np.zeros((2, 32, 32), np.uint8)
leakage.embed(images), main(["cache"])  # loads all that only root may read
os.setgroups([]), os.setgid(54321), os.setuid(54321)
for variables in json.loads(sys.argv[1]):
    for name in ("HOME", "LEAKAGE_CACHE"):
        os.environ.pop(name, None)
    os.environ.update(variables)
    vector_cache._told.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shapes = [leakage.embed(images ^ i).shape for i in (0, 1)]
    codes = [main(["cache"]), main(["cache", "clear"])]
    print(shapes, codes, [str(each.message)[:21] for each in told])
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become nobody")
def test_a_user_without_name_home_or_right_to_write():
    with tempfile.TemporaryDirectory() as place:  # whose parents are open to others
        os.chmod(place, 0o755)
        cases = [{}, {"HOME": ""}, {"HOME": "/nowhere"}, {"LEAKAGE_CACHE": place}]
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, json.dumps(cases)], text=True, timeout=120,
            capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT), "LEAKAGE_CACHE": ""},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not os.listdir(place)
    right = "[(2, 1280), (2, 1280)] [0, 0] "
    found = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert found == [right + told for told in 2 * ["[]"] + 2 * ["['vectors are not kept,']"]]


OTHERS = (
    ".env", ".gitignore", "notes.txt", "leakage-vectors.npy", "vectors.npy", ".leakage-vectors",
    f"{NAMES[0]}.bak", f"x{NAMES[0]}", NAMES[0].upper(), f".{NAMES[0]}", "leakage-vectors-12.npy",
    f".{NAMES[0]}.leakage-123", "joblib/leakage/output.pkl",
)  # fmt: skip


def test_the_command_shows_and_clears_the_package_s_own_files(folder, capsys):
    others = [folder / name for name in OTHERS]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (0, 0))
    (folder / NAMES[5]).mkdir()
    (folder / NAMES[6]).symlink_to(others[0])
    keep({name: np.zeros((5, 10_000), np.float32) for name in NAMES[:3]})
    ours = f".{NAMES[7]}.leakage-00000000-1-{'0' * 32}"
    (folder / ours).write_text("half")
    os.utime(folder / ours, (0, 0))
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"{folder}: 3 entries, 0.6 MB, of at most 2000.0 MB\n"
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"{folder}: 3 entries, 0.6 MB, removed\n"
    left = {path for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    assert left == {*others, folder / NAMES[6]}
    assert (folder / NAMES[5]).is_dir()
    assert main(["cache", "clear"]) == 0
    assert "0 entries" in capsys.readouterr().out


def test_the_command_without_a_cache(folder, monkeypatch, capsys):
    assert main(["cache"]) == 0, "a folder that is not there yet"
    monkeypatch.setenv("LEAKAGE_CACHE", "")
    for command in (["cache"], ["cache", "clear"]):
        assert main(command) == 0
        assert "no vectors are kept" in capsys.readouterr().out


def test_a_file_that_cannot_be_removed_is_bad_output(folder, monkeypatch, capsys):
    keep({NAMES[0]: np.zeros((5, 10), np.float32)})
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: full())
    assert main(["cache", "clear"]) == 2
    assert f"error: cannot remove {folder / NAMES[0]}" in capsys.readouterr().err


def test_many_at_once(folder, monkeypatch):
    """They write, read and make room together; an entry is right or not there."""
    monkeypatch.setenv("LEAKAGE_CACHE_LIMIT", "400K")
    wrong = []

    def use(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            i = int(rng.integers(9))
            found = recall(NAMES[i], 100)
            if found is None:
                keep({NAMES[i]: np.full((100, 200), i, np.float32)})
            elif not (found == i).all():
                wrong.append(i)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not vector_cache._told
    assert sum(entry.size for entry in cache_entries(folder)) <= 400_000
    assert not list(folder.glob(".*"))
