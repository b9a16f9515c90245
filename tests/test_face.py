"""The face of the package: quick to import, nothing heavy before its use, a name for each thing."""

import ast
import importlib.metadata
import os
import pkgutil
import statistics
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

import leakage
from leakage.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
STUB = ast.parse((ROOT / "leakage" / "__init__.pyi").read_text(encoding="utf8"))
HEAVY = {"torch", "jpeglib", "PIL", "Crypto", "pandas", "scipy", "matplotlib", "numpy"}
MODULES = [module.name for module in pkgutil.walk_packages(leakage.__path__, "leakage.")]
COUNTING = [
    "leakage.estimators.counting",
    "leakage.estimators.corrections",
    *(name for name in MODULES if name.startswith("leakage.evidence")),
]
#: Processor time above that of bare Python, in seconds, and memory in MB.
SECONDS, MEGABYTES = 0.15, 60
#: Processor time of a help text, in seconds.
HELP_SECONDS = 0.4


def python(*arguments: str) -> subprocess.CompletedProcess:
    """A Python that finds this package before any that is installed."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True,
        check=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


#: A small process that starts Python ten times: a child counts the memory of who started it as its
#: own, and this test's is large.
LAUNCHER = """
import json, os, subprocess, sys
for _ in range(10):
    child = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def cost(*arguments: str) -> tuple[float, float]:
    """Processor time in seconds and largest memory in MB of a Python, the medians of ten."""
    python(*arguments)  # compiles what is not compiled yet
    runs = [line.split() for line in python("-c", LAUNCHER, *arguments).stdout.splitlines()]
    assert len(runs) == 10
    seconds, megabytes = (
        statistics.median(map(float, column)) for column in zip(*runs, strict=True)
    )
    return seconds, megabytes


def loaded(code: str) -> set[str]:
    """Which of the heavy libraries some code loads."""
    found = python("-c", f"{code}\nimport sys\nprint(*sys.modules)").stdout.split()
    return HEAVY & set(found)


def test_import_loads_nothing_heavy():
    assert loaded("import leakage") == set()


@pytest.mark.parametrize("module", COUNTING)
def test_counting_and_evidence_need_no_networks_and_open_no_files(module):
    assert not loaded(f"import {module}") & {"torch", "jpeglib", "PIL", "Crypto"}


def test_import_is_quick_and_small():
    bare, package = cost("-c", "pass"), cost("-c", "import leakage")
    assert package[0] - bare[0] <= SECONDS
    assert package[1] - bare[1] <= MEGABYTES


@pytest.mark.parametrize(
    "command", ["--help", "audit --help", "study --help", "board --help", "--version"]
)
def test_the_shell_answers_at_once(command):
    assert cost("-m", "leakage", *command.split())[0] <= HELP_SECONDS
    code = f"import sys\nsys.argv[1:] = {command.split()}\nfrom leakage.__main__ import main\n"
    assert loaded(f"{code}try:\n    main()\nexcept SystemExit:\n    pass") == set()


def test_version():
    version = PROJECT["project"]["version"]
    assert leakage.__version__ == version
    assert python("-m", "leakage", "--version").stdout == f"leakage {version}\n"


def test_the_program_is_the_module():
    assert PROJECT["project"]["scripts"] == {"leakage": "leakage.__main__:main"}
    (program,) = importlib.metadata.entry_points(group="console_scripts", name="leakage")
    assert program.load() is main


def test_help_shows_both_spellings(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: leakage ")
    assert "    leakage audit PLAIN" in shown
    assert "    python -m leakage audit PLAIN" in shown
    with pytest.raises(SystemExit, match="0"):
        main(["audit", "--help"])
    assert capsys.readouterr().out.startswith("usage: leakage audit ")


def test_every_public_name_is_there():
    assert len(set(leakage.__all__)) == len(leakage.__all__)
    assert all(getattr(leakage, name) is not None for name in leakage.__all__)
    assert {*leakage.__all__} - {"__version__"} <= set(dir(leakage))


def test_the_stub_says_what_it_imports():
    imported = [
        alias.asname or alias.name
        for node in STUB.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    (listed,) = (node.value for node in STUB.body if isinstance(node, ast.Assign))
    names = ast.literal_eval(listed)
    assert sorted([*imported, "__version__"]) == sorted(names) == sorted(leakage.__all__)
    assert names == sorted(names)


def test_rooms_are_reachable_without_a_further_import():
    rooms = [module.name for module in pkgutil.iter_modules(leakage.__path__) if module.ispkg]
    assert len(rooms) >= 11
    python("-c", f"import leakage\nfor room in {rooms}:\n    getattr(leakage, room).__path__")


def test_no_module_has_the_name_of_a_public_function():
    """Else `leakage.NAME` would be one or the other, as the order of imports falls."""
    rooms = [leakage, leakage.metrics, leakage.attacks]
    public = {
        name
        for room in rooms
        for name in room.__all__
        if callable(getattr(room, name))
    }  # fmt: skip
    assert not {module.rpartition(".")[2] for module in MODULES} & public


def test_types_are_installed_with_the_package():
    assert files("leakage").joinpath("py.typed").is_file()
    data = PROJECT["tool"]["setuptools"]["package-data"]["leakage"]
    assert {"py.typed", "__init__.pyi"} <= set(data)
