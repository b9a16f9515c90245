"""What the chapters import is there, and what a chapter needs most is in `leakage.notebook`."""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import leakage.notebook

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def imports_of(chapter: Path) -> list[tuple[str, str]]:
    """Module and name of every ``from leakage... import name`` of a notebook."""
    cells = nbformat.read(chapter, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    plain = "\n".join(TransformerManager().transform_cell(source) for source in code)
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(plain))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leakage")
        for alias in node.names
    ]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_chapter_imports_is_there(chapter):
    found = imports_of(chapter)
    assert ("leakage.notebook", "check_parameters") in found
    for module, name in found:
        there = hasattr(import_module(module), name) or find_spec(f"{module}.{name}")
        assert there, f"{module} has no {name}"
        if module == "leakage.notebook":
            assert name in leakage.notebook.__all__ or find_spec(f"{module}.{name}")
