"""On a large set of photographs, which representation still sees the leak at which level?

    python benchmarks/ladder.py PHOTOGRAPHS [FILE] [--seeds 5] [--components 32]

PHOTOGRAPHS is a folder of images or an .npz with an array `images`, one photograph a row. For
every rung and level, over several keys and splits: z of the sequential test, z of the older
cross-fitted statistic against permutations of held-out pairs (which folds that train each other's
critics make about 1.4 times too large; shown because others report it), and `estimate_mi`. Last,
Holm's correction over all rungs at each level.
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
from provenance import stamp
from tqdm import tqdm

import leakage
from leakage.estimators.critics import linear_critic, whitened
from leakage.evidence.splits import split_by_group


def cross_fitted_z(x: np.ndarray, y: np.ndarray, components: int, seed: int) -> float:
    """z of five-fold cross-fitting with frozen critics, as if the folds were independent."""
    fold = split_by_group(np.arange(len(x)), 5, np.random.default_rng(seed))
    total = variance = 0.0
    for test in range(5):
        fit, rows = np.flatnonzero(fold != test), np.flatnonzero(fold == test)
        a, b = (whitened(v, fit, components, seed) for v in (x, y))
        scores = linear_critic(a, b, fit).scores(rows)
        centred = scores - scores.mean(0) - scores.mean(1)[:, None] + scores.mean()
        total += centred.trace()
        variance += (centred**2).sum() / (len(rows) - 1)
    return total / math.sqrt(variance)


def holm(p_values: list[float]) -> float:
    """The smallest p-value after Holm's correction: that of "no rung sees a leak"."""
    return min(1.0, min(p_values) * len(p_values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("file", nargs="?", type=Path, default=Path("ladder.csv"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--components", type=int, default=32)
    parser.add_argument("--rungs", nargs="*", help="of leakage.representations; default: all")
    options = parser.parse_args()
    if options.photographs.suffix == ".npz":
        images = np.load(options.photographs)["images"]
    else:
        images = leakage.load_images(str(options.photographs), size=None).images
    plain = leakage.representations(images, options.rungs)
    rows = []
    for seed in tqdm(range(options.seeds)):
        key = np.random.default_rng(seed).bytes(16)
        for bits in range(1, 9):
            cipher = leakage.get_scheme("bitplane", bits=bits).encrypt(images, key)
            found = leakage.representations(cipher, options.rungs)
            for rung, y in found.items():
                x = plain[rung]
                if (y == y[0]).all():
                    continue
                test = leakage.canonical_test(x, y, components=options.components, seed=seed)
                e = leakage.estimate_mi(x, y, components=options.components, seed=seed)
                z = cross_fitted_z(x, y, options.components, seed)
                rows.append([rung, bits, seed, test.z, z, e.bits, e.low, e.high, e.p_value])
            with options.file.open("w", newline="") as file:  # nothing is lost when interrupted
                file.write(stamp("ladder.py", ["numpy", "scikit-learn", "torch"]))
                writer = csv.writer(file)
                writer.writerow(["rung", "planes", "seed", "z", "z_cross_fitted", "bits", "low",
                                 "high", "p"])  # fmt: skip
                writer.writerows([*row[:3], *(f"{v:.4g}" for v in row[3:])] for row in rows)
    print(f"{len(images)} photographs; medians over {options.seeds} seeds of z (cross-fitted z)")
    for rung in plain:
        line = f"{rung:18}"
        for bits in range(1, 9):
            mine = np.array([row[3:5] for row in rows if row[0] == rung and row[1] == bits])
            line += "{:7.1f} ({:5.1f})".format(*np.median(mine, 0))
        print(line)
    for bits in range(1, 9):
        p = [holm([r[8] for r in rows if r[1] == bits and r[2] == s]) for s in range(options.seeds)]
        print(f"{bits} planes: smallest p of estimate_mi over the ladder, Holm, over seeds:",
              " ".join(f"{v:.2g}" for v in p))  # fmt: skip


if __name__ == "__main__":
    main()
