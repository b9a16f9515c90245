"""Run the chapters of the book, several at once, into the cache from which Jupyter Book takes them.

Jupyter Book runs one notebook after the other, and a notebook keeps little more than one core busy.
Here as many run as there are cores, each on its own share of them. What has run stays in the cache,
so a build that was interrupted goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import re
import shutil
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from joblib import cpu_count
from tqdm import tqdm

from leakage.notebook.recorded_runs import recorded

if TYPE_CHECKING:
    from nbformat import NotebookNode

SECONDS_A_CELL = 600  # as in _config.yml


def digest(root: Path) -> str:
    """Of everything besides a notebook's own cells that its outputs depend on."""
    package = (root / "leakage").rglob("*")
    sources = sorted(f for f in package if f.is_file() and "__pycache__" not in f.parts)
    sources += [f for f in (root / "pyproject.toml", root / "constraints.txt") if f.exists()]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))["project"]
    names = [name[0] for d in project["dependencies"] if (name := re.match(r"[\w.-]+", d))]
    versions = {name: _version(name) for name in names}
    state = hashlib.sha256(repr((platform.python_version(), sorted(versions.items()))).encode())
    for f in sources:
        state.update(f"{f.relative_to(root)}\0{f.stat().st_size}\0".encode())
        state.update(f.read_bytes())
    return state.hexdigest()


def drop_stale(cache: Path, now: str) -> None:
    """Empty a cache of outputs that another package, or other libraries, have computed.

    The cache itself compares code cells only. Beside them the digest of all else lies in it.
    """
    mark = cache / "leakage.digest"
    if mark.exists() and mark.read_text() == now:
        return
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    mark.write_text(now)


def usual_jobs() -> int:
    """One chapter a core, and no more than four: each holds up to two gigabytes."""
    return min(4, cpu_count())


def run_chapters(
    notebooks: Sequence[Path], cache: Path, *, jobs: int | None = None
) -> dict[str, str]:
    """Run those notebooks that the cache does not hold yet, and put them into it.

    Parameters
    ----------
    notebooks : sequence of Path
        Each runs in its own folder.
    cache : Path
        Folder of the cache, ``_build/.jupyter_cache`` for Jupyter Book.
    jobs : int, optional
        How many run at once, by default `usual_jobs`. They share the cores.

    Returns
    -------
    dict
        Tracebacks of the notebooks that failed, by name.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    store = get_cache(str(cache))
    jobs = jobs or usual_jobs()
    missing = {
        path: notebook
        for path in _longest_first(notebooks)
        if (notebook := not_in_cache(path, cache))
    }
    failed: dict[str, str] = {}
    bar = tqdm(total=len(missing), desc="chapters", disable=not missing, mininterval=0)

    async def run(path: Path, notebook: NotebookNode, free: asyncio.Semaphore) -> None:
        async with free:
            start = time.monotonic()
            trace = await _execute(notebook, path.parent)
            seconds = time.monotonic() - start
        if trace:
            failed[path.stem] = trace
        else:
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
            store.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        bar.set_postfix_str(f"{path.stem}, {seconds:.0f} s", refresh=False)
        bar.update()

    async def run_all() -> None:
        free = asyncio.Semaphore(jobs)
        await asyncio.gather(*(run(path, notebook, free) for path, notebook in missing.items()))

    with bar, _threads(max(1, cpu_count() // jobs)):
        asyncio.run(run_all())
    return failed


async def _execute(notebook: NotebookNode, folder: Path) -> str:
    """Run it in place; the traceback of the cell that failed, or nothing."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    resources = {"metadata": {"path": str(folder)}}
    # times would become part of the cells, by which the cache knows a notebook again
    client = NotebookClient(
        notebook, timeout=SECONDS_A_CELL, resources=resources, record_timing=False
    )
    try:
        await client.async_execute()
    except (CellExecutionError, CellTimeoutError) as failure:
        return str(failure)
    return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _longest_first(notebooks: Sequence[Path]) -> list[Path]:
    """So that no long one is left over at the end, when the other cores have nothing to do."""
    seconds = recorded("chapters")[0].set_index("chapter")["seconds"]
    return sorted(notebooks, key=lambda path: -seconds.get(path.stem, 0.0))


def not_in_cache(path: Path, cache: Path) -> NotebookNode | None:
    """A notebook that has still to run, None if the cache holds its outputs."""
    import nbformat
    from jupyter_cache import get_cache

    notebook = nbformat.read(path, as_version=4)
    try:
        get_cache(str(cache)).match_cache_notebook(notebook)
    except KeyError:
        return notebook
    return None


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Kernels that start meanwhile use that many, unless the environment says how many."""
    names = [name for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if name not in os.environ]
    os.environ.update(dict.fromkeys(names, str(count)))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
