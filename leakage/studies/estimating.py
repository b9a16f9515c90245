"""One cell of a study: from stored vectors to the row of a table."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from leakage.estimate import as_estimate
from leakage.sealed import OutputError, is_whole, load_array, read_json, write_json
from leakage.studies.array_files import read_batches
from leakage.studies.cells import PIXELS, Cell, estimator_of, options_of
from leakage.studies.files import CellFiles, about, is_finished
from leakage.studies.provenance import check_worker, memory_mb
from leakage.studies.trials import is_request_to_end, told

#: Samples that are counted at once, and so in memory.
_TOGETHER = 2**24


def estimate_cell(cell: Cell, files: CellFiles, origin: dict[str, str]) -> None:
    """Compute one cell and write it."""
    from leakage.estimators.threads import one_thread

    if is_finished(files.row):  # by a worker that died before it could say so
        return
    start = time.perf_counter()
    try:
        check_worker(origin)
        with one_thread():
            row = _estimate(cell, files)
    except OutputError:
        raise
    except (Exception, SystemExit) as error:  # whatever it is, the other cells go on
        if is_request_to_end(error):
            raise
        row = {"error": told(error)}
    shared = read_json(about(files.cipher)) or {}
    row |= {"seconds": time.perf_counter() - start, "shared_seconds": shared.get("seconds"),
            "device": shared.get("device"), "memory_mb": memory_mb(), **origin}  # fmt: skip
    write_json(files.row, row)


def _estimate(cell: Cell, files: CellFiles) -> dict[str, object]:
    function, options = estimator_of(cell.estimator), options_of(cell.estimator)
    if cell.embedding["rung"] == PIXELS:
        for path in (files.plain, files.cipher):
            if not is_whole(path):
                raise ValueError(f"{path} is damaged; run the same study again")
    method = cell.estimator["method"]
    if method == "pixel":
        found = function(lambda: _pairs(files), seed=cell.seed, **options)
    else:
        x, y, groups = map(load_array, (files.plain, files.cipher, files.groups))
        found = as_estimate(
            function(x, y, groups=groups, seed=cell.seed, **options), len(groups), method
        )
    if not math.isfinite(found.bits):
        raise ValueError(f"{method} gave {found.bits} bits")
    row = asdict(found)
    row |= {name: None if row[name] is None else float(row[name])
            for name in ("bits", "low", "high", "p_value")}  # fmt: skip
    details = json.dumps(dict(row["details"]), default=_plain)
    return row | {"flags": "; ".join(map(str, row["flags"])), "details": details, "error": ""}


def _plain(value: object) -> object:
    """Arrays and numbers of numpy's as JSON has them."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _pairs(files: CellFiles) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of plain images and their ciphertexts."""
    shape = np.load(files.plain, mmap_mode="r").shape
    images = max(1, _TOGETHER // int(np.prod(shape[1:])))
    plain, cipher = (read_batches(path, images) for path in (files.plain, files.cipher))
    return zip(plain, cipher, strict=True)
