"""The table of speeds that README.md shows is the recorded one."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_table_of_speeds_is_the_recorded_one():
    # in a process of its own, for benchmarks set the number of threads
    code = (
        "import speed; text = speed.README.read_text('utf8'); "
        "assert speed.with_table(text, '\\n'.join(speed.table(speed.read(speed.RECORDED)))) == text"
    )
    subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, check=True)


def test_every_benchmark_is_listed():
    listed = (BENCHMARKS / "README.md").read_text("utf8")
    for path in BENCHMARKS.glob("*.py"):
        assert path.name == "provenance.py" or f"`python benchmarks/{path.name}" in listed
