"""Lines of each room of the package that its tests run, from the data of `make coverage`.

    python scripts/record_coverage.py [FILE]

FILE: leakage/notebook/records/coverage.csv unless given, which the status page shows.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from provenance import stamp

RECORD = Path("leakage/notebook/records/coverage.csv")


def by_room(files: dict[str, dict]) -> list[tuple[str, int, int]]:
    """Room, lines, and lines run, of coverage's report; files at the top are one room."""
    lines: Counter[str] = Counter()
    run: Counter[str] = Counter()
    for name, found in files.items():
        _, *folders, _ = Path(name).parts
        room = folders[0] if folders else "(top)"
        lines[room] += found["summary"]["num_statements"]
        run[room] += found["summary"]["covered_lines"]
    return [(room, lines[room], run[room]) for room in sorted(lines)]


def main() -> None:
    file = Path(sys.argv[1]) if sys.argv[1:] else RECORD
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
        subprocess.run(command, check=True)
        rows = by_room(json.loads(report.read_text("utf8"))["files"])
    with file.open("w", newline="", encoding="utf8") as stream:
        stream.write(stamp("scripts/record_coverage.py", ["coverage", "pytest"]))
        writer = csv.writer(stream)
        writer.writerow(["room", "lines", "run"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
