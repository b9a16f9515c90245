"""Every chapter in an emulated Colab session: nothing there but the notebook, and old libraries.

The session's kernel has numpy and torch imported before the first cell runs, so that an upgrade of
either would break it. Its environment, several GB, is kept in `_build/colab`.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import papermill
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("colab.txt")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OVERRIDES = yaml.safe_load((ROOT / "tests" / "overrides.yaml").read_text(encoding="utf8"))
IMPORTED = "import numpy, pandas, torch, matplotlib.pyplot\n"

pytestmark = [
    pytest.mark.slow,
    # Papermill's nbclient 0.11 calls datetime.utcnow, deprecated since Python 3.12.
    pytest.mark.filterwarnings(
        r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:nbclient"
    ),
]  # fmt: skip


def installed(python):
    """Versions of all that an environment holds, by name."""
    done = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True
    )
    return {package["name"]: package["version"] for package in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def python():
    """Python of an environment as Colab has it, without this package."""
    folder = ROOT / "_build" / "colab" / hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    python, mark = folder / "bin" / "python", folder / "installed.json"
    if not mark.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", PINS], check=True)
        mark.write_text(json.dumps(installed(python)))
    if added := sorted(set(installed(python)) - set(json.loads(mark.read_text()))):
        subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", *added], check=True)
    assert installed(python) == json.loads(mark.read_text())
    return python


@pytest.fixture(scope="module")
def session(python, tmp_path_factory):
    """Environment variables of a session whose kernel is called `colab`."""
    folder = tmp_path_factory.mktemp("session")
    name = ["--prefix", folder, "--name", "colab"]
    subprocess.run([python, "-m", "ipykernel", "install", *name], check=True, capture_output=True)
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-imported.py").write_text(IMPORTED)
    source = folder / "source"  # building leaves folders behind, so not from the checkout itself
    source.mkdir()
    shutil.copytree(
        ROOT / "leakage", source / "leakage", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    return {
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "IPYTHONDIR": str(folder / "ipython"),
        "LEAKAGE_SOURCE": f"leakage[scale] @ {source.as_uri()}",
        "PYTHONPATH": "",
    }


def test_it_is_what_it_claims_to_be(python, session):
    versions = installed(python)
    assert "leakage" not in versions
    assert int(versions["ipywidgets"].partition(".")[0]) == 7
    assert sys.version_info[:2] >= (3, 11)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path, python, session, tmp_path, monkeypatch):
    """The first of these installs the package from its first cell; the others find it there."""
    before = installed(python)
    for name, value in session.items():
        monkeypatch.setenv(name, value)
    notebook = tmp_path / "alone" / path.name
    notebook.parent.mkdir()
    shutil.copy(path, notebook)
    done = papermill.execute_notebook(
        notebook,
        tmp_path / "out.ipynb",
        parameters=OVERRIDES[path.stem],
        kernel_name="colab",
        cwd=notebook.parent,
        progress_bar=False,
        execution_timeout=600,
    )
    after = installed(python)
    assert "leakage" in after
    assert {name: after.get(name) for name in before} == before, "something was changed"
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    assert os.listdir(notebook.parent) == [path.name]
