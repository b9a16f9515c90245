"""Do estimators in embedding space see a leak, and is what they see in space?

    python benchmarks/claims.py [FILE] [--sets photographs scenes FOLDER] [--jobs 2]

Patches of each set under 0 to 8 encrypted planes, by the empirical estimator and by MINE on stem,
head and histogram, as they are and with the pixels of both sides in one other order. One row for
each: bits a patch, interval and p. Every patch has its own keystream, so that rows are exchanged;
folds and intervals are by photograph. Rows that FILE already has are kept.
"""

import argparse
import csv
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one estimate a core

import numpy as np
from joblib import Parallel, delayed
from provenance import recorded_rows, stamp

import leakage
from leakage.estimators.spatial import reordered

METHODS = {"empirical": "quantised", "MINE": "mine"}
VIEWS = ("stem", "head", "histogram")
LEVELS = range(9)


def vectors(images: np.ndarray, level: int, scrambled: bool) -> dict[str, np.ndarray]:
    """Vectors of the ciphertexts of a level; of the images themselves at 0."""
    if level:
        key = np.random.default_rng(0).bytes(16)
        images = leakage.get_scheme("bitplane", bits=level).encrypt(images, key)
    if scrambled:
        order = np.random.default_rng(7).permutation(images.shape[1] * images.shape[2])
        images = reordered(images, order)
    return leakage.representations(images, VIEWS)


def estimated(
    name: str, images: np.ndarray, groups: np.ndarray, level: int, scrambled: bool
) -> list[list]:
    x, y = vectors(images, 0, scrambled), vectors(images, level, scrambled)
    rows = []
    for view in VIEWS:
        for label, method in METHODS.items():
            if np.array_equal(y[view], np.broadcast_to(y[view][:1], y[view].shape)):
                continue
            e = leakage.estimate_mi(x[view], y[view], method, groups=groups, exchange="rows")
            order = "scrambled" if scrambled else "natural"
            numbers = (f"{v:.4f}" for v in (e.bits, e.low, e.high))
            rows.append([name, level, view, label, order, *numbers, f"{e.p_value:.4g}", e.n,
                         len(np.unique(groups))])  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("claims.csv"))
    parser.add_argument("--sets", nargs="+", default=["photographs", "scenes"])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = recorded_rows(options.file)
    done = {(row[0], int(row[1]), row[4]) for row in rows}
    for source in options.sets:
        found = leakage.load_images(source, size=options.size, count=options.count, mode="gray")
        name = Path(source).name
        tasks = [(level, scrambled) for level in LEVELS for scrambled in (False, True)
                 if (name, level, "scrambled" if scrambled else "natural") not in done]  # fmt: skip
        work = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
            delayed(estimated)(name, found.images, found.groups, *task) for task in tasks
        )
        for part in work:
            rows += part
            for row in part:
                print(*row, sep=", ", flush=True)
            with options.file.open("w", newline="", encoding="utf8") as file:
                file.write(stamp("claims.py", ["numpy", "scikit-learn", "torch"]))
                writer = csv.writer(file)
                writer.writerow(["set", "planes", "view", "estimator", "order", "bits", "low",
                                 "high", "p", "n", "photographs"])  # fmt: skip
                writer.writerows(sorted(rows, key=lambda row: (row[0], int(row[1]), row[2:5])))


if __name__ == "__main__":
    main()
