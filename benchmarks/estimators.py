"""Error and CPU time of estimators of mutual information between vectors, ours and peers.

    python benchmarks/estimators.py [FILE] [--seeds 5] [--match TEXT]

Every estimator sees the same samples in the same process, on one thread. Peers: scikit-learn, a
plain MINE judged on its training samples and on held-out ones, and, where they are installed,
infomeasure (KSG), torch-mist and latentmi. One row for each task, estimator and seed, in bits; the
table that is printed has medians over seeds in nats, as the literature does. Tasks that FILE
already has are kept, so that an interrupted run goes on where it stopped.
"""

import argparse
import contextlib
import csv
import io
import math
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from provenance import stamp
from torch import nn
from tqdm import tqdm

import leakage
from leakage.truth.channels import additive_uniform, clusters, gaussian, student_t, xor_of_signs

NATS = 1 / math.log(2)  # bits in a nat

TASKS: dict[str, Callable] = {
    f"Gaussian, d = {d}, {nats} nats, n = {n}": (
        lambda s, d=d, nats=nats, n=n: gaussian(n, dimensions=d, bits=nats * NATS, seed=s)
    )
    for n in (1000, 5000) for d in (5, 20) for nats in (0, 2, 5)
}  # fmt: skip
TASKS |= {
    f"{name} of Gaussian, d = 5, 2 nats, n = 5000": (
        lambda s, name=name: gaussian(5000, dimensions=5, bits=2 * NATS, transform=name, seed=s)
    )
    for name in ("cubic", "asinh")
}
TASKS |= {
    f"sparse, 2 of 128, 1 nat, n = {n}": (
        lambda s, n=n: gaussian(n, dimensions=128, active=2, bits=NATS, seed=s)
    )
    for n in (1000, 5000)
}


def _shuffled(seed: int):
    x, y, _ = gaussian(1000, dimensions=128, active=2, bits=NATS, seed=seed)
    nothing = leakage.Estimate(0.0, 0.0, 0.0, None, len(x), "shuffled", "exact")
    return x, y[np.random.default_rng(seed).permutation(len(y))], nothing


TASKS |= {
    "sparse, shuffled, n = 1000": _shuffled,
    "10 clusters, n = 5000": lambda s: clusters(5000, seed=s),
    "additive uniform, n = 5000": lambda s: additive_uniform(5000, seed=s),
    "Student's t, n = 5000": lambda s: student_t(5000, seed=s),
    "XOR of signs, n = 5000": lambda s: xor_of_signs(5000, seed=s),
}


def plain_mine(x: np.ndarray, y: np.ndarray, seed: int, held_out: bool, steps: int = 800) -> float:
    """The usual MINE: a joint critic, one shuffled partner, moving average; in bits."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    x, y = (torch.tensor((v - v.mean(0)) / v.std(0), dtype=torch.float32)[order] for v in (x, y))
    third = len(x) // 3
    train, test = (slice(third, None), slice(third)) if held_out else (slice(None),) * 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = nn.Sequential(
            nn.Linear(x.shape[1] + y.shape[1], 100), nn.ReLU(),
            nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1),
        )  # fmt: skip
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    average = None
    for _ in range(steps):
        rows = torch.randperm(len(x[train]), generator=generator)[:128]
        other = rows[torch.randperm(len(rows), generator=generator)]
        a, b = x[train], y[train]
        on_pairs = critic(torch.cat([a[rows], b[rows]], 1)).mean()
        off = critic(torch.cat([a[rows], b[other]], 1)).exp().mean()
        average = off.detach() if average is None else 0.99 * average + 0.01 * off.detach()
        loss = off / average - on_pairs
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    a, b = x[test], y[test]
    with torch.no_grad():
        other = torch.randperm(len(a), generator=generator)
        off = critic(torch.cat([a, b[other]], 1))
        value = critic(torch.cat([a, b], 1)).mean() - off.logsumexp(0) + math.log(len(a))
    return float(value) * NATS


def torch_mist(
    x: np.ndarray, y: np.ndarray, seed: int, name: str, held_out: bool, **options
) -> float:
    """As its README calls it, or with a held-out third that must be passed explicitly."""
    from torch_mist.utils import estimate_mi

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    data = {k: torch.tensor(v, dtype=torch.float32) for k, v in (("x", x), ("y", y))}
    if held_out:
        order = torch.randperm(len(x))
        third = len(x) // 3
        options["test_data"] = {k: v[order[:third]] for k, v in data.items()}
        data = {k: v[order[third:]] for k, v in data.items()}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = estimate_mi(data=data, estimator=name, verbose=False, **options)
    return float(found[0] if isinstance(found, tuple) else found) * NATS


def latent(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    setattr(np, "NaN", np.nan)  # noqa: B010 (the peer needs this name, which numpy 2 removed)
    from latentmi import lmi

    torch.manual_seed(seed)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return float(np.nanmean(lmi.estimate(x, y, device="cpu")[0]))


def estimators(x: np.ndarray, y: np.ndarray, seed: int, task: str) -> dict[str, Callable]:
    found = {
        "ours, auto": lambda: leakage.estimate_mi(x, y, seed=seed).bits,
        "ours, canonical": lambda: leakage.estimate_mi(x, y, "canonical", seed=seed).bits,
        "ours, mine": lambda: leakage.estimate_mi(x, y, "mine", seed=seed).bits,
        "ours, certified": lambda: leakage.certified_mi(x, y, seed=seed).bits,
    }
    dimensions = x.shape[1] + y.shape[1]
    if dimensions <= 8:
        found["ours, ksg"] = lambda: leakage.ksg(x, y, permutations=0).bits
    if "sparse" in task:
        found["ours, spiked CCA"] = lambda: leakage.spiked_cca(x, y).bits
    if len(x) == 1000:
        for name in ("nwj", "infonce", "smile"):
            found[f"ours, {name}"] = lambda name=name: (
                leakage.estimate_mi(x, y, name, seed=seed).bits
            )
    found["plain MINE, on its training samples"] = lambda: plain_mine(x, y, seed, False)
    found["plain MINE, held out"] = lambda: plain_mine(x, y, seed, True)
    if dimensions == 2:
        from sklearn.feature_selection import mutual_info_regression

        found["scikit-learn, KSG"] = lambda: (
            mutual_info_regression(x, y[:, 0], random_state=seed)[0] * NATS
        )
    if find_spec("infomeasure") and (len(x) == 1000 or dimensions <= 10):
        import infomeasure

        found["infomeasure, KSG"] = lambda: float(
            infomeasure.mutual_information(x, y, approach="ksg", k=4, base=2)
        )
    if find_spec("torch_mist"):
        found["torch-mist SMILE, as documented"] = lambda: torch_mist(x, y, seed, "smile", False)
        found["torch-mist SMILE, held out"] = lambda: torch_mist(x, y, seed, "smile", True)
        if len(x) == 1000 and " 5 nats" not in task:  # ten seconds a call
            found["torch-mist MINE, as documented"] = lambda: torch_mist(x, y, seed, "mine", False)
    if find_spec("latentmi") and task in ("sparse, 2 of 128, 1 nat, n = 1000",):
        found["latentmi"] = lambda: latent(x, y, seed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("estimators.csv"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--match", default="", help="only estimators whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    leakage.estimate_mi(*gaussian(200, dimensions=2)[:2])  # imports are nobody's CPU time
    rows = []  # task, estimator, seed, exact, bits, CPU seconds
    if options.file.is_file():
        with options.file.open(encoding="utf8") as file:
            kept = list(csv.reader(file))[2:]
        counts = {task: len({row[2] for row in kept if row[0] == task}) for task in TASKS}
        rows = [(*row[:3], *map(float, row[3:])) for row in kept
                if counts.get(row[0]) == options.seeds]  # fmt: skip
    done = {row[0] for row in rows}
    for task, draw in tqdm(TASKS.items()):
        if task in done:
            continue
        for seed in range(options.seeds):
            x, y, exact = draw(seed)
            for name, estimate in estimators(x, y, seed, task).items():
                if options.match not in name:
                    continue
                start = time.process_time()
                bits = estimate()
                spent = time.process_time() - start
                rows.append((task, name, seed, exact.bits, bits, spent))
        with options.file.open("w", newline="", encoding="utf8") as file:
            packages = ["numpy", "scipy", "scikit-learn", "torch", "infomeasure", "torch-mist",
                        "latentmi"]  # fmt: skip
            file.write(stamp("estimators.py", packages))
            writer = csv.writer(file)
            writer.writerow(["task", "estimator", "seed", "exact", "bits", "cpu_s"])
            writer.writerows([*row[:3], *(f"{v:.4f}" for v in row[3:])] for row in rows)
    for task in TASKS:
        mine = [row for row in rows if row[0] == task]
        print(f"\n{task}: {mine[0][3] / NATS:.3f} nats")
        for name in dict.fromkeys(row[1] for row in mine):
            values = [row[4] / NATS for row in mine if row[1] == name]
            spent = [row[5] for row in mine if row[1] == name]
            print(f"  {name:38}{np.median(values):8.3f} ({min(values):.3f} to {max(values):.3f})"
                  f"{np.median(spent):8.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
