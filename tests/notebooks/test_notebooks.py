"""The notebooks as committed: clean, with parameters that explain themselves, runnable anywhere."""

import ast
import re
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from pybtex.database import parse_file

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


def again(path, parameters):
    """The code cells of a run with these parameters, as papermill makes them."""
    given = parameterize_notebook(load_notebook_node(str(path)), parameters)
    return [c for c in given.cells if c.cell_type == "code"]


def refused(cells):
    """Cells up to the check, which alone may fail."""
    end = next(
        i for i, c in enumerate(cells) if "check_parameters(" in c.source and "globals" in c.source
    )
    cells = deepcopy(cells[: end + 1])
    cells[-1].metadata["tags"] = ["raises-exception"]
    return cells


def text(output):
    """The Markdown that an output shows, None if it is of another kind."""
    return output.get("data", {}).get("text/markdown")


@PAPERMILL
@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=pytest.mark.xdist_group(p.stem)) for p in NOTEBOOKS],
)
def test_runs_twice_in_one_kernel_and_refuses_a_wrong_parameter_twice(path, tmp_path):
    """From an empty folder; what it says is there, with its numbers, when it is shown as HTML."""
    notebook, parameters = read(path), OVERRIDES[path.stem]
    once, wrong = again(path, parameters), refused(again(path, {"nonsense": 1}))
    cells = [deepcopy(cell) for cell in (*once, *once, *wrong, *wrong)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    whole = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    NotebookClient(whole, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in whole.cells for output in cell.get("outputs", [])]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
    errors = [o for o in outputs if o.output_type == "error"]
    assert [e.ename for e in errors] == ["ParameterError"] * 2
    assert all("nonsense: unknown parameter" in e.evalue and len(e.evalue) < 500 for e in errors)
    assert not list(tmp_path.iterdir()), "left something behind"
    first, second = whole.cells[: len(once)], whole.cells[len(once) : 2 * len(once)]
    said = [[text(o) for cell in half for o in cell.outputs if text(o)] for half in (first, second)]
    assert said[0], "says nothing"
    assert said[0] == said[1]
    shown = BeautifulSoup(HTMLExporter().from_notebook_node(whole)[0], "html.parser").get_text()
    for sentences in said[0]:
        words = re.sub(r"\$[^$]*\$|\]\([^)]*\)|<[^>]*>", " ", sentences)
        assert not [n for n in re.findall(r"\d+\.\d+", words) if n not in shown]


ROLES_AND_DIRECTIVES = re.compile(
    r"\{[a-z][a-z:]*\}`|`{3,}\s*\{|^:{3,}|^\([\w-]+\)=$|\[\]\(", re.MULTILINE
)


@each
def test_no_markup_that_only_the_book_knows(path):
    assert not [c.source for c in read(path).cells if ROLES_AND_DIRECTIVES.search(c.source)]


@each
def test_ends_with_what_was_checked(path):
    assert read(path).cells[-1].source == "say_claims()"


@each
def test_what_cells_say_is_folded(path):
    """Sentences show, the cell that makes them does not: in the book, and in JupyterLab."""
    for cell in read(path).cells:
        if cell.cell_type == "code" and re.match(r"say(_claims)?\(", cell.source):
            assert "remove-input" in cell.metadata.get("tags", []), cell.source
            assert cell.metadata.jupyter.source_hidden


def publications():
    bibliography = parse_file(str(ROOT / "book" / "references.bib"))
    for entry in bibliography.entries.values():
        fields = entry.fields
        if "doi" in fields:
            yield entry, f"https://doi.org/{fields['doi']}"
        if "eprint" in fields:
            yield entry, f"https://arxiv.org/abs/{fields['eprint']}"
        if "url" in fields:
            yield entry, fields["url"]


@each
def test_citations_are_in_the_bibliography(path):
    """A link whose text ends in a year is one; it leads where the bibliography leads."""
    years = {}
    for entry, address in publications():
        years.setdefault(address, set()).add(entry.fields["year"])
    links = re.findall(
        r"\[([^\]]*\b(\d{4})\)?)\]\((https?://[^\s]+?)\)(?=[\s;,.):]|$)",
        "\n".join(c.source for c in read(path).cells),
        re.MULTILINE,
    )
    assert not [link for link in links if link[1] not in years.get(link[2], set())]
