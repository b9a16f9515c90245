"""A study: a grid of settings to one tidy table, on a laptop or a cluster, whatever crashes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
from joblib.parallel import get_active_backend
from tqdm import tqdm

from leakage.sealed import write_json
from leakage.studies.cells import Cell
from leakage.studies.estimating import estimate_cell
from leakage.studies.files import (
    CellFiles,
    about,
    check_folder,
    check_places,
    damaged_in,
    files_of,
    image_set_files,
    is_finished,
    remove_all_fragments,
    text_of,
    warn_of_damage,
)
from leakage.studies.grid import cells_of, read_grid
from leakage.studies.provenance import stamp
from leakage.studies.results import table_of
from leakage.studies.shared_steps import read_image_sets, shared_tasks, store_image_set
from leakage.studies.trials import look_up
from leakage.studies.workers import ending_whole, local_backend

if TYPE_CHECKING:
    import pandas as pd


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
    Local workers end with the process that calls this.

    Files carry a SHA-256, which is checked when they are read (1 to 3 seconds a gigabyte, once at
    the start and once in every cell); a damaged one is named in a warning and computed again.
    Files that a study did not write are neither changed nor removed. While a grid is checked no
    code of the reader's own runs: names are only looked for. After that it is imported, and tried
    on one image.

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
        ``embeddings``  ``rung`` (of `leakage.representations`, or ``"pixels"``), ``model`` (a name,
                        or ``module:function`` of uint8 images, whose rung is ``"output"``),
                        ``device``, ``precision``: as of `leakage.embed`
        ``estimators``  ``method`` (of `leakage.estimate_mi`, ``"certified"``, ``"pixel"`` for
                        `leakage.pixel_mi`, ``"patch"`` for `leakage.patch_mi` with its settings,
                        ``critic`` for instance, or ``module:function`` of x, y, groups and seed
                        that gives an `Estimate` or a number of bits), and its options
        ==============  =====================================================================

        ``"pixel"`` and ``"patch"`` are estimated of ``"pixels"``, everything else of vectors.
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
        A folder that cannot be written, or in which something else is where a file must be.
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
    cells = cells_of(grid if isinstance(grid, Mapping) else read_grid(grid))
    check_folder(folder)
    look_up(cells)
    origin = stamp()
    sets = read_image_sets(cells)
    digests = {label: read.digest for label, read in sets.items()}
    files = [files_of(cell, folder, digests[text_of(cell.images)], origin) for cell in cells]
    left = [(c, f) for c, f in zip(cells, files, strict=True) if not is_finished(f.row)]
    damaged = _damaged(left, [image_set_files(folder, digest) for digest in digests.values()])
    with ending_whole(lambda: remove_all_fragments(folder)):
        for read in sets.values():
            store_image_set(read, folder, damaged)
        tasks = shared_tasks(left, damaged, origin)
        failed = dict(_parallel("shared steps", tasks, n_jobs, progress, len(tasks)))
        possible = []
        for cell, own in left:
            error = failed.get(own.plain) or failed.get(own.cipher)
            if error:
                write_json(own.row, {"error": error, **origin})
            else:
                possible.append((estimate_cell, (cell, own, origin)))
        done = len(cells) - len(possible)
        for _ in _parallel("cells", possible, n_jobs, progress, len(cells), done):
            pass
        return table_of(cells, [f.row for f in files], folder)


def _damaged(left: list[tuple[Cell, CellFiles]], sets: list[tuple[Path, Path]]) -> set[Path]:
    """Damaged files, of which it warns; refuses to write where something else than a file is."""
    shared = dict.fromkeys(
        path for _, own in left for path in (own.plain, own.cipher) if path != own.images
    )
    paths = [path for files in sets for path in files]
    paths += [path for vectors in shared for path in (vectors, about(vectors))]
    paths += [own.row for _, own in left]
    damaged = damaged_in(paths)
    check_places([path for path in paths if not path.is_file()] + damaged)
    warn_of_damage(damaged)
    return set(damaged)


def _parallel(
    label: str,
    tasks: Sequence[tuple[Callable[..., list[tuple[Path, str]] | None], tuple]],
    n_jobs: int | None,
    progress: bool,
    total: int,
    done: int = 0,
) -> Iterator[tuple[Path, str]]:
    """What the tasks return, as it comes, lists flattened."""
    if n_jobs is None and get_active_backend()[1] is None:
        n_jobs = -1  # joblib's own default is one
    run = joblib.Parallel(n_jobs, backend=local_backend(), return_as="generator_unordered")
    try:
        with tqdm(total=total, initial=done, desc=label, disable=not progress) as bar:
            for result in run(joblib.delayed(f)(*arguments) for f, arguments in tasks):
                bar.update()
                yield from result or ()
    except Exception as error:
        error.add_note("What is finished is kept: run the same study again to go on.")
        raise
