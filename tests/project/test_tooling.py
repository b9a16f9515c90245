"""What developers run: hooks as in `make lint`, minimums that Colab meets, a changelog."""

import re
import shlex
import subprocess
import sys
import tomllib
from glob import glob
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "pyproject.toml").exists())
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf8").replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINTERS = {
    *("check-jsonschema", "import-linter", "mypy", "nbstripout", "numpydoc", "pre-commit", "ruff"),
    "zizmor",
}


def recipe(target):
    """The commands of a target, one a line, as make would run them with its defaults."""
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()]


def minimum(specifier):
    """The version after >=, and nothing where a requirement has none."""
    return [s.version for s in specifier if s.operator == ">="]


def hooks():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf8")
    return [hook for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]]


def command_of(hook, files):
    """What a hook runs when everything has changed, as one list of words."""
    words = shlex.split(hook["entry"])
    if hook.get("pass_filenames", True):
        words += [name for name in files if re.search(hook["files"], name)]
    return words


def expanded(line):
    """The words of a command of make, with the files that its patterns stand for."""
    words = []
    for word in shlex.split(line):
        found = glob(word, root_dir=ROOT) if "*" in word else [word]
        assert found, f"no file is like {word}"
        words += found
    return words


def test_hooks_are_the_commands_of_make_lint():
    files = [
        path.relative_to(ROOT).as_posix()
        for folder in ("leakage", "notebooks", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}
    ]
    hooked = sorted(sorted(command_of(hook, files)) for hook in hooks())
    assert hooked == sorted(sorted(expanded(line)) for line in recipe("lint"))


def test_hooks_fetch_nothing_and_are_valid():
    assert {hook["language"] for hook in hooks()} == {"system"}
    tool = Path(sys.executable).with_name("pre-commit")
    done = subprocess.run(
        [tool, "validate-config"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_linters_are_pinned():
    """A new release of a linter brings new rules, and they would fail what passed yesterday."""
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text("utf8"), re.M))
    asked = {Requirement(text).name for text in EXTRAS["test"]}
    assert not LINTERS - (pinned & asked)


def test_tests_that_are_left_out_exist():
    """pytest says nothing about an ignored file that is not there, for instance when renamed."""
    (without,) = re.findall(r"^WITHOUT_BOOK := (.*)", MAKEFILE, re.M)
    files = re.search(r"test_%\.py',([\w ]+)\)", without)[1].split()
    assert len(files) > 5
    for name in files:
        assert len([*ROOT.glob(f"tests/**/test_{name}.py")]) == 1, name
    skipped = re.search(r"not (test_\w+)", without)[1]
    found = [p.name for p in ROOT.glob("tests/**/*.py") if f"def {skipped}(" in p.read_text("utf8")]
    assert len(found) == 1, found


@pytest.mark.parametrize("target", ["coverage", "minimum"])
def test_package_is_tested_alike(target):
    (tests,) = (line for line in recipe(target) if " pytest " in line)
    assert 'pytest leakage tests $(WITHOUT_BOOK) -m "not slow"' in tests


def test_every_minimum_is_told_and_is_one():
    """`make minimum` tries what is told; a second, lower one in another extra would go untried."""
    told = {}
    for text in [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]:
        requirement = Requirement(text)
        (lowest,) = minimum(requirement.specifier)
        assert told.setdefault(requirement.name, lowest) == lowest, requirement.name


def test_colab_is_recent_enough():
    """A session there must keep its libraries: what an upgrade would break is imported already."""
    (session,) = ROOT.glob("tests/**/colab.txt")
    pins = dict(re.findall(r"^([\w-]+)={2,3}(\S+)$", session.read_text("utf8"), re.M))
    asked = [Requirement(text) for text in [*PROJECT["dependencies"], *EXTRAS["scale"]]]
    assert {"numpy", "torch", "pandas", "ipywidgets", "dask"} <= {r.name for r in asked} & {*pins}
    for requirement in asked:
        if requirement.name in pins:
            assert pins[requirement.name] in requirement.specifier, requirement.name


def test_binder_has_the_same_minimums():
    all_asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]]
    asked = {r.name: r.specifier for r in map(Requirement, all_asked)}
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf8"))["dependencies"]
    told = [text for text in conda if isinstance(text, str) and ">=" in text]
    assert len(told) >= 2
    for text in told:
        requirement = Requirement(text.replace("pytorch-cpu", "torch").partition("#")[0])
        (lowest,) = minimum(requirement.specifier)
        assert lowest in asked[requirement.name], f"older than pyproject.toml admits: {text}"


def test_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (?:\d{4}-\d\d-\d\d|unreleased)$", text, re.M)
    assert PROJECT["version"] in versions
    assert len(versions) == len(re.findall("^## ", text, re.M)), "a heading of another form"
    kinds = set(re.findall(r"^### (.*)$", text, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
