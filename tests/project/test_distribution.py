"""Wheel and source distribution: whole, and working where the source tree is not."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import leakage

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "leakage").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
# Names every recorded run and file of data, and runs what the README shows.
TRY = """
import leakage
from importlib.resources import files
from leakage.notebook import recorded
from leakage.audits.page import to_html
root = files("leakage")
names = [p.name.removesuffix(".csv") for p in root.joinpath("notebook", "records").iterdir()]
assert names and all(len(recorded(name)[0]) for name in names), names
assert '"$schema"' in root.joinpath("audits", "report.schema.json").read_text()
images = leakage.load_images(count=40).images
cipher = leakage.get_scheme("bitplane", bits=3).encrypt(images, bytes(range(16)))
assert 4.5 < leakage.pixel_mi(images, cipher, permutations=0).bits < 5
print(leakage.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a wheel and a source distribution, built of a clean export of the tree."""
    folder = tmp_path_factory.mktemp("distribution")
    source = folder / "source"
    for name in (*PACKAGE, "pyproject.toml", "README.md", "LICENSE"):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    # Without isolation nothing is downloaded.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert project["version"] == leakage.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf8")
    assert f"version: {leakage.__version__}\n" in citation.replace('"', "")


def test_the_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    assert sorted(names) == PACKAGE
    assert any(n.endswith(".csv") for n in names)
    assert any(n.endswith(".json") for n in names)


def test_the_source_distribution_holds_the_package(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {*PACKAGE, "pyproject.toml", "README.md", "LICENSE"}


def test_it_works_without_the_source_tree(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", target, wheel], check=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "-c", TRY], capture_output=True, text=True, timeout=120,
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(target)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(target / "leakage" / "__init__.py")
