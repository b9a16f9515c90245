"""The house: no file and no function too long to read, rooms where the tests expect them."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import leakage

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "leakage").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 420, 60  # lines
#: Tests that are not of the package: of the chapters, the built book, and the project's papers.
NOT_OF_THE_PACKAGE = {"book", "notebooks", "project"}


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its first statement on, its docstring left out."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_is_too_long_to_read(path):
    text = path.read_text(encoding="utf8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = {f.name: body_lines(f) for f in functions if body_lines(f) > LONGEST_FUNCTION}
    assert not long


def test_a_long_function_is_noticed():
    text = "def f():\n    '''Doc.\n\n    More.\n    '''\n" + "    x = 1\n" * 61
    (function,) = ast.parse(text).body
    assert body_lines(function) == 61


def test_rooms_of_tests_mirror_those_of_the_package():
    rooms = {path.parent.name for path in (ROOT / "leakage").glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert tested - NOT_OF_THE_PACKAGE == rooms


def test_every_module_imports_by_itself():
    """Also those that nothing else imports: a rename would break them in silence."""
    for found in pkgutil.walk_packages(leakage.__path__, "leakage."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
