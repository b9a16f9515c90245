"""What does `estimate_mi` find in few or large samples, and what does it cost?

    python benchmarks/sensitivity.py [FILE] [--runs 200] [--seeds 5] [--jobs 2] [--match TEXT]

Power where the dependence is weak, one square among sixty coordinates, representations of the
bundled photographs under 0 to 3 encrypted planes, MINE by itself, and the memory of large samples.
One row for each setting: the share of runs that reject, the median, least and largest value, and
CPU seconds. Settings that FILE already has are kept, so that an interrupted run goes on.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one run a core

import numpy as np
from joblib import Parallel, delayed
from provenance import recorded_rows, stamp

import leakage
from leakage.truth.channels import gaussian, student_t

NATS = 1 / np.log(2)  # bits in a nat
Found = tuple[float, float, float]  # value, p-value, CPU seconds


def correlated(n: int, dimensions: int, correlation: float) -> Callable:
    """One coordinate of each side is correlated."""
    bits = -0.5 * np.log2(1 - correlation**2)
    return lambda seed: gaussian(n, dimensions=dimensions, active=1, bits=bits, seed=seed)[:2]


def square_among_sixty(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One coordinate of 30 is the square of one of 30 and noise: .602 nats."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 1000, 30))
    y[:, 0] = x[:, 0] ** 2 + rng.normal(size=1000)
    return x, y


def tails(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten Student's t of two degrees of freedom that share nothing but their scale."""
    return student_t(300, correlation=0.0, freedom=2.0, dimensions=5, seed=seed)[:2]


@cache
def photographs(planes: int, layer: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = leakage.load_images(size=32, count=1000)
    cipher = (
        leakage.get_scheme("bitplane", bits=planes).encrypt(found.images, bytes(16))
        if planes
        else found.images
    )
    x, y = (leakage.representations(side, [layer])[layer] for side in (found.images, cipher))
    return x, y, found.groups


def timed(estimate: Callable[[], leakage.Estimate]) -> Found:
    start = time.process_time()
    found = estimate()
    p_value = np.nan if found.p_value is None else found.p_value
    return found.bits, p_value, time.process_time() - start


def power(draw: Callable) -> Callable[[int], Found]:
    return lambda seed: timed(lambda: leakage.estimate_mi(*draw(seed), seed=seed))


def planes(count: int, layer: str) -> Callable[[int], Found]:
    x, y, groups = photographs(count, layer)
    return lambda seed: timed(
        lambda: leakage.estimate_mi(x, y, groups=groups, exchange="rows", seed=seed)
    )


def alone(n: int, dimensions: int, bits: float) -> Callable[[int], Found]:
    return lambda seed: timed(
        lambda: leakage.estimate_mi(
            *gaussian(n, dimensions=dimensions, bits=bits, seed=seed)[:2], "mine", seed=seed
        )
    )


POWER = {
    "d = 5, correlation .25, n = 200": correlated(200, 5, 0.25),
    "d = 20, correlation .35, n = 200": correlated(200, 20, 0.35),
    "Student's t, 5 + 5, n = 300": tails,
    "one square among 30 + 30, n = 1000": square_among_sixty,
}
PLANES = {
    f"{layer}, {count} planes": (count, layer)
    for layer in ("stem", "head", "histogram")
    for count in range(4)
}
ALONE = {
    "mine alone, d = 4, 1 bit, n = 1000": (1000, 4, 1.0),
    "mine alone, d = 4, 2 bits, n = 1000": (1000, 4, 2.0),
    "mine alone, d = 20, 2 nats, n = 5000": (5000, 20, 2 * NATS),
}
LARGE = {"n = 50000, d = 32": (50_000, 32), "n = 20000, d = 1280": (20_000, 1280)}


def large(n: int, dimensions: int, method: str) -> str:
    """Peak memory in GB of a process of its own, its value in nats and its CPU seconds."""
    x, y, exact = gaussian(n, dimensions=dimensions, active=32, bits=3.0, seed=0)
    x, y = x.astype(np.float32), y.astype(np.float32)
    found = leakage.estimate_mi(x, y, method)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (
        f"{used.ru_maxrss / 2**20:.2f} GB and {used.ru_utime + used.ru_stime:.1f} CPU s in all, "
        f"{found.bits / NATS:.3f} of {exact.bits / NATS:.3f} nats"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("sensitivity.csv"))
    parser.add_argument("--runs", type=int, default=200, help="of the settings that ask for power")
    parser.add_argument("--seeds", type=int, default=5, help="of the others")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--match", default="", help="only settings whose names contain this")
    parser.add_argument("--large", nargs=2, metavar=("SETTING", "METHOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large:
        print(large(*LARGE[options.large[0]], options.large[1]))
        return
    rows = recorded_rows(options.file)
    settings = (
        [(name, power(draw), options.runs) for name, draw in POWER.items()]
        + [(name, None, options.seeds) for name in PLANES]
        + [(name, alone(*given), options.seeds) for name, given in ALONE.items()]
        + [(f"{name}, {method}", None, 1) for name in LARGE for method in ("canonical", "auto")]
    )
    for name, run, count in settings:
        if options.match not in name or name in {row[0] for row in rows}:
            continue
        if name in PLANES:
            run = planes(*PLANES[name])
        if run:
            row = summary(np.array(
                Parallel(n_jobs=options.jobs)(delayed(run)(seed) for seed in range(count))
            ))  # fmt: skip
        else:
            command = [sys.executable, __file__, "--large", *name.rsplit(", ", 1)]
            row = ["", "", "", "", "", subprocess.check_output(command, text=True).strip()]
        rows.append([name, count, *row])
        print(*rows[-1], sep=", ", flush=True)
        save(options.file, rows)


def summary(found: np.ndarray) -> list[str]:
    bits, p, seconds = found.T
    return [*(f"{(p <= level).mean():.3f}" for level in (0.05, 0.01)),
            *(f"{value:.3f}" for value in np.quantile(bits, [0.5, 0, 1])),
            f"{np.median(seconds):.2f} CPU s"]  # fmt: skip


def save(path: Path, rows: list) -> None:
    with path.open("w", newline="", encoding="utf8") as file:
        file.write(stamp("sensitivity.py", ["numpy", "scipy", "scikit-learn", "torch"]))
        writer = csv.writer(file)
        writer.writerow(["setting", "runs", "rejects at 0.05", "rejects at 0.01", "median bits",
                         "least", "largest", "cost"])  # fmt: skip
        writer.writerows(rows)


if __name__ == "__main__":
    main()
