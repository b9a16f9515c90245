"""How long does an audit take, and how much memory, from 20 pairs to thousands?

    python benchmarks/audit_scale.py [FILE] [--sets NAME ...]

Patches of the bundled photographs and their AES-CTR ciphertexts are written to two folders, which
the command `python -m leakage audit` reads. Each audit is a process of its own: its seconds and
its peak memory. Nothing is found, so that power is measured as well: a leak takes less time. Sets
that FILE already has are kept.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from provenance import recorded_rows, stamp
from tqdm import tqdm

import leakage
from leakage.schemes.keyed_randomness import keystream

COLUMNS = ["pairs", "size", "seconds", "cpu_s", "peak_mib", "exit_code", "verdict"]


class Set(NamedTuple):
    """So many pairs of one shape, (H, W) or (H, W, 3)."""

    pairs: int
    shape: tuple[int, ...]


SETS = {
    "few": Set(20, (512, 512)),
    "many": Set(200, (512, 512)),
    "large": Set(20, (2000, 3000, 3)),
    "thousands": Set(10_000, (512, 512)),
}


def write_pairs(folder: Path, of: Set) -> None:
    """Patches of the photographs, shifted round their borders, so that no two are the same."""
    colour = len(of.shape) == 3
    patches = leakage.load_images(size=512, mode="rgb" if colour else "gray").images
    rng = np.random.default_rng(0)
    key = rng.bytes(16)
    for side in ("plain", "cipher"):
        (folder / side).mkdir()
    for i in tqdm(range(of.pairs), "writing"):
        patch = patches[i % len(patches)]
        more = [(0, wanted - has) for wanted, has in zip(of.shape, patch.shape, strict=True)]
        mirrored = np.pad(patch, more, mode="symmetric")
        image = np.roll(mirrored, rng.integers(0, of.shape[:2]), (0, 1))
        stream = keystream(key, "benchmark", i, image.size).reshape(image.shape)
        for side, pixels in (("plain", image), ("cipher", image ^ stream)):
            suffix = "ppm" if colour else "pgm"
            Image.fromarray(pixels).save(folder / side / f"{i:06}.{suffix}")


def measured(folder: Path, of: Set) -> list:
    """Audit the folders in a process of its own."""
    command = [sys.executable, "-m", "leakage", "audit", folder / "plain", folder / "cipher",
               "-o", folder / "report"]  # fmt: skip
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out)
        _, status, used = os.wait4(child.pid, 0)  # of this child alone
        seconds = time.perf_counter() - start
        out.seek(0)
        verdict = out.read().partition("\n")[0]
    return [of.pairs, " x ".join(map(str, of.shape)), f"{seconds:.1f}",
            f"{used.ru_utime + used.ru_stime:.1f}", used.ru_maxrss // 1024,
            os.waitstatus_to_exitcode(status), verdict]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("audit_scale.csv"))
    parser.add_argument("--sets", nargs="+", default=["few", "many", "large"], choices=SETS)
    options = parser.parse_args()
    rows = recorded_rows(options.file)
    done = {(row[0], row[1]) for row in rows}
    for name in options.sets:
        of = SETS[name]
        if (str(of.pairs), " x ".join(map(str, of.shape))) in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            write_pairs(Path(folder), of)
            rows.append(measured(Path(folder), of))
        print(*rows[-1], sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("audit_scale.py", ["numpy", "scipy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)


if __name__ == "__main__":
    main()
