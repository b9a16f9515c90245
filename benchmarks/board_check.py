"""Is our public board benchmark-mi's own? Exact values, and samples of every task.

    python benchmarks/board_check.py export FOLDER     # where bmi is installed, and need be no more
    python benchmarks/board_check.py compare FOLDER    # where leakage is

Of each task the exact values are compared in nats; then samples, by Kolmogorov and Smirnov's test
of every coordinate, of their squared norms, and of some random projections of all coordinates, and
by where the KSG value of theirs lies among those of several draws of ours. Ends with code 1 where a
value is off by more than 1e-3 nats, or a test rejects at 0.001 over all that are made.
"""

import json
import sys
from pathlib import Path

import numpy as np

PAIRS, PROJECTIONS, DRAWS = 2000, 8, 8


def export(folder: Path) -> None:
    import bmi

    folder.mkdir(parents=True, exist_ok=True)
    values = {}
    for name, task in bmi.benchmark.BENCHMARK_TASKS.items():
        values[name] = float(task.mutual_information)
        x, y = task.sample(PAIRS, 1)
        np.savez(folder / f"{name}.npz", x=np.asarray(x), y=np.asarray(y))
    (folder / "values.json").write_text(json.dumps(values, indent=1))


def views(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coordinates, squared norms and projections of pairs, in columns."""
    both = np.hstack([x, y])
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(both.shape[1], PROJECTIONS))
    norms = [(v**2).sum(1, keepdims=True) for v in (x, y)]
    return np.hstack([both, *norms, both @ directions])


def compare(folder: Path) -> int:
    from scipy.stats import ks_2samp, t

    from leakage.estimators.nearest_neighbours import local_contributions
    from leakage.truth.board import TASKS

    values = json.loads((folder / "values.json").read_text())
    assert list(values) == list(TASKS), "other names, or another order"
    off, p_values = [], []
    for i, (name, task) in enumerate(TASKS.items()):
        read = np.load(folder / f"{name}.npz")
        theirs = read["x"].astype(float), read["y"].astype(float)
        ours = [task.draw(PAIRS, DRAWS * i + seed)[:2] for seed in range(DRAWS)]
        off.append(abs(values[name] - task.bits * np.log(2)))
        a, b = (views(x, y) for x, y in (theirs, ours[0]))
        found = [ks_2samp(a[:, j], b[:, j]).pvalue for j in range(a.shape[1])]
        ksg = [local_contributions(x, y).mean() * np.log(2) for x, y in (theirs, *ours)]
        spread = np.std(ksg[1:], ddof=1) * np.sqrt(1 + 1 / DRAWS)
        far = (ksg[0] - np.mean(ksg[1:])) / spread
        found.append(2 * t.sf(abs(far), DRAWS - 1))
        p_values += found
        print(f"{name:50} exact {values[name]:.4f} nats, off by {off[-1]:.0e}; KSG {ksg[0]:.3f}, "
              f"ours {np.mean(ksg[1:]):.3f}, t {far:+.1f}; least p of {len(found)} tests "
              f"{min(found):.4f}")  # fmt: skip
    least = min(p_values) * len(p_values)
    print(f"{len(off)} tasks: values off by at most {max(off):.1e} nats; of {len(p_values)} tests "
          f"the least p is {min(p_values):.2g}, times their number {least:.2g}")  # fmt: skip
    return int(max(off) > 1e-3 or least < 1e-3)


if __name__ == "__main__":
    action, where = sys.argv[1:]
    sys.exit({"export": export, "compare": compare}[action](Path(where)))
