"""Ours and its peers on the public board: the 40 tasks of benchmark-mi.

    python benchmarks/board.py [FILE] [--n 1000] [--seeds 5] [--tasks TEXT] [--match TEXT]

Every estimator sees the same samples in the same process, on one thread. Peers: KSG in as many
coordinates as there are, canonical correlations of the samples at hand, a plain MINE judged on
held-out samples, and, where they are installed, torch-mist, latentmi and benchmark-mi's own MINE.
FILE has a row for each estimator, task and seed, in bits; what is printed is in nats. A seed of an
estimator that FILE already has on all tasks is kept, so that an interrupted run goes on where it
stopped.
"""

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
import pandas as pd
import torch
from estimators import NATS, latent, plain_mine, torch_mist
from provenance import stamp

import leakage
from leakage.estimators.nearest_neighbours import local_contributions
from leakage.sealed import replacing

PACKAGES = ["numpy", "scipy", "torch", "torch-mist", "latentmi", "benchmark-mi", "jax"]


def ksg(x: np.ndarray, y: np.ndarray, seed: int) -> leakage.Estimate | float:
    """Ours where it is not refused; in more coordinates the same sum, of which nobody is warned."""
    if x.shape[1] + y.shape[1] <= 8:
        return leakage.ksg(x, y, seed=seed)
    return float(local_contributions(x, y, seed=seed).mean())


def cca(x: np.ndarray, y: np.ndarray) -> float:
    """Bits of the canonical correlations of the samples themselves, with no correction."""
    bases = [np.linalg.qr(v - v.mean(0))[0] for v in (x, y)]
    correlations = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return float(-0.5 * np.log2(1 - np.minimum(correlations, 1 - 1e-12) ** 2).sum())


def benchmark_mi(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    import bmi

    return float(bmi.estimators.MINEEstimator(seed=seed, verbose=False).estimate(x, y)) * NATS


def contenders() -> dict[str, str | Callable]:
    found: dict[str, str | Callable] = {
        "ours, auto": "auto",
        "ours, mine": "mine",
        "ours, infonce": "infonce",
        "ours, spiked CCA": leakage.spiked_cca,
        "KSG, 3 neighbours": ksg,
        "CCA, in sample": cca,
        "plain MINE, held out": lambda x, y, seed: plain_mine(x, y, seed, True),
    }
    if find_spec("torch_mist"):
        for name in ("smile", "mine"):
            found[f"torch-mist {name.upper()}, as documented"] = lambda x, y, seed, name=name: (
                torch_mist(x, y, seed, name, False)
            )
    if find_spec("latentmi"):
        found["latentmi"] = latent
    if find_spec("bmi"):
        found["benchmark-mi MINE"] = benchmark_mi
    return found


def recorded(file: Path, n: int, tasks: list[str]) -> dict[tuple[str, int], pd.DataFrame]:
    """Rows of each estimator and seed that are there for every task."""
    if not file.is_file():
        return {}
    table = pd.read_csv(file, skiprows=1, keep_default_na=True)
    table = table[(table["n"] == n) & table["task"].isin(tasks)].fillna({"flag": ""})
    groups = table.groupby(["estimator", "seed"], sort=False)
    return {key: rows for key, rows in groups if len(rows) == len(tasks)}


def save(file: Path, table: pd.DataFrame) -> None:
    with replacing(file.absolute()) as output:
        output.write(stamp("board.py", PACKAGES).encode())
        output.write(table.to_csv(index=False, float_format="%.5g").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("board.csv"))
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", help="only tasks whose name contains this")
    parser.add_argument("--match", default="", help="only estimators whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = [task.name for task in leakage.board_tasks(options.tasks)]
    runs = recorded(options.file, options.n, names)
    for seed in range(options.seeds):
        for name, estimator in contenders().items():
            if options.match not in name or (name, seed) in runs:
                continue
            print(f"{name}, seed {seed}", flush=True)
            table = leakage.run_board(estimator, options.n, [seed], names)
            table.insert(0, "estimator", name)
            runs[name, seed] = table
            save(options.file, pd.concat(runs.values()))
    groups = pd.concat(runs.values()).groupby("estimator", sort=False)
    medians = {name: leakage.board_summary(rows).set_index("task") for name, rows in groups}
    exact = {"exact": next(iter(medians.values()))["exact_nats"]}
    shown = exact | {name: found["median_nats"] for name, found in medians.items()}
    print("\nmedians, nats\n", pd.DataFrame(shown).round(2).to_string())
    scores = {name: leakage.board_score(rows) for name, rows in groups}
    print("\n", pd.DataFrame(scores).T.round(3).to_string())


if __name__ == "__main__":
    main()
