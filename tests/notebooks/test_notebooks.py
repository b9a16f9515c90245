"""The notebooks as committed: clean, with parameters that explain themselves, runnable anywhere."""

import ast
import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from papermill.exceptions import PapermillExecutionError

from leakage.notebook.parameters import ParameterError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import bootstrap  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OVERRIDES = yaml.safe_load((ROOT / "tests" / "overrides.yaml").read_text(encoding="utf8"))
PARAMETER = re.compile(r"(?P<name>\w+): (?P<type>\w+(\[\w+\])?) = (?P<value>[^=|]+?)  # [^=|]+")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def python(cell):
    """A cell's source with magics turned into calls."""
    return TransformerManager().transform_cell(cell.source)


def split(notebook):
    """The code cells before the parameters, the parameters cell, its check, and the rest."""
    code = [c for c in notebook.cells if c.cell_type == "code"]
    tagged = [i for i, c in enumerate(code) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1, f"{len(tagged)} cells tagged `parameters`"
    i = tagged[0]
    assert "check_parameters(" in code[i + 1].source, "no check right after the parameters"
    return code[:i], code[i], code[i + 1], code[i + 2 :]


def declared(cell):
    """Name and default value of every parameter."""
    lines = [PARAMETER.fullmatch(line) for line in cell.source.splitlines()]
    assert None not in lines, "each line must read `name: type = literal  # help`, without | or ="
    return {m["name"]: ast.literal_eval(m["value"]) for m in lines}


def run(path, tmp_path, parameters):
    """Run a notebook as a user would from a folder of their own, with nothing in it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    return papermill.execute_notebook(
        path,
        tmp_path / "out.ipynb",
        parameters=parameters,
        cwd=empty,
        progress_bar=False,
        execution_timeout=300,
    )


def test_there_are_notebooks_and_overrides_for_each():
    assert NOTEBOOKS
    assert sorted(OVERRIDES) == [path.stem for path in NOTEBOOKS]


@each
def test_committed_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [c.id for c in notebook.cells]
    assert len(ids) == len(set(ids))
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert not [c.id for c in code if c.outputs or c.execution_count is not None]


@each
def test_first_cell_installs_the_package(path):
    first, *others = [c for c in read(path).cells if c.cell_type == "code"]
    address = re.search(r'"LEAKAGE_SOURCE", "(.*)"', first.source)[1]
    assert address == "" or re.fullmatch(
        r"leakage\[scale\] @ git\+https://[\w./-]+@[\w./-]+", address
    )
    assert first.source == bootstrap.cell_source(address)
    assert first.metadata.tags == bootstrap.TAGS
    assert not [c.id for c in others if "%pip" in c.source]


def test_all_notebooks_install_the_same():
    sources = {next(c for c in read(p).cells if c.cell_type == "code").source for p in NOTEBOOKS}
    assert len(sources) == 1


@each
def test_parameters_cell(path):
    _, cell, _, _ = split(read(path))
    parameters = declared(cell)
    assert 1 <= len(parameters) <= 8
    inspected = papermill.inspect_notebook(str(path))
    assert sorted(inspected) == sorted(parameters)
    assert all(p["help"] and p["inferred_type_name"] != "None" for p in inspected.values())
    assert set(OVERRIDES[path.stem]) <= set(inspected), "overrides of unknown parameters"


@each
def test_every_parameter_is_used(path):
    _, cell, _, rest = split(read(path))
    nodes = [node for c in rest for node in ast.walk(ast.parse(python(c)))]
    used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    assert set(declared(cell)) <= used


@each
def test_bad_values_are_refused(path):
    before, cell, check, _ = split(read(path))
    namespace = {"__name__": "__main__"}
    for c in (*before, cell):
        exec(python(c), namespace)
    exec(python(check), dict(namespace))
    for name, default in declared(cell).items():
        number = isinstance(default, int | float) and not isinstance(default, bool)
        for bad in [{"wrong": "type"}, *([type(default)(-1e9)] if number else [])]:
            with pytest.raises(ParameterError, match=name) as caught:
                exec(python(check), namespace | {name: bad})
            assert len(str(caught.value)) < 500


# Papermill's nbclient 0.11 calls datetime.utcnow, deprecated since Python 3.12.
PAPERMILL = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:nbclient"
)


@PAPERMILL
@each
def test_an_unknown_parameter_is_refused(path, tmp_path):
    with pytest.raises(PapermillExecutionError) as caught:
        run(path, tmp_path, {"nonsense": 1})
    error = caught.value
    assert error.ename == "ParameterError"
    assert "nonsense" in error.evalue
    assert len(error.evalue) < 500
    assert "check_parameters(" in error.source, "the run went on past the check"


@PAPERMILL
@each
def test_runs_in_an_empty_folder(path, tmp_path):
    done = run(path, tmp_path, OVERRIDES[path.stem])
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
