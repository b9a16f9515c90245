"""The workflows: linted, asking for nothing that the Makefile lacks, closed to jupyter-book 2."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent

each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf8"))


def steps(path):
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def lint(*arguments):
    """A linter's exit code and what it says."""
    tool, *rest = map(str, arguments)
    done = subprocess.run(
        [TOOLS / tool, *rest], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    return done.returncode, done.stdout + done.stderr


def lint_workflow(path):
    config = GITHUB / "zizmor.yml"
    zizmor = lint("zizmor", "--offline", "--no-progress", "--config", config, path)
    schema = lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    return [text for code, text in (zizmor, schema) if code]


def test_the_workflows_are_there():
    assert [path.stem for path in WORKFLOWS] == ["publish", "release", "tests", "weekly"]


@each
def test_lint(path):
    assert lint_workflow(path) == []


def test_dependabot_lint():
    file = GITHUB / "dependabot.yml"
    for command in (
        ("zizmor", "--offline", "--no-progress", file),
        ("check-jsonschema", "--builtin-schema", "vendor.dependabot", file),
    ):
        code, text = lint(*command)
        assert code == 0, text


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("runs-on:", "run-on:", "run-on"),
        ("persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("- run: make test\n", "- run: echo ${{ github.head_ref }}\n", "template-injection"),
    ],
)
def test_the_linters_see_mistakes(good, bad, complaint, tmp_path):
    text = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf8")
    assert good in text
    broken = tmp_path / ".github" / "workflows" / "broken.yml"
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace(good, bad), encoding="utf8")
    assert complaint in "\n".join(lint_workflow(broken))


@each
def test_make_knows_the_targets(path):
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf8"), re.M)
    made = [re.findall(r"^make (.+)$", step.get("run", ""), re.M) for step in steps(path)]
    targets = {target for lines in made for line in lines for target in line.split()}
    assert targets
    assert targets <= set(rules)


@each
def test_only_what_is_asked_for_may_be_written(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert isinstance(job.get("permissions", {}), dict), "not write-all"
        assert job["timeout-minutes"] <= 180


def test_the_linkchecker_blocks_nothing():
    (links,) = [s for s in steps(GITHUB / "workflows" / "weekly.yml") if s.get("name") == "links"]
    assert links["continue-on-error"] is True


def test_jupyter_book_2_stays_out():
    updates = read(GITHUB / "dependabot.yml")["updates"]
    (pip,) = [u for u in updates if u["package-ecosystem"] == "pip"]
    (ignored,) = [i for i in pip["ignore"] if i["dependency-name"] == "jupyter-book"]
    refused = SpecifierSet(",".join(ignored["versions"]))
    assert "2.0.0" in refused
    assert "2.1.4" in refused
    assert "1.0.5" not in refused
