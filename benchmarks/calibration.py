"""Do the tests, intervals and certified bounds keep what they promise?

    python benchmarks/calibration.py [FILE] [--runs 400] [--jobs 2] [--match TEXT]

Every run draws new samples (or a new key) and trains every critic anew. One row for each question
and setting: how often, of how many runs, with a 95 % interval of that rate. Settings that FILE
already has are kept, so that an interrupted run goes on where it stopped.
"""

import argparse
import csv
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one run a core

import numpy as np
from joblib import Parallel, delayed
from provenance import recorded_rows, stamp
from scipy.stats import binomtest, kstest

import leakage
from leakage.estimate import Estimate, entropy
from leakage.truth.channels import clusters, gaussian, student_t

NATS = 1 / np.log(2)  # bits in a nat


def independent(n: int, dimensions: int) -> Callable:
    def run(seed: int):
        x, y, _ = gaussian(n, dimensions=dimensions, bits=0, seed=seed)
        e = leakage.estimate_mi(x, y, seed=seed)
        return e.p_value, e.low <= 0 <= e.high, leakage.canonical_test(x, y, seed=seed).p_value

    return run


def encrypted(layer: str, n: int) -> Callable:
    """Patches of the bundled photographs and their full AES-CTR encryption.

    Every patch has keystream of its own, so that under the hypothesis patches may be shuffled
    like independent samples, even those of one photograph.
    """
    photographs = leakage.load_images(size=32, count=n)
    plain = leakage.embed(photographs.images, layer=layer)

    def run(seed: int):
        key = np.random.default_rng(seed).bytes(16)
        cipher = leakage.get_scheme("bitplane", bits=8).encrypt(photographs.images, key)
        y = leakage.embed(cipher, layer=layer)
        e = leakage.estimate_mi(plain, y, seed=seed)
        test = leakage.canonical_test(plain, y, seed=seed)
        return e.p_value, e.low <= 0 <= e.high, test.p_value

    return run


def nothing(draw: Callable) -> Callable:
    """Sides that have nothing to do with each other, whatever rows have in common."""

    def run(seed: int):
        x, y, groups = draw(np.random.default_rng([29, seed]))
        e = leakage.estimate_mi(x, y, groups=groups, seed=seed, permutations=499)
        test = leakage.canonical_test(x, y, groups=groups, seed=seed, permutations=499)
        return e.p_value, e.low <= 0, test.p_value

    return run


def repeated(rng: np.random.Generator):
    """Every row five times, on both sides."""
    groups = np.repeat(np.arange(40), 5)
    x, y = rng.normal(size=(2, 40, 6))
    return x[groups], y[groups], groups


def group_effects(rng: np.random.Generator):
    """Rows that are alike within their group, on both sides."""
    groups = np.repeat(np.arange(30), 10)
    return *(
        rng.normal(size=(30, 4))[groups] + 0.5 * rng.normal(size=(300, 4)) for _ in "xy"
    ), groups


def half_in_one_group(rng: np.random.Generator):
    """Half of all rows share one effect, the others have each their own."""
    groups = np.maximum(np.arange(200) - 99, 0)
    return *(
        rng.normal(size=(101, 4))[groups] + 0.5 * rng.normal(size=(200, 4)) for _ in "xy"
    ), groups


def scenes() -> Callable:
    """Eight patches of each of 40 generated scenes, and their AES-CTR encryption under new keys."""
    large = leakage.load_images("scenes", size=128, count=40).images
    patches = np.stack([
        scene[r : r + 32, c : c + 32]
        for scene in large for r in (0, 96) for c in (0, 32, 64, 96)
    ])  # fmt: skip
    plain, groups = leakage.embed(patches, layer="stem"), np.repeat(np.arange(40), 8)

    def draw(rng: np.random.Generator):
        cipher = leakage.get_scheme("bitplane", bits=8).encrypt(patches, rng.bytes(16))
        return plain, leakage.embed(cipher, layer="stem"), groups

    return draw


def dependent(draw: Callable) -> Callable:
    """The interval of the held-out bound; its target is the mean over all runs."""

    def run(seed: int):
        x, y, _ = draw(seed)
        e = leakage.estimate_mi(x, y, seed=seed)
        return e.bits, e.low, e.high, e.p_value

    return run


def certified(draw: Callable) -> Callable:
    def run(seed: int):
        x, y, exact, *groups = draw(seed)
        bound = leakage.certified_mi(x, y, groups=groups[0] if groups else None, seed=seed)
        return bound.bits, exact.bits

    return run


def flipped_bits(seed: int):
    """Even bits, one in twenty flipped: ln 2 minus the entropy of the flips, 0.49 nats."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (300, 1))
    exact = Estimate(1 - entropy(np.array([19, 1])), None, None, None, 300, "flipped bits", "exact")
    return x, x ^ (rng.random((300, 1)) < 0.05), exact


def copies(seed: int):
    """Every pair five times, each five under one group."""
    x, y, exact = gaussian(60, bits=0.35 * NATS, seed=seed)
    return np.repeat(x, 5, 0), np.repeat(y, 5, 0), exact, np.repeat(range(60), 5)


def huge_group(seed: int):
    """Half of all pairs under one group."""
    x, y, exact = gaussian(160, bits=0.35 * NATS, seed=seed)
    return x, y, exact, np.maximum(np.arange(160) - 79, 0)


NULLS = {
    "independent, d = 5, n = 200": lambda: independent(200, 5),
    "independent, d = 20, n = 600": lambda: independent(600, 20),
    "independent, d = 5, n = 1000": lambda: independent(1000, 5),
    "AES-CTR, stem, 400 patches": lambda: encrypted("stem", 400),
    "AES-CTR, last layer, 400 patches": lambda: encrypted("head", 400),
}
DEPENDENT = {
    "40 rows five times": repeated,
    "30 groups of 10 with effects": group_effects,
    "one group of 100 and 100 of one": half_in_one_group,
    "8 patches of each of 40 scenes, AES-CTR": scenes,
    "Cauchy, d = 3, n = 200": lambda rng: (*rng.standard_cauchy((2, 200, 3)), None),
    "ties, d = 2, n = 200": lambda rng: (*rng.integers(0, 3, (2, 200, 2)), None),
    "d = 5, n = 40": lambda rng: (*rng.normal(size=(2, 40, 5)), None),
    "d = 2000, n = 200": lambda rng: (*rng.normal(size=(2, 200, 2000)), None),
}
NULLS |= {
    name: (lambda draw=draw: nothing(draw() if draw is scenes else draw))
    for name, draw in DEPENDENT.items()
}
INTERVALS = {
    "Gaussian, d = 2, 1 nat, n = 500": lambda s: gaussian(500, dimensions=2, bits=NATS, seed=s),
    "Gaussian, d = 5, 2 nats, n = 1000": (
        lambda s: gaussian(1000, dimensions=5, bits=2 * NATS, seed=s)
    ),
    "10 clusters, n = 1000": lambda s: clusters(1000, seed=s),
    "Gaussian, d = 1, 0.5 nats, n = 500": lambda s: gaussian(500, bits=0.5 * NATS, seed=s),
    "Gaussian, d = 5, 0.05 nats, n = 500": (
        lambda s: gaussian(500, dimensions=5, bits=0.05 * NATS, seed=s)
    ),
    "Student's t, 0.5 nats, n = 500": lambda s: student_t(500, seed=s),
}
CERTIFIED = {
    "Gaussian, d = 5, 0.3 nats": lambda s: gaussian(2000, dimensions=5, bits=0.3 * NATS, seed=s),
    "Gaussian, d = 20, 0.3 nats": lambda s: gaussian(2000, dimensions=20, bits=0.3 * NATS, seed=s),
    "Gaussian, d = 1, 0.3 nats": lambda s: gaussian(2000, bits=0.3 * NATS, seed=s),
    "10 clusters, 2.3 nats": lambda s: clusters(2000, seed=s),
    "Cauchy, 0.69 nats, n = 500": lambda s: student_t(500, correlation=0.779, freedom=1, seed=s),
    "one bit in 20 flipped, 0.49 nats, n = 300": flipped_bits,
    "60 groups of 5 copies, 0.35 nats": copies,
    "one group of 80 and 80 of one, 0.35 nats": huge_group,
}
POWER = "Gaussian, d = 8, 0.1 nats, n = 600"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("calibration.csv"))
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--match", default="", help="only settings whose names contain this")
    options = parser.parse_args()
    rows = recorded_rows(options.file)
    done = {row[1] for row in rows}

    def runs(function: Callable, count: int) -> np.ndarray:
        found = Parallel(n_jobs=options.jobs)(delayed(function)(seed) for seed in range(count))
        return np.array(found, float)

    def note(question: str, setting: str, hits: int, count: int, more: str = "") -> None:
        low, high = binomtest(int(hits), count).proportion_ci(method="exact")
        rows.append([question, setting, count, f"{hits / count:.4f}", f"{low:.4f}",
                     f"{high:.4f}", more])  # fmt: skip
        print(*rows[-1], sep=", ", flush=True)

    def save() -> None:
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("calibration.py", ["numpy", "scipy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(["question", "setting", "runs", "rate", "low", "high", "remark"])
            writer.writerows(rows)

    for setting in [POWER, *INTERVALS, *CERTIFIED, *NULLS]:
        if setting in done or options.match not in setting:
            continue
        if setting in NULLS:
            report_nulls(note, setting, runs(NULLS[setting](), options.runs))
        elif setting in INTERVALS:
            found = runs(dependent(INTERVALS[setting]), options.runs // 2)
            report_interval(note, setting, found)
        elif setting == POWER:
            found = runs(dependent(weak), options.runs // 2)
            note("estimate_mi rejects at 0.05", setting, (found[:, 3] <= 0.05).sum(), len(found),
                 "power")  # fmt: skip
        else:
            report_bounds(note, setting, runs(certified(CERTIFIED[setting]), options.runs))
        save()


def weak(seed: int):
    return gaussian(600, dimensions=8, bits=0.1 * NATS, seed=seed)


def report_interval(note: Callable, setting: str, found: np.ndarray) -> None:
    bits, low, high, _ = found.T
    covered = (low <= bits.mean()) & (bits.mean() <= high)
    note("95 % interval covers the mean held-out bound", setting, covered.sum(), len(bits),
         f"mean {bits.mean() / NATS:.3f} nats")  # fmt: skip


def report_bounds(note: Callable, setting: str, found: np.ndarray) -> None:
    bits, exact = found.T
    note("certified bound above the exact value", setting, (bits > exact).sum(), len(bits),
         f"median {np.median(bits) / NATS:.3f} nats")  # fmt: skip
    note("certified bound above 0", setting, (bits > 0).sum(), len(bits))


def report_nulls(note: Callable, setting: str, found: np.ndarray) -> None:
    p, covered, linear = found.T
    uniform = kstest(p, "uniform").pvalue
    note("estimate_mi rejects at 0.05", setting, (p <= 0.05).sum(), len(p),
         f"uniform p-values: p = {uniform:.2g}")  # fmt: skip
    note("estimate_mi rejects at 0.01", setting, (p <= 0.01).sum(), len(p))
    note("canonical_test rejects at 0.05", setting, (linear <= 0.05).sum(), len(p))
    note("95 % interval contains 0", setting, covered.sum(), len(p))


if __name__ == "__main__":
    main()
