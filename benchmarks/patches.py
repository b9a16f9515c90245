"""What does a critic of raw patches see, and does a map find the leak where it is?

    python benchmarks/patches.py PART [FILE] [--runs N] [--seeds N] [--photographs FOLDER]

PART is one of `levels` (bits a patch at 0 to 8 encrypted planes, given gray values and bits), `zoo`
(every scheme, with intervals by photograph), `spatial` (power for leaks that are only spatial),
`alarms` (false alarms of the test and of maps under AES) and `maps` (overlap of maps with where the
leak is). Photographs are the bundled ones, or those of a folder. Rows are printed, and kept in FILE
where one is named.
"""

import argparse
import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from provenance import stamp
from scipy.stats import binomtest

import leakage

Row = dict[str, object]


def photographs(folder: str | None, count: int | None = None, seed: int = 0):
    return leakage.load_images(folder or "photographs", count=count, seed=seed, mode="gray")


def noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, images.shape, np.uint8)


def estimated(name: str, inputs: str, images, cipher: np.ndarray, seed: int) -> Row:
    start = time.process_time()
    found = leakage.patch_mi(images.images, cipher, inputs=inputs, groups=images.groups, seed=seed)
    return {
        "what": name, "inputs": inputs, "seed": seed, "bits": found.bits, "low": found.low,
        "high": found.high, "p": found.p_value, "ceiling": found.details["ceiling"],
        "top1": found.details["top1"], "cpu seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def levels(args: argparse.Namespace) -> Iterator[Row]:
    images = photographs(args.photographs, args.count)
    for seed in range(args.seeds):
        key = np.random.default_rng(seed).bytes(16)
        for level in args.levels:
            cipher = leakage.get_scheme("bitplane", bits=level).encrypt(images.images, key)
            for inputs in ("gray", "bits"):
                yield estimated(f"{level} planes", inputs, images, cipher, seed)


def zoo(args: argparse.Namespace) -> Iterator[Row]:
    images = photographs(args.photographs, args.count)
    for seed in range(args.seeds):
        key = np.random.default_rng(seed).bytes(16)
        for name in leakage.list_schemes().index:
            try:
                cipher = leakage.get_scheme(name).encrypt(images.images, key)
            except (TypeError, ValueError) as error:  # of another shape, or without defaults
                print(f"{name}: {error}", file=sys.stderr)
                continue
            if cipher.shape == images.images.shape:
                yield estimated(name, "both", images, cipher, seed)


def _row(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images ^ rng.integers(0, 256, (*images.shape[:2], 1), np.uint8)


def _image(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images ^ rng.integers(0, 256, (len(images), 1, 1), np.uint8)


def _blocks(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return leakage.get_scheme("block-shuffle").encrypt(images, rng.bytes(16))


SPATIAL = {"byte an image": _image, "byte a row": _row, "block shuffle": _blocks}


def rate(what: str, alarms: list[bool]) -> Row:
    low, high = binomtest(sum(alarms), len(alarms)).proportion_ci(method="exact")
    return {"what": what, "runs": len(alarms), "rate": np.mean(alarms), "low": low, "high": high}


def spatial(args: argparse.Namespace) -> Iterator[Row]:
    for name, encrypt in SPATIAL.items():
        found = []
        for seed in range(args.runs):
            plain = photographs(args.photographs, 60, seed).images
            cipher = encrypt(plain, np.random.default_rng(seed))
            found.append(leakage.patch_mi(plain, cipher, seed=seed).p_value)
        for level in (0.05, 0.01):
            yield rate(f"{name}, 60 images at {level:.0%}", [p <= level for p in found])


def alarms(args: argparse.Namespace) -> Iterator[Row]:
    plain = photographs(args.photographs, 60).images[:, :32, :32]
    found = []
    for seed in range(args.runs):
        cipher = noise(plain, np.random.default_rng([1, seed]))
        cheap = leakage.patch_mi(plain, cipher, patch=8, steps=10, permutations=199, seed=seed)
        found.append(cheap.p_value <= 0.05)
    yield rate("test at 5 %, noise", found)
    plain = photographs(args.photographs, 200).images
    for by in ("counting", "critic"):
        for seed in range(args.seeds):
            cipher = noise(plain, np.random.default_rng([2, seed]))
            each = leakage.leak_map(plain, cipher, over="images", by=by, seed=seed)
            yield rate(f"200 maps of images, {by}, seed {seed}", each.marked.any((1, 2)).tolist())
    found = [
        leakage.leak_map(
            plain[:60], noise(plain[:60], np.random.default_rng([3, seed])), by="counting",
            seed=seed, permutations=199,
        ).marked.any()
        for seed in range(args.runs)
    ]  # fmt: skip
    yield rate("maps of sets, counting", found)


def overlap(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return (found & true).sum((-2, -1)) / np.maximum((found | true).sum((-2, -1)), 1)


def _boxes(count: int, rng: np.random.Generator) -> np.ndarray:
    masks = np.zeros((count, 64, 64), bool)
    for mask, (top, left) in zip(masks, rng.integers(0, 49, (count, 2)), strict=True):
        mask[top : top + 16, left : left + 16] = True
    return masks


def maps(args: argparse.Namespace) -> Iterator[Row]:
    quadrant = np.zeros((64, 64), bool)
    quadrant[:32, 32:] = True
    settings: dict[str, tuple[str, Callable[[np.random.Generator], np.ndarray], int]] = {
        "clear box at one place": ("set", lambda rng: _boxes(1, rng)[0], 0xFF),
        "clear box elsewhere in every image": ("images", lambda rng: _boxes(100, rng), 0xFF),
        "two clear planes in a quadrant, set": ("set", lambda _: quadrant, 0x03),
        "two clear planes in a quadrant, images": ("images", lambda _: quadrant, 0x03),
    }
    for name, (over, places, clear) in settings.items():
        found: list[float] = []
        for seed in range(args.seeds):
            rng = np.random.default_rng([4, seed])
            plain = photographs(args.photographs, 100, seed).images
            true = places(rng)
            hidden = noise(plain, rng) & np.where(true, 0xFF ^ clear, 0xFF).astype(np.uint8)
            one = leakage.leak_map(plain, plain ^ hidden, over=over, by=args.by, seed=seed)
            found += np.atleast_1d(overlap(one.mask, true)).tolist()
        quartiles = dict(zip(("lower", "median", "upper"), np.quantile(found, (0.25, 0.5, 0.75)),
                             strict=True))  # fmt: skip
        yield {"what": name, "maps": len(found)} | quartiles


PARTS = {"levels": levels, "zoo": zoo, "spatial": spatial, "alarms": alarms, "maps": maps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--count", type=int, help="patches of 64 x 64; all by default")
    parser.add_argument("--levels", type=int, nargs="+", default=list(range(9)))
    parser.add_argument("--by", default="auto", help="who scores places of maps")
    parser.add_argument("--photographs", help="a folder; the bundled ones by default")
    args = parser.parse_args()
    rows = []
    for row in PARTS[args.part](args):
        rows.append(row)
        print("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}"
                        for k, v in row.items()), flush=True)  # fmt: skip
    if args.file:
        with args.file.open("w", encoding="utf8", newline="") as file:
            file.write(stamp("patches.py", ["torch", "numpy"]))
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
