"""The worked examples of CONTRIBUTING.md, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
# A block, and the name of a file where the line before it is nothing but that.
BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)
COPIED = ("book", "leakage", "notebooks", "scripts", "tests", "pyproject.toml", "_toc.yml")
A_PAGE = 110  # lines


def examples() -> dict[str, str]:
    """Each example by its heading."""
    part = GUIDE.split("## Adding to it, by example\n")[1]
    _, *parts = re.split(r"^### ", part, flags=re.M)
    return {title: text for title, _, text in (p.partition("\n") for p in parts)}


@pytest.fixture
def tree(tmp_path):
    """What the examples touch, and what its tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def follow(text: str, tree: Path) -> list[str]:
    """Do what an example says; the kinds of its steps."""
    tools = Path(sys.executable).parent
    env = os.environ | {"PYTHONPATH": str(tree), "PATH": f"{tools}:{os.environ['PATH']}"}
    kinds = []
    for block in BLOCK.finditer(text):
        file, kind, body = block["file"], block["kind"], block["body"]
        kinds.append(kind)
        if file:
            assert not (tree / file).exists(), f"{file} is there already: choose another example"
            (tree / file).write_text(body, encoding="utf8")
            continue
        command = {
            "diff": ["git", "apply", "-"],
            "sh": ["bash", "-euo", "pipefail", "-s"],
        }[kind]
        done = subprocess.run(
            command, cwd=tree, env=env, input=body, text=True, timeout=300, capture_output=True
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
    return kinds


def test_the_three_examples_are_there():
    assert list(examples()) == ["A scheme", "An estimator", "A chapter"]


@pytest.mark.parametrize("title", examples())
def test_example(title, tree):
    text = examples()[title]
    assert len(text.splitlines()) <= A_PAGE, "longer than a page"
    kinds = follow(text, tree)
    assert {"python", "diff", "sh"} <= set(kinds)


def test_a_step_that_fails_is_noticed(tree):
    with pytest.raises(AssertionError, match="no_such_module"):
        follow("```sh\npython -c 'import no_such_module'\n```\n", tree)
    with pytest.raises(AssertionError, match="patch does not apply"):
        follow(
            "```diff\n--- a/_toc.yml\n+++ b/_toc.yml\n@@ -1,1 +1,2 @@\n nonsense\n+x\n```\n", tree
        )
