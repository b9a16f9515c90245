"""Does `leakage.compare` ever give the wrong order?

    python benchmarks/compare.py [FILE] [--runs 20] [--images 60] [--size 64] [--seed 0]

Pairs of schemes whose order is known, on generated scenes and under fresh keys each time: how
often the answer is right, wrong, or that it cannot be said. A scheme against itself is never to
have an order. Pairs that FILE already has are kept.
"""

import argparse
import csv
import os
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from provenance import recorded_rows, stamp

import leakage

PAIRS = {
    "planes 2, planes 3": (("bitplane", {"bits": 2}), ("bitplane", {"bits": 3}), "A"),
    "planes 3, planes 2": (("bitplane", {"bits": 3}), ("bitplane", {"bits": 2}), "B"),
    "AES, AES": (("bitplane", {"bits": 8}), ("bitplane", {"bits": 8}), None),
    "planes 7, AES": (("bitplane", {"bits": 7}), ("bitplane", {"bits": 8}), "A"),
    "AES, reused keystream": (("bitplane", {"bits": 8}), ("reused-keystream", {}), "B"),
    "bias .6, bias .55": (
        ("biased-keystream", {"bias": 0.6}), ("biased-keystream", {"bias": 0.55}), "A",
    ),
    "planes 2, planes 2": (("bitplane", {"bits": 2}), ("bitplane", {"bits": 2}), None),
    "ETC, ETC": (("etc", {}), ("etc", {}), None),
    "SKK, SKK": (("skk", {}), ("skk", {}), None),
}  # fmt: skip

ANSWERS = ("right", "cannot be said", "wrong")
COLUMNS = ["pair", "order", "runs", "images", *ANSWERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("compare.csv"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    many = leakage.load_images(
        "scenes", size=options.size, count=2 * options.images, seed=options.seed
    )
    rows = recorded_rows(options.file)
    done = {row[0] for row in rows}
    for name, (first, second, right) in PAIRS.items():
        if name in done:
            continue
        one, other = (leakage.get_scheme(s, **settings) for s, settings in (first, second))
        found: Counter[str] = Counter()
        for run in range(options.runs):
            rng = np.random.default_rng([options.seed, run])
            images = many.images[rng.permutation(len(many.images))[: options.images]]
            more = leakage.compare(one, other, images, seed=options.seed + 7 * run).more
            found["right" if more == right else "cannot be said" if more is None else "wrong"] += 1
        rows.append([name, right or "cannot be said", options.runs, options.images]
                    + [found[answer] for answer in ANSWERS])  # fmt: skip
        print(*rows[-1], sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("compare.py", ["numpy", "scipy"]))
            csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
