"""The whole book on a reader's own pictures: `leakage book FOLDER -o SITE`.

A copy of the book's sources is made beside the site, in which every chapter is given the pictures.
The chapters run into a cache in that folder, so what was interrupted goes on there. When the site
is whole, it takes its place and the folder goes.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from leakage.notebook.chapters import digest, drop_stale, not_in_cache, run_chapters, usual_jobs
from leakage.notebook.recorded_runs import recorded
from leakage.pictures.image_sets import patch_count
from leakage.pictures.surveys import refuse_files, survey

CHAPTERS_NEED = 32  # pixels, the smallest patch that every chapter takes
PATCHES = 1000  # where a chapter takes all: about as many as the book itself, and so its minutes
PROBE_SECONDS = 1.0  # of `_probe` where chapters.csv was recorded, inferred from chapters' times
MARK = ".leakage-book"  # in a site: the names of its files, which alone may be replaced
SOURCES = ("book", "notebooks", "_static", "_config.yml", "_toc.yml")


@dataclass(frozen=True)
class Set:
    """A reader's pictures: what the forecast, the chapters and the heading need to know."""

    folder: Path
    shapes: tuple[tuple[int, int], ...]
    mode: str
    notes: tuple[str, ...]  # what was skipped, turned or left out
    state: str  # digest of names, sizes and times

    @property
    def smallest(self) -> int:
        """Shortest side of any picture, in pixels."""
        return min(min(shape) for shape in self.shapes)


def make_book(
    folder: str | Path, site: str | Path, *, mode: str | None = None, jobs: int | None = None
) -> Path:
    """Build the book with every chapter run on the pictures of a folder.

    Parameters
    ----------
    folder : str or Path
        Searched recursively for PGM, PNG, TIFF, BMP and JPEG files.
    site : str or Path
        Folder to be made, or an earlier site of this function.
    mode : {"gray", "rgb"}, optional
        By default colour where any picture has colour.
    jobs : int, optional
        Chapters at once, see `run_chapters`.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    ValueError
        No pictures, unreadable ones, none large enough, a `site` that holds other things, or an
        installed package without the chapters.
    """
    root, site = book_sources(), Path(site).expanduser().resolve()
    check_site(site)
    pictures = look_at(folder, mode)
    work = site.with_name(f".{site.name}.unfinished")
    cache = work / "_build" / ".jupyter_cache"
    drop_stale(cache, digest(root) + pictures.state)
    notebooks = _stage(root, work, pictures)
    print(forecast(notebooks, cache, jobs), flush=True)
    refusals = run_chapters(notebooks, cache, jobs=jobs)
    for path in notebooks:
        if path.stem in refusals:
            _say_refused(path, refusals[path.stem])
    _head(work / "book" / "intro.md", pictures, refusals)
    _build(work)
    if site.exists():
        shutil.rmtree(site)  # checked above: an earlier site of ours
    shutil.move(work / "_build" / "html", site)
    shutil.rmtree(work)
    return site / "index.html"


def book_sources() -> Path:
    """The folder that the package lies in, if the chapters do too."""
    root = Path(__file__).resolve().parents[2]
    missing = [name for name in SOURCES if not (root / name).exists()]
    if missing:
        raise ValueError(
            "the chapters are not part of the installed package: clone the repository, and run "
            "`pip install -e '.[book]'` and this command there"
        )
    return root


def check_site(site: Path) -> None:
    """Refuse a place that holds anything but what `make_book` made there."""
    if site.is_file():
        raise ValueError(f"{site} is a file; name a folder for the site")
    mark = site / MARK
    ours = set(mark.read_text("utf8").split("\n")) | {MARK} if mark.is_file() else set()
    others = [name for name in _files_of(site) if name not in ours]
    if others:
        raise ValueError(f"{site} holds other files, {others[0]} for one; name a new folder")
    site.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(site.parent, os.W_OK):
        raise ValueError(f"{site.parent} cannot be written; name another folder for the site")


def _files_of(site: Path) -> list[str]:
    return sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if not p.is_dir())


def look_at(folder: str | Path, mode: str | None = None) -> Set:
    """Find out what a folder holds, reading no more than the files' heads."""
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}")
    looked_at = survey(folder, mode)
    refuse_files(looked_at.problems, len(looked_at.files))
    state = hashlib.sha256()
    for file in looked_at.files:
        stat = file.path.stat()
        state.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    shapes = tuple(header.shape for header in looked_at.headers if header is not None)
    found = Set(folder, shapes, looked_at.mode, looked_at.notes, state.hexdigest())
    if found.smallest < CHAPTERS_NEED:
        raise ValueError(
            f"the smallest picture has a side of {found.smallest} pixels, the chapters need "
            f"{CHAPTERS_NEED}; remove pictures that are smaller"
        )
    return found


def parameters(declared: Mapping[str, object], pictures: Set) -> dict[str, object]:
    """What a chapter is given of the parameters that it has: pictures, no more than there are."""
    if "source" not in declared:
        return {}
    given: dict[str, object] = {"source": str(pictures.folder), "mode": pictures.mode}
    # blocks of schemes are 16 pixels wide, and must fit
    size = min(int(str(declared["size"])), pictures.smallest // 16 * 16)
    given["size"] = size
    there = sum(patch_count(shape, size) for shape in pictures.shapes)
    given["count"] = min(int(str(declared.get("count", 0))) or PATCHES, there)
    given["picture"] = 0
    return {name: value for name, value in given.items() if name in declared}


def forecast(notebooks: Sequence[Path], cache: Path, jobs: int | None = None) -> str:
    """How long the chapters that have not run yet will take, and how much memory."""
    import psutil

    rows = recorded("chapters")[0].set_index("chapter")
    left = [path.stem for path in notebooks if not_in_cache(path, cache) is not None]
    jobs = jobs or usual_jobs()
    known = rows.reindex(left).dropna()
    minutes = known["cpu_seconds"].sum() / 60 / jobs * _probe() / PROBE_SECONDS
    done = len(notebooks) - len(left)
    free = psutil.virtual_memory().available / 2**30
    memory = jobs * rows["peak_mib"].max() / 1024
    return (
        f"{len(left)} chapters to run, {done} have run already: about {minutes:.0f} minutes, and "
        f"{memory:.1f} GiB of memory ({free:.1f} GiB are free). After them some two minutes for "
        "the pages."
    )


def _probe() -> float:
    """Seconds of a fixed piece of work of the chapters' kind, on one core."""
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        start = time.process_time()
        for _ in range(30):
            a = rng.normal(size=(400, 400))
            np.linalg.svd(a @ a.T)
        return time.process_time() - start


def _stage(root: Path, work: Path, pictures: Set) -> list[Path]:
    """Copy the book's sources to `work`, its chapters with their parameters; return these."""
    import nbformat
    import yaml
    from papermill.inspection import _infer_parameters
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    for name in SOURCES:
        if (root / name).is_dir():
            shutil.rmtree(work / name, ignore_errors=True)
            shutil.copytree(root / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, work / name)
    config = yaml.safe_load((work / "_config.yml").read_text("utf8"))
    config["title"] += f": {pictures.folder.name}"
    sphinx = config["sphinx"]
    del sphinx["local_extensions"]["fresh_cache"]  # the cache belongs to these pictures too
    sphinx["config"]["extensions"].remove("fresh_cache")
    (work / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf8")

    chapters = sorted((work / "notebooks").glob("*.ipynb"))
    for path in chapters:
        notebook = load_notebook_node(str(path))
        declared = {p.name: p.default for p in _infer_parameters(notebook)}
        given = parameters({k: ast.literal_eval(v) for k, v in declared.items()}, pictures)
        if given:
            nbformat.write(parameterize_notebook(notebook, given), path)
    return chapters


def _say_refused(path: Path, why: str) -> None:
    """Put in a chapter's place why it does not run on these pictures."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    title = notebook.cells[0].source.splitlines()[0]
    lines = [line for line in _plain(why).splitlines() if line.strip()]
    text = f"{title}\n\nThis chapter does not run on these pictures:\n\n```text\n{lines[-1]}\n```"
    notebook.cells = [nbformat.v4.new_markdown_cell(text)]
    nbformat.write(notebook, path)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _head(intro: Path, pictures: Set, refusals: Mapping[str, str]) -> None:
    """Say on the first page what this book was made from, and what was left out."""
    before, title, rest = re.split(r"^(# .*)$", intro.read_text("utf8"), maxsplit=1, flags=re.M)
    colour = {"gray": "as gray values", "rgb": "in colour"}[pictures.mode]
    said = [
        f"This book was made from the {len(pictures.shapes)} pictures of `{pictures.folder.name}`, "
        f"read {colour}."
    ]
    said += [f"{note[0].upper()}{note[1:]}." for note in pictures.notes]
    if refusals:
        said.append(f"These chapters do not run on them: {', '.join(sorted(refusals))}.")
    said.append(
        "Recorded runs are of other photographs, which they name. Each chapter ends with what "
        "does not hold on these pictures."
    )
    note = "```{note}\n" + "\n".join(said) + "\n```"
    intro.write_text(f"{before}{title}\n\n{note}\n{rest}", "utf8")


def _build(work: Path) -> None:
    """Make the pages; what Sphinx says goes to a file, which is named if it fails."""
    log = work / "pages.log"
    # its command, since the package has none for `python -m`
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(work), "--all"]
    # no buttons of a repository that the site happens to lie in
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(work.parent)}
    with log.open("w") as lines:
        done = subprocess.run(command, stdout=lines, stderr=subprocess.STDOUT, env=alone)
    if done.returncode:
        raise RuntimeError(f"the pages could not be made; see {log}")
    html = work / "_build" / "html"
    (html / MARK).write_text("\n".join(_files_of(html)), "utf8")
