"""The workflows: linted, asking for nothing that the Makefile lacks, closed to jupyter-book 2.

And what installs and runs code cannot write, while what can write runs none of ours.
"""

import copy
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
# All that a job which may write needs: it moves what another job made, and asks the host.
MOVERS = {"actions/download-artifact", "actions/deploy-pages"}
ASKING = re.compile(r'gh (release|issue) (create|list) .*|test .*|\w+=("[^"]*")?')

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


def risks(workflow):
    """Where code that a job installs or runs could write to the repository, pages or releases."""
    found = []
    default = workflow["permissions"]
    for name, job in workflow["jobs"].items():
        if not {"write", "write-all"} & {*job.get("permissions", default).values()}:
            continue
        for step in job["steps"]:
            action = step.get("uses", "").partition("@")[0]
            if action and action not in MOVERS:
                found.append(f"{name} may write, and uses {action}")
            for part in re.split(r"\n|[&|;`]|\$\(", step.get("run", "")):
                if part.strip() and not ASKING.fullmatch(part.strip()):
                    found.append(f"{name} may write, and runs {part.strip()}")
    return found


@each
def test_what_may_write_runs_no_code_of_ours(path):
    assert risks(read(path)) == []


@pytest.mark.parametrize(
    ("job", "change", "complaint"),
    [
        ("publish", {"uses": "actions/checkout@v6"}, "uses actions/checkout"),
        ("publish", {"uses": "actions/setup-python@v6"}, "uses actions/setup-python"),
        ("publish", {"run": "make dist"}, "runs make dist"),
        ("publish", {"run": "test -d dist && python -m build"}, "runs python -m build"),
        ("publish", {"run": "version=$(pip download twine)"}, "runs pip download"),
        ("publish", {"run": "PYTHONPATH=dist python -m leakage"}, "runs PYTHONPATH=dist python"),
        ("build", None, "build may write, and uses actions/checkout"),
    ],
)
def test_a_release_that_could_be_tampered_with_is_noticed(job, change, complaint):
    workflow = copy.deepcopy(read(GITHUB / "workflows" / "release.yml"))
    if change:
        workflow["jobs"][job]["steps"].append(change)
    else:
        workflow["jobs"][job]["permissions"] = {"contents": "write"}
    assert any(complaint in risk for risk in risks(workflow))


def test_a_release_is_what_was_tested():
    build, publish = read(GITHUB / "workflows" / "release.yml")["jobs"].values()
    assert "permissions" not in build
    assert publish["permissions"] == {"contents": "write"}
    assert publish["needs"] == "build"
    (made,) = [s for s in build["steps"] if s.get("run", "").startswith("make")]
    assert made["run"] == "make test dist"
    (up,) = [s["with"] for s in build["steps"] if "upload-artifact" in s.get("uses", "")]
    (down,) = [s["with"] for s in publish["steps"] if "uses" in s]
    assert (down["name"], down["path"]) == (up["name"], up["path"]) == ("dist", "dist")
    assert up["if-no-files-found"] == "error"


def test_a_release_installs_what_the_constraints_say():
    """In the environments that pip makes to build in too, whatever its version."""
    env = read(GITHUB / "workflows" / "release.yml")["jobs"]["build"]["env"]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf8")
    for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
        assert env[name] == "${{ github.workspace }}/constraints.txt"
    for tool in ("build", "setuptools"):
        assert re.search(rf"^{tool}==", constraints, re.M), f"what builds is not pinned: {tool}"


def test_every_weekly_failure_is_reported():
    jobs = read(GITHUB / "workflows" / "weekly.yml")["jobs"]
    assert {*jobs["report"]["needs"]} == {*jobs} - {"report"}
    assert jobs["report"]["if"] == "failure()"


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
