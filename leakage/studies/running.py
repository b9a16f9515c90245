"""A study: a grid of settings to one tidy table, on a laptop or a cluster, whatever crashes."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
from tqdm import tqdm

from leakage.pictures.batches import image_batches
from leakage.schemes.batches import encrypt_batches
from leakage.studies.array_files import ArrayFile, read_batches, replacing
from leakage.studies.grid import (
    PIXELS,
    Cell,
    cells_of,
    estimator_of,
    key_of,
    options_of,
    problems_with,
    read_grid,
    scheme_of,
)
from leakage.studies.provenance import check_worker, memory_mb, provenance, source_digest

if TYPE_CHECKING:
    import pandas as pd

#: Columns that differ from run to run; all others are the same to the last digit.
VARYING = ("seconds", "shared_seconds", "memory_mb")
#: Pixels that are encrypted and embedded at once, and so in memory.
_PIXELS = 2**22
#: Settings of an embedding that one pass of a network has in common.
_RUN = ("model", "device", "precision")
_A_DAY = 24 * 3600


def study(
    grid: Mapping | str | Path, *, out: str | Path, n_jobs: int | None = None, progress: bool = True
) -> "pd.DataFrame":
    """Estimate what leaks in every cell of a grid; interrupted, the same call goes on.

    What cells share, an image set, its ciphertexts and their vectors, is computed once and kept
    in `out`. Every cell is written there as soon as it is done, whole or not at all. A cell that
    fails is a row with its error, and is tried again by the next call. Work on a cluster needs no
    other call, only a folder `out` that all its workers see::

        with joblib.parallel_config(backend="dask"):
            leakage.study(grid, out="results")

    Every worker computes on one thread, so that the table does not depend on where it was made.

    Parameters
    ----------
    grid : mapping, or name of a JSON or YAML file
        Lists ``images``, ``schemes``, ``embeddings``, ``estimators``, ``seeds`` (default ``[0]``).
        An entry is a mapping, or a word for its first setting alone. Settings under ``levels`` are
        lists, of which every combination is an entry of its own.

        ==============  =====================================================================
        ``images``      ``source``, ``size``, ``count``, ``mode``, ``seed``: as of
                        `leakage.load_images`
        ``schemes``     ``name`` (of `leakage.list_schemes`, or ``module:Class``), its
                        parameters, ``keying``, and ``key``, the seed of the key
        ``embeddings``  ``rung`` (of `leakage.representations`, or ``"pixels"``), ``model``,
                        ``device``, ``precision``: as of `leakage.embed`
        ``estimators``  ``method`` (of `leakage.estimate_mi`, ``"certified"``, ``"pixel"`` for
                        `leakage.pixel_mi`, or ``module:function`` of x, y, groups and seed),
                        and its options
        ==============  =====================================================================

        ``"pixel"`` is estimated of ``"pixels"``, everything else of vectors.
    out : str or Path
        Folder of the results, made if it is not there: ``table.parquet``, and ``cells``,
        ``shared`` and ``images``, from which a study goes on. Of different grids in one folder,
        common cells are computed once.
    n_jobs : int, optional
        Processes. Default: what `joblib.parallel_config` says, else one for every core.
    progress : bool
        Show bars with the time left, on stderr.

    Returns
    -------
    DataFrame
        A row a cell, in the order of the grid: its settings, ``bits``, ``low``, ``high``,
        ``p_value``, ``n``, ``method``, ``kind``, ``flags``, ``details`` (JSON), ``error`` (empty
        where there was none), ``seconds`` of the estimate, ``shared_seconds`` of the ciphertexts'
        vectors, ``memory_mb`` (the largest resident memory of its worker up to then), and what
        computed it: the network's ``device``, versions, ``code`` (a digest of this package),
        ``machine``.

    Raises
    ------
    ValueError
        A grid with an impossible setting, refused before any work; all problems in one message.
    ImportError
        No pyarrow.
    RuntimeError
        Workers were lost for good before all cells were finished.

    Examples
    --------
    >>> import tempfile
    >>> grid = {"images": [{"source": "photographs", "count": 40}], "embeddings": ["pixels"],
    ...         "schemes": [{"name": "bitplane", "levels": {"bits": [0, 8]}}],
    ...         "estimators": [{"method": "pixel", "permutations": 9}]}
    >>> table = study(grid, out=tempfile.mkdtemp(), n_jobs=1, progress=False)
    >>> table[["scheme.bits", "bits"]].round(1).values.tolist()
    [[0.0, 7.6], [8.0, 0.0]]
    """
    if find_spec("pyarrow") is None:
        raise ImportError("a study is saved as Parquet, by pyarrow: pip install 'leakage[scale]'")
    folder = Path(out).expanduser().absolute()
    if folder.is_file():
        raise ValueError(f"{out} is a file; name a folder for the results")
    if not isinstance(grid, Mapping):
        grid = read_grid(grid)
    cells = cells_of(grid)
    stamp = provenance()
    sets = _image_sets(cells, folder)
    _remove_fragments(folder)
    paths = [_paths(folder, cell, sets[_text(cell.images)], stamp) for cell in cells]
    left = [i for i, path in enumerate(paths) if not _finished(path["cell"])]

    tasks = _shared_tasks([(cells[i], paths[i]) for i in left], stamp)
    failed = dict(_parallel("shared steps", tasks, n_jobs, progress, len(tasks)))
    possible = []
    for i in left:
        errors = [e for side in ("plain", "cipher") if (e := failed.get(str(paths[i][side])))]
        if errors:
            _write_cell(paths[i]["cell"], {"error": errors[0], **stamp})
        else:
            possible.append((_estimate_cell, (asdict(cells[i]), paths[i], stamp)))
    done = len(cells) - len(possible)
    for _ in _parallel("cells", possible, n_jobs, progress, len(cells), done):
        pass
    return _table(cells, paths, folder)


def _remove_fragments(folder: Path) -> None:
    """Half-written files of processes that were killed; not those of a study that runs now."""
    for path in folder.glob("*/.*"):
        if time.time() - path.stat().st_mtime > _A_DAY:
            path.unlink(missing_ok=True)


def _image_sets(cells: list[Cell], folder: Path) -> dict[str, str]:
    """Digest of each image set, by its settings; nothing is stored before all is checked."""
    read, problems = {}, []
    for settings in {_text(c.images): c.images for c in cells}.values():
        label = _text(settings)
        try:
            first, groups, digest = _read_through(settings)
        except (ValueError, TypeError) as error:
            problems.append(f"images {label}: {error}")
            continue
        problems += problems_with([c for c in cells if c.images == settings], first, groups)
        read[label] = settings, groups, digest
    if problems:
        shown = "\n  - ".join(dict.fromkeys(problems))
        raise ValueError(f"this grid cannot be run:\n  - {shown}")
    for settings, groups, digest in read.values():
        file = _image_files(folder, digest)
        if not file["plain"].is_file():
            with replacing(file["groups"]) as stream:
                np.save(stream, groups)
            with replacing(file["plain"]) as stream:
                array = ArrayFile(stream, len(groups))
                for part in image_batches(**settings):
                    array.add(part.images)
                array.close()
    return {label: digest for label, (_, _, digest) in read.items()}


def _read_through(settings: dict) -> tuple[np.ndarray, np.ndarray, str]:
    """The first image of a set, the groups of all, and a digest."""
    first, groups, digest = None, [], hashlib.sha256()
    for part in image_batches(**settings):
        first = part.images[:1].copy() if first is None else first
        groups.append(part.groups)
        digest.update(part.images.data)
    joined = np.concatenate(groups).astype(np.int64)
    digest.update(joined.tobytes() + repr(first.shape).encode())
    return first, joined, digest.hexdigest()


def _image_files(folder: Path, digest: str) -> dict[str, Path]:
    base = folder / "images"
    return {"plain": base / f"{digest}.npy", "groups": base / f"{digest}.groups.npy"}


def _paths(folder: Path, cell: Cell, digest: str, stamp: dict) -> dict[str, Path]:
    """Files of a cell; each is named by a digest of all that its content depends on."""
    images = _image_files(folder, digest)

    def vectors(scheme: dict | None) -> Path:
        if scheme is None and cell.embedding["rung"] == PIXELS:
            return images["plain"]
        code = scheme and source_digest(scheme["name"])
        return folder / "shared" / f"{_digest(digest, scheme, code, cell.embedding, stamp)}.npy"

    plain, cipher = vectors(None), vectors(cell.scheme)
    code = source_digest(cell.estimator["method"])
    key = _digest(digest, plain.name, cipher.name, cell.estimator, code, cell.seed, stamp)
    return {
        "images": images["plain"], "groups": images["groups"], "plain": plain, "cipher": cipher,
        "cell": folder / "cells" / f"{key}.json",
    }  # fmt: skip


def _shared_tasks(wanted: list[tuple[Cell, dict]], stamp: dict) -> list[tuple[Callable, tuple]]:
    """One task for each image set and each of its encryptions, with all embeddings that lack."""
    tasks: dict[str, tuple] = {}
    for cell, paths in wanted:
        for side, scheme in (("plain", None), ("cipher", cell.scheme)):
            if not paths[side].is_file():
                label = f"{paths['images']} {_text(scheme)}"
                task = tasks.setdefault(label, (paths["images"], scheme, {}, stamp))
                task[2][str(paths[side])] = cell.embedding
    return [(_share, task) for task in tasks.values()]


def _share(
    images: Path, scheme: dict | None, wanted: dict[str, dict], stamp: dict
) -> list[tuple[str, str]]:
    """Encrypt and embed an image set, a batch at a time; returns paths that failed, with errors."""
    from leakage.estimators.threads import one_thread

    wanted = {path: embedding for path, embedding in wanted.items() if not Path(path).is_file()}
    try:
        check_worker(stamp)
        with one_thread():
            _embed_batches(images, scheme, wanted)
    except Exception as error:  # whatever it is, the other cells go on
        if len(wanted) == 1:
            return [(path, _told(error)) for path in wanted]
        # one embedding may be at fault: each by itself
        return [
            failed for path, embedding in wanted.items()
            for failed in _share(images, scheme, {path: embedding}, stamp)
        ]  # fmt: skip
    return []


def _embed_batches(images: Path, scheme: dict | None, wanted: dict[str, dict]) -> None:
    from leakage.vectors.embeddings import found_device, representations

    shape = np.load(images, mmap_mode="r").shape
    batches: Iterable = read_batches(images, max(1, _PIXELS // (shape[1] * shape[2])))
    if scheme is not None:
        batches = encrypt_batches(
            batches, scheme_of(scheme), key_of(scheme), keying=scheme["keying"]
        )
    runs: dict[tuple, list[str]] = {}  # paths by what one pass of a network can give
    for path, embedding in wanted.items():
        runs.setdefault(tuple(embedding[name] for name in _RUN), []).append(path)
    seconds = dict.fromkeys([None, *runs], 0.0)  # None: encryption
    with ExitStack() as stack:
        files = {p: stack.enter_context(replacing(Path(p))) for p in wanted}
        arrays = {path: ArrayFile(file, shape[0]) for path, file in files.items()}
        for batch in _timed(batches, seconds):
            for run, paths in runs.items():
                start = time.perf_counter()
                rungs = [wanted[p]["rung"] for p in paths]
                deep = [rung for rung in rungs if rung != PIXELS]
                found = {}
                if deep:
                    options = dict(zip(_RUN, run, strict=True))
                    found = representations(batch, deep, cache=False, **options)
                for path, rung in zip(paths, rungs, strict=True):
                    arrays[path].add(batch if rung == PIXELS else found[rung])
                seconds[run] += time.perf_counter() - start
        for run, paths in runs.items():
            for path in paths:
                arrays[path].close()
                told = {"seconds": seconds[None] + seconds[run]}
                if wanted[path]["rung"] != PIXELS:
                    told["device"] = found_device(wanted[path]["device"])
                with replacing(Path(path).with_suffix(".json")) as file:
                    file.write(json.dumps(told).encode())


def _timed(batches: Iterable, seconds: dict) -> Iterator[np.ndarray]:
    """The batches, with the time that making them took added up."""
    start = time.perf_counter()
    for batch in batches:
        seconds[None] += time.perf_counter() - start
        yield batch
        start = time.perf_counter()


def _estimate_cell(cell: dict, paths: dict[str, Path], stamp: dict) -> None:
    """Compute one cell and write it."""
    from leakage.estimators.threads import one_thread

    if _finished(paths["cell"]):  # by a worker that died before it could say so
        return
    start = time.perf_counter()
    try:
        check_worker(stamp)
        with one_thread():
            row = _estimate(cell, paths)
    except Exception as error:  # whatever it is, the other cells go on
        row = {"error": _told(error)}
    told = paths["cipher"].with_suffix(".json")
    shared = json.loads(told.read_bytes()) if told.is_file() else {}
    row |= {"seconds": time.perf_counter() - start, "shared_seconds": shared.get("seconds"),
            "device": shared.get("device"), "memory_mb": memory_mb(), **stamp}  # fmt: skip
    _write_cell(paths["cell"], row)


def _estimate(cell: dict, paths: dict[str, Path]) -> dict:
    function, options = estimator_of(cell["estimator"]), options_of(cell["estimator"])
    if cell["embedding"]["rung"] == PIXELS:
        shape = np.load(paths["plain"], mmap_mode="r").shape
        batch = max(1, 2**24 // int(np.prod(shape[1:])))
        found = function(
            lambda: zip(*(read_batches(paths[s], batch) for s in ("plain", "cipher")), strict=True),
            seed=cell["seed"], **options,
        )  # fmt: skip
    else:
        x, y, groups = (np.load(paths[name]) for name in ("plain", "cipher", "groups"))
        found = function(x, y, groups=groups, seed=cell["seed"], **options)
    row = asdict(found)
    details = json.dumps(dict(row["details"]), default=float)
    return row | {"flags": "; ".join(row["flags"]), "details": details, "error": ""}


def _write_cell(path: Path, row: dict) -> None:
    with replacing(path) as file:
        file.write(json.dumps(row, default=float).encode())


def _finished(path: Path) -> bool:
    return path.is_file() and not json.loads(path.read_bytes())["error"]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _parallel(
    label: str, tasks: list[tuple], n_jobs: int | None, progress: bool, total: int, done: int = 0
) -> Iterator:
    """Results of all tasks as they come, those that are lists flattened."""
    if n_jobs is None and joblib.effective_n_jobs(None) == 1:
        n_jobs = -1
    run = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    try:
        with tqdm(total=total, initial=done, desc=label, disable=not progress) as bar:
            for result in run(joblib.delayed(f)(*arguments) for f, arguments in tasks):
                bar.update()
                yield from result or ()
    except Exception as error:
        error.add_note("What is finished is kept: run the same study again to go on.")
        raise


def _table(cells: list[Cell], paths: list[dict[str, Path]], folder: Path) -> "pd.DataFrame":
    import pandas as pd

    missing = [path for path in paths if not path["cell"].is_file()]
    if missing:
        raise RuntimeError(
            f"{len(missing)} of {len(cells)} cells were lost with their workers; what is finished "
            "is kept: run the same study again to go on"
        )
    rows = [
        cell.columns() | json.loads(path["cell"].read_bytes())
        for cell, path in zip(cells, paths, strict=True)
    ]
    table = pd.DataFrame(rows)
    settings = [name for name in table if "." in name]
    for name in settings:  # a column has one type
        kinds = {type(value) for value in table[name].dropna()}
        if len(kinds) > 1 and not kinds <= {int, float}:
            table[name] = table[name].map(json.dumps, na_action="ignore")
    numbers = ["bits", "low", "high", "p_value", "n", *VARYING]
    words = ["method", "kind", "flags", "details", "error", "device", *provenance()]
    table = table.reindex(columns=[*settings, "seed", *numbers, *words])
    table[numbers] = table[numbers].astype(float)
    table["n"] = table["n"].astype("Int64")
    table[words] = table[words].astype("str").where(table[words].notna(), "")
    with replacing(folder / "table.parquet") as file:
        table.to_parquet(file)
    return table


def _text(settings: object) -> str:
    return json.dumps(settings, sort_keys=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(_text(parts).encode()).hexdigest()[:32]
