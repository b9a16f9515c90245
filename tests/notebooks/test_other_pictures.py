"""Every chapter on pictures unlike photographs: it runs without a word on stderr, or refuses."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.inspection import _infer_parameters
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from PIL import Image

from leakage.notebook.own_book import look_at, parameters

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OVERRIDES = yaml.safe_load((ROOT / "tests" / "overrides.yaml").read_text(encoding="utf8"))
#: Chapters that are about something else than the pictures that a reader gives.
WITHOUT_PICTURES = {"ground-truth", "estimators"}
#: Chapters that have something to say of three pictures of one value each.
OF_FLAT_ONES = {"audit", "classical-metrics", "encryption", "schemes"}


@pytest.fixture(scope="module", params=["flat", "noise"])
def pictures(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    rng = np.random.default_rng(0)
    drawn = {
        "flat": [np.full((128, 128), value, np.uint8) for value in (40, 128, 200)],
        "noise": [rng.integers(0, 256, (64, 64), dtype=np.uint8) for _ in range(40)],
    }[request.param]
    for number, picture in enumerate(drawn):
        Image.fromarray(picture).save(folder / f"{number:02}.png")
    return request.param, look_at(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings(  # papermill's nbclient, since Python 3.12
    r"ignore:datetime\.datetime\.utcnow:DeprecationWarning:nbclient"
)
@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem not in WITHOUT_PICTURES], ids=lambda path: path.stem
)
def test_runs_or_refuses_in_plain_words(path, pictures, tmp_path):
    kind, found = pictures
    notebook = load_notebook_node(str(path))
    defaults = {p.name: ast.literal_eval(p.default) for p in _infer_parameters(notebook)}
    small = OVERRIDES[path.stem]
    given = parameterize_notebook(notebook, small | parameters(defaults | small, found))
    client = NotebookClient(given, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    if kind == "flat" and path.stem not in OF_FLAT_ONES:
        with pytest.raises(CellExecutionError) as refusal:
            client.execute()
        assert refusal.value.ename == "ParameterError"
        assert len(refusal.value.evalue) < 300
        return
    client.execute()
    outputs = [o for cell in nbformat.from_dict(given).cells for o in cell.get("outputs", [])]
    assert not [o.text for o in outputs if o.get("name") == "stderr"]
