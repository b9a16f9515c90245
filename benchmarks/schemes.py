"""How fast is each scheme beside raw AES in counter mode on as many bytes, in one interleaved run?

    python benchmarks/schemes.py [FILE] [--repetitions 7]

CPU time on one thread of eight 512 x 512 colour and of eight grey images (JPEG schemes with their
coding; metrics of one grey pair). The peer encrypts the same number of bytes with pycryptodome and
does nothing else.
"""

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from Crypto.Cipher import AES
from provenance import stamp

import leakage
from leakage import metrics

KEY = bytes(range(16))
REQUIRED = {"bitplane": {"bits": 4}, "nonzero-key": {"bits": 4}}
PACKED = {"bitplane, packed": ("bitplane", {"bits": 4, "packed": True})}


def seconds(function: Callable) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("schemes.csv"))
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    names = {name: (name, REQUIRED.get(name, {})) for name in leakage.list_schemes().index} | PACKED
    rows = []
    for mode in ("gray", "rgb"):
        images = leakage.load_images(size=256, mode=mode, count=32).images
        images = images.reshape(8, 2, 2, *images.shape[1:]).swapaxes(2, 3)
        images = images.reshape(8, 512, 512, *images.shape[5:])
        plain = images.tobytes()
        jobs = {"raw AES-CTR": lambda plain=plain: AES.new(
            KEY, AES.MODE_CTR, nonce=b"", initial_value=bytes(16)).encrypt(plain)}  # fmt: skip
        for label, (name, parameters) in names.items():
            scheme = leakage.get_scheme(name, **parameters)
            jobs[f"{label}, encrypt"] = lambda s=scheme, x=images: s.encrypt(x, KEY)
            if scheme.lossless:
                cipher = scheme.encrypt(images, KEY)
                jobs[f"{label}, decrypt"] = lambda s=scheme, x=cipher: s.decrypt(x, KEY)
        times = {label: [] for label in jobs}
        for _ in range(options.repetitions):
            for label, job in jobs.items():
                times[label].append(seconds(job))
        for label, found in times.items():
            rates = sorted(len(plain) / 1e6 / np.array(found))
            ratio = statistics.median(times["raw AES-CTR"]) / statistics.median(found)
            rows.append([label, mode, statistics.median(rates), rates[0], rates[-1], ratio])
    pair = (
        images[:1, ..., 1],
        leakage.get_scheme("bitplane", bits=8).encrypt(images[:1, ..., 1], KEY),
    )
    spent = [seconds(lambda: metrics.table(*pair)) for _ in range(options.repetitions)]
    print(f"all metrics of one 512 x 512 pair: {statistics.median(spent):.2f} s "
          f"({min(spent):.2f} to {max(spent):.2f})")  # fmt: skip
    with options.file.open("w", newline="", encoding="utf8") as file:
        file.write(stamp("schemes.py", ["numpy", "pycryptodome", "jpeglib"]))
        writer = csv.writer(file)
        writer.writerow(["scheme", "mode", "mb_per_s", "low", "high", "ratio to raw AES-CTR"])
        writer.writerows([*row[:2], *(f"{v:.4g}" for v in row[2:])] for row in rows)
    for label, mode, rate, low, high, ratio in rows:
        print(f"{label:28} {mode:5} {rate:8.1f} MB/s ({low:.1f} to {high:.1f}), "
              f"{ratio:.3f} of raw AES-CTR")  # fmt: skip


if __name__ == "__main__":
    main()
