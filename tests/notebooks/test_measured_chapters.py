"""The script that measures chapters, and what it recorded."""

import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest

from leakage.notebook import recorded

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import measure_chapters  # noqa: E402
from check_book import pages_of_toc  # noqa: E402

MEBIBYTES = 300


@pytest.fixture
def hungry(tmp_path):
    """A notebook that holds memory and takes processor time, as its parameter asks."""
    parameters = nbformat.v4.new_code_cell("mib: int = 1", metadata={"tags": ["parameters"]})
    eats = nbformat.v4.new_code_cell(
        "import time\nheld = bytearray(mib * 2**20)\nend = time.process_time() + 1\n"
        "while time.process_time() < end: pass"
    )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "hungry.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[parameters, eats], metadata={"kernelspec": kernel}), path
    )
    return path


def test_memory_and_time_are_those_of_the_kernel(hungry):
    little, much = (measure_chapters.measure(hungry, {"mib": m}) for m in (1, MEBIBYTES))
    assert much["peak_mib"] - little["peak_mib"] == pytest.approx(MEBIBYTES - 1, rel=0.1)
    assert 1 <= much["cpu_seconds"] < 10
    assert much["seconds"] > 1


def test_a_chapter_that_needs_more_than_the_limit_fails(hungry):
    with pytest.raises(RuntimeError, match=r"hungry\.ipynb holds more than 250 MiB"):
        measure_chapters.measure(hungry, {"mib": MEBIBYTES}, limit=250)


def test_shared_pages_count_once():
    """Two processes that hold one array together hold it once."""
    held = np.ones(MEBIBYTES * 2**17)
    mine = psutil.Process()
    alone, _ = measure_chapters.memory_and_time([mine])
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    try:
        together, _ = measure_chapters.memory_and_time([mine, psutil.Process(child)])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert together < alone + held.nbytes / 2**20 / 2


def test_unknown_chapters_are_named(capsys):
    with pytest.raises(SystemExit):
        measure_chapters.main(["explorer", "nonsense"])
    assert "no chapter nonsense; there are encryption" in capsys.readouterr().err


def test_every_chapter_is_recorded_below_the_limits():
    rows = recorded("chapters")[0]
    chapters = {Path(page).name for page in pages_of_toc() if page.startswith("notebooks/")}
    assert set(rows["chapter"]) == chapters, "run `make measure`"
    assert rows["peak_mib"].max() < 2048
    assert rows["cpu_seconds"].sum() < 40 * 60  # 20 minutes of two cores
