"""What does a study cost beyond its cells, how does it grow, how much memory does it take?

    python benchmarks/study.py [FILE] [--cells 1000] [--seconds 1] [--images 100 400 1600]

Overhead: cells that sleep for a known time, in local processes and on a Dask LocalCluster of 2 and
4 workers; the wall time of the whole call, with starting workers, reading, encrypting, embedding
and writing, against the time slept by each worker. Asleep, workers do not compete for cores, so
that this shows the study's own cost on any machine. Growth: the CPU time of studies on one worker,
with more and more images or cells. Costs: the wall time, on one worker, of embedding an image set
and of one estimate, by the number of images and by their size. Memory: the largest resident memory
of a fresh process that reads a folder of 512 x 512 PNG files, encrypts, embeds and counts them.
"""

import argparse
import csv
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib
import numpy as np
from PIL import Image
from provenance import recorded_rows, stamp

import leakage
from leakage.pictures.photographs import PHOTOGRAPHS
from leakage.studies.provenance import memory_mb

SMALL = {"source": "photographs", "size": 32, "count": 40}
HEADER = (
    "part", "where", "workers", "cells", "images", "side", "seconds", "ideal_seconds", "memory_mb"
)  # fmt: skip
COUNTS, SIDES = (60, 120, 240, 480), (48, 64, 96, 192)


def sleep(x, y, *, groups, seed, seconds):
    """An estimator that takes a known time."""
    time.sleep(seconds)
    return leakage.Estimate(0.0, None, None, None, len(groups), "sleep", "estimate")


def timed(grid: dict, clock: Callable[[], float] = time.perf_counter, **options) -> float:
    with tempfile.TemporaryDirectory() as out:
        start = clock()
        table = leakage.study(grid, out=out, progress=False, **options)
        spent = clock() - start
    failed = table["error"][table["error"] != ""]
    if len(failed):
        raise RuntimeError(failed.iloc[0])
    return spent


def overhead(cells: int, seconds: float, workers: tuple[int, ...]):
    from distributed import Client, LocalCluster

    grid = {
        "images": [SMALL], "schemes": ["identity"], "embeddings": ["histogram"],
        "estimators": [{"method": "study:sleep", "seconds": seconds}], "seeds": list(range(cells)),
    }  # fmt: skip
    for count in workers:
        ideal = cells * seconds / count
        spent = timed(grid, n_jobs=count)
        yield "overhead", "local", count, cells, 40, 32, spent, ideal, None
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0",
                         silence_logs=logging.CRITICAL) as cluster,
            Client(cluster), joblib.parallel_config(backend="dask"),
        ):  # fmt: skip
            spent = timed(grid)
        yield "overhead", "dask", count, cells, 40, 32, spent, ideal, None


def growth():
    grid = {
        "images": [SMALL | {"size": 64}], "schemes": [{"name": "bitplane", "bits": 4}],
        "embeddings": ["head"], "estimators": [{"method": "canonical", "permutations": 99}],
    }  # fmt: skip
    timed(grid, n_jobs=1)  # warm up
    for images in (100, 200, 400, 800):
        sized = [SMALL | {"size": 64, "count": images}]
        spent = timed(grid | {"images": sized}, time.process_time, n_jobs=1)
        yield "images", "local", 1, 1, images, 64, spent, None, None
    for cells in (50, 100, 200, 400):
        sized = [SMALL | {"size": 64, "count": 100}]
        seeded = grid | {"images": sized, "seeds": list(range(cells))}
        spent = timed(seeded, time.process_time, n_jobs=1)
        yield "cells", "local", 1, cells, 100, 64, spent, None, None


def costs():
    """The least of three keys' ciphertexts, for other programs only ever add time."""
    grid = {
        "images": [{"source": "photographs", "size": 64, "levels": {"count": list(COUNTS)}},
                   {"source": "photographs", "count": 100, "levels": {"size": list(SIDES)}}],
        "schemes": [{"name": "bitplane", "bits": 4, "levels": {"key": [0, 1, 2]}}],
        "embeddings": ["head"], "estimators": [{"method": "canonical", "folds": 3}],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        table = leakage.study(grid, out=out, n_jobs=1)
    least = table.groupby(["images.count", "images.size"])[["shared_seconds", "seconds"]].min()
    for (count, side), row in least.iterrows():
        yield "embedding", "local", 1, 0, count, side, row["shared_seconds"], None, None
        yield "estimate", "local", 1, 1, count, side, row["seconds"], None, None


def write_photographs(folder: Path, count: int) -> None:
    """Images of 512 x 512 from the bundled photographs: random crops, flipped, mirrored, dimmed."""
    rng = np.random.default_rng(0)
    sources = [
        np.asarray(Image.open(p.file()).convert("L"))
        for p in PHOTOGRAPHS
        if min(Image.open(p.file()).size) >= 512
    ]
    for i in range(count):
        image = sources[rng.integers(len(sources))]
        row, column = (rng.integers(side - 511) for side in image.shape)
        cut = image[row : row + 512, column : column + 512]
        cut = np.rot90(cut, rng.integers(4))[:: rng.choice([-1, 1])]
        Image.fromarray((cut * rng.uniform(0.5, 1)).astype(np.uint8)).save(folder / f"{i:06}.png")


def memory(counts: list[int]):
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_photographs(Path(folder), count)
            call = [sys.executable, __file__, "--stream", folder]
            start = time.perf_counter()
            done = subprocess.run(call, capture_output=True, text=True, check=True)
            spent = time.perf_counter() - start
        yield "memory", "local", 1, 2, count, 512, spent, None, json.loads(done.stdout)


def stream(folder: str) -> None:
    """Run by `memory` in a process of its own."""
    grid = {
        "images": [{"source": folder, "size": 512}], "schemes": [{"name": "bitplane", "bits": 4}],
        "embeddings": ["pixels", "stem"],
        "estimators": [{"method": "pixel", "permutations": 3},
                       {"method": "canonical", "permutations": 99}],
    }  # fmt: skip
    timed(grid, n_jobs=1)
    print(memory_mb())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("study.csv"))
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--images", type=int, nargs="+", default=[100, 400, 1600])
    parser.add_argument("--parts", nargs="+", default=["growth", "costs", "memory", "overhead"])
    parser.add_argument("--stream", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream:
        return stream(options.stream)
    parts = {
        "overhead": lambda: overhead(options.cells, options.seconds, tuple(options.workers)),
        "growth": growth,
        "costs": costs,
        "memory": lambda: memory(options.images),
    }
    rows = []
    for part in options.parts:
        for row in parts[part]():
            rows.append(row)
            line = dict(zip(HEADER, row, strict=True))
            more = ""
            if line["ideal_seconds"]:
                more = f", {line['seconds'] / line['ideal_seconds'] - 1:.1%} over the ideal"
            print({k: v for k, v in line.items() if v is not None}, more, flush=True)
    for part, size in (("images", 4), ("cells", 3)):
        of = np.array([(row[size], row[6]) for row in rows if row[0] == part])
        if len(of):
            slope, start = np.polyfit(*of.T, 1)
            off = np.abs(of[:, 1] - start - slope * of[:, 0]).max() / of[:, 1].max()
            print(f"{part}: {start:.1f} s + {1000 * slope:.1f} ms each, off by at most {off:.1%}")
    # parts that were not asked for stay as they are
    new = {row[0] for row in rows}
    rows = [row for row in recorded_rows(options.file) if row[0] not in new] + rows
    with options.file.open("w", newline="", encoding="utf8") as file:
        file.write(stamp("study.py", ["numpy", "torch", "joblib", "distributed", "pyarrow"]))
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(["" if v is None else f"{v:.4g}" if isinstance(v, float) else v
                          for v in row] for row in rows)  # fmt: skip


if __name__ == "__main__":
    main()
