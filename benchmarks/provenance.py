"""Recorded results: their first line, with versions, command and date, and their rows."""

import csv
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import leakage


def stamp(script: str, packages: list[str]) -> str:
    """The first line of a record; a script without a folder is one of benchmarks."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    path = script if "/" in script else f"benchmarks/{script}"
    return (
        f"# leakage {leakage.__version__}, Python {platform.python_version()}, {', '.join(found)}; "
        f"python {path}; {time.strftime('%Y-%m-%d')}\n"
    )


def recorded_rows(path: Path) -> list[list[str]]:
    """Rows of a recorded result without its header, none where nothing was recorded."""
    if not path.is_file():
        return []
    with path.open(encoding="utf8") as file:
        return list(csv.reader(file))[2:]
