"""Running chapters into Jupyter Book's cache."""

import os

import nbformat
import pytest

from leakage.notebook import chapters


@pytest.fixture
def notebook(tmp_path):
    def write(name, *cells):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(
            nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": "python3", "display_name": "", "language": ""}},
            ),
            path,
        )
        return path

    return write


def test_each_runs_once_in_its_folder_and_a_failure_is_told(tmp_path, notebook):
    good = notebook(
        "good", "open('runs', 'a').write('x')\nimport os; os.environ['OMP_NUM_THREADS']"
    )
    bad = notebook("bad", "1 / 0")
    before = dict(os.environ)
    failed = chapters.run_chapters([good, bad], tmp_path / "cache", jobs=2)
    assert list(failed) == ["bad"]
    assert "ZeroDivisionError" in failed["bad"]
    assert dict(os.environ) == before
    assert (tmp_path / "runs").read_text() == "x"
    assert list(chapters.run_chapters([good, bad], tmp_path / "cache", jobs=1)) == ["bad"]
    assert (tmp_path / "runs").read_text() == "x"

    from jupyter_cache import get_cache

    stored = get_cache(str(tmp_path / "cache")).match_cache_notebook(nbformat.read(good, 4))
    assert stored.data["execution_seconds"] > 0


def test_the_longest_run_first(notebook):
    paths = [notebook(name) for name in ("encryption", "comparison", "unheard-of", "mine")]
    order = [path.stem for path in chapters._longest_first(paths)]
    assert order == ["comparison", "mine", "encryption", "unheard-of"]


def test_a_cache_of_another_package_is_dropped(tmp_path):
    cache = tmp_path / "cache"
    chapters.drop_stale(cache, "one")
    (cache / "global.db").write_text("")
    chapters.drop_stale(cache, "one")
    assert (cache / "global.db").exists()
    chapters.drop_stale(cache, "two")
    assert not (cache / "global.db").exists()


def test_digest_follows_the_package(tmp_path):
    package = tmp_path / "leakage"
    package.mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy>=1", "absent"]')
    digests = [chapters.digest(tmp_path)]
    (package / "a.py").write_text("A = 1")
    digests.append(chapters.digest(tmp_path))
    (package / "a.py").write_text("A = 2")
    digests.append(chapters.digest(tmp_path))
    (package / "data.npz").write_bytes(b"0")
    digests.append(chapters.digest(tmp_path))
    assert len(set(digests)) == 4
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"0")
    assert chapters.digest(tmp_path) == digests[-1]
