"""The first code cell of every notebook: installs the package where it is missing, as in Colab.

`python scripts/bootstrap.py` writes the cell into all notebooks, new ones too. With `--publish` it
holds the address of the repository that they are published from: $BOOK_REPO_URL, GitHub Actions'
variables, or git's remote `origin`. Whoever publishes a fork runs that once and commits. Until then
the book has no Colab button.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from book_repo import find_repo  # noqa: E402

# Not editable, which would need a restart of the kernel. $LEAKAGE_SOURCE is for what is not yet
# published, a folder for instance: "leakage[scale] @ file:///FOLDER".
TEMPLATE = """\
# Installs the package where it is missing, as in Colab.
import importlib.util
import os
from pathlib import Path

_found = importlib.util.find_spec("leakage")
if _found is None or _found.origin is None:  # a folder is no package
    _clone = Path("leakage").resolve()
    _source = os.environ.get("LEAKAGE_SOURCE", "ADDRESS")
    if not _source and (_clone / "pyproject.toml").exists():
        _source = f"leakage[scale] @ {_clone.as_uri()}"
    if not _source:
        raise ModuleNotFoundError(
            "leakage is not installed, and this copy of the book "
            "does not say from where: install its repository by "
            "`pip install FOLDER-OR-ADDRESS`, then restart the kernel"
        )
    %pip install -q "{_source}"
    importlib.invalidate_caches()"""
TAGS = ["remove-cell"]


def cell_source(address: str = "") -> str:
    """The cell, for a package that pip installs from `address`."""
    return TEMPLATE.replace("ADDRESS", address)


def pip_address(url: str | None, branch: str | None) -> str:
    """What pip installs a repository by, with all that chapters need; empty where there is none."""
    return f"leakage[scale] @ git+{url}@{branch}" if url else ""


def write_cell(path: Path, source: str) -> None:
    """Make `source` the first code cell of a notebook, in place of the one that it may have."""
    notebook = nbformat.read(path, as_version=4)
    first = next(i for i, c in enumerate(notebook.cells) if c.cell_type == "code")
    if notebook.cells[first].id != "bootstrap":
        notebook.cells.insert(first, nbformat.v4.new_code_cell(id="bootstrap"))
    notebook.cells[first].update(source=source, metadata={"tags": TAGS})
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def known_address(paths: list[Path]) -> str:
    """The address that the notebooks hold already; empty if they hold none, or several."""
    held = re.compile(r'"LEAKAGE_SOURCE\\", \\"(.+?)\\"')
    found = {address for path in paths for address in held.findall(path.read_text("utf8"))}
    return found.pop() if len(found) == 1 else ""


def main(publish: bool = False) -> int:
    """Write the cell into every notebook."""
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    address = pip_address(*find_repo(ROOT)) if publish else known_address(paths)
    if publish and not address:
        print("No repository was found; name it: BOOK_REPO_URL=https://...", file=sys.stderr)
        return 1
    for path in paths:
        write_cell(path, cell_source(address))
    print(f"notebooks install leakage from {address or 'nowhere yet'}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--publish" in sys.argv[1:]))
