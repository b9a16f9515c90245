"""How long does an audit take, and how much memory, from 20 pairs to thousands?

    python benchmarks/audit_scale.py [FILE] [--pairs 20 200] [--size 512]

Patches of the bundled photographs and their AES-CTR ciphertexts are written to two folders, which
the command `python -m leakage audit` reads. Each audit is a process of its own: its seconds and
its peak memory.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from provenance import stamp
from tqdm import tqdm

import leakage
from leakage.schemes.keyed_randomness import keystream

COLUMNS = ["pairs", "size", "seconds", "cpu_s", "peak_mib", "exit_code", "verdict"]


def write_pairs(folder: Path, pairs: int, size: int) -> None:
    """Patches of the photographs, shifted round their borders, so that no two are the same."""
    patches = leakage.load_images(size=size).images
    rng = np.random.default_rng(0)
    key = rng.bytes(16)
    for side in ("plain", "cipher"):
        (folder / side).mkdir()
    for i in tqdm(range(pairs), "writing"):
        image = np.roll(patches[i % len(patches)], rng.integers(0, size, 2), (0, 1))
        stream = keystream(key, "benchmark", i, image.size).reshape(image.shape)
        for side, pixels in (("plain", image), ("cipher", image ^ stream)):
            Image.fromarray(pixels).save(folder / side / f"{i:06}.pgm")


def measured(folder: Path, pairs: int, size: int) -> list:
    """Audit the folders in a process of its own."""
    command = [sys.executable, "-m", "leakage", "audit", folder / "plain", folder / "cipher",
               "-o", folder / "report"]  # fmt: skip
    start = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # ru_maxrss is the largest of all children so far: sizes must come in rising order
    return [pairs, size, f"{seconds:.1f}", f"{cpu:.1f}", after.ru_maxrss // 1024, done.returncode,
            done.stdout.partition("\n")[0]]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("audit_scale.csv"))
    parser.add_argument("--pairs", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    rows = []
    for pairs in sorted(options.pairs):
        with tempfile.TemporaryDirectory() as folder:
            write_pairs(Path(folder), pairs, options.size)
            rows.append(measured(Path(folder), pairs, options.size))
        print(*rows[-1], sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("audit_scale.py", ["numpy", "scipy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)


if __name__ == "__main__":
    main()
