"""How many photographs does each way to look need, and does the certified bound hold?

    python benchmarks/pretrained_power.py PHOTOGRAPHS FILE [--parts power certified]
        [--ways pretrained counting trained embedding] [--runs 10] [--slow-runs 3] [--schemes ...]

`power`: share of sets of so many photographs in which a way finds the leak at a level of 5 %. Ways
are the pretrained critic, one that the photographs train, neighbourhoods counted, and estimates in
the embedding space of a network. Of more photographs nothing is asked once two numbers of them in a
row had a power of 1. `certified`: how often the certified bits exceed the exact value, and what
they are beside `certified_mi` of patches. Rows are appended to FILE as they come; those that it has
are not made anew, so that a run may be stopped and go on.
"""

import argparse
import csv
import math
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from pretrained import ASKED, Row, photographs
from provenance import stamp
from sound_ciphertexts import aes

import leakage
from leakage.evidence.p_values import holm_p_values

#: p-value of images and their ciphertexts, and a seed.
Way = Callable[[np.ndarray, np.ndarray, int], float]

LEVEL = 0.05
SIDE = 128
SCHEMES = (
    "7 planes", "8 planes, key never 0", "keystream biased to 0.51", "one byte XORed to a row",
    "one clear sample in 64", "jpeg-ac-sign", "jpeg-dc-ac", "tpe-shuffle", "tpe-sum",
    "block-shuffle", "ele", "permute-diffuse",
)  # fmt: skip
#: Pictures of a patch's side in which all that leaks is known, and what each sample hides.
KNOWN_SIDE, PATCH = 32, 16
COLUMNS = ("part", "what", "told by", "pictures", "sets", "rate", "bits", "low", "seconds")


def _pretrained(x: np.ndarray, c: np.ndarray, seed: int) -> float:
    return leakage.patch_mi(x, c, critic="pretrained", seed=seed).p_value


def _trained(x: np.ndarray, c: np.ndarray, seed: int) -> float:
    return leakage.patch_mi(x, c, patch=8, steps=60, seed=seed).p_value


def _counting(x: np.ndarray, c: np.ndarray, seed: int) -> float:
    try:
        return leakage.neighbourhood_mi(x, c, folds=min(5, len(x)), seed=seed).p_value
    except ValueError:  # one side is constant
        return 1.0


def _embedding(x: np.ndarray, c: np.ndarray, seed: int) -> float:
    """Two layers of the network, corrected for both."""
    layers = ["stem", "head"]
    sides = [leakage.representations(v, layers) for v in (x, c)]
    found = [
        leakage.estimate_mi(
            sides[0][view], sides[1][view], groups=np.arange(len(x)), folds=3, seed=seed
        ).p_value
        for view in layers
    ]
    return min(holm_p_values(found))


#: How each way looks, at which numbers of pictures it can, and whether it is slow.
WAYS: dict[str, tuple[Way, tuple[int, ...], bool]] = {
    "pretrained": (_pretrained, (2, 3, 4, 5, 6, 8, 12, 20, 40, 60), False),
    "counting": (_counting, (6, 12, 20, 40, 60), False),
    "trained": (_trained, (6, 12, 20, 40, 60), True),
    "embedding": (_embedding, (40, 60), True),
}


def power(args: argparse.Namespace, done: dict[tuple, Row]) -> Iterator[Row]:
    pool = photographs(args.photographs, 400, 3, SIDE)
    for way, what in ((w, s) for w in args.ways for s in args.schemes):
        find, numbers, slow = WAYS[way]
        runs, sure = args.slow_runs if slow else args.runs, 0
        for pictures in numbers:
            if sure == 2:
                break
            if known := done.get(("power", what, way, str(pictures))):
                sure = sure + 1 if float(str(known["rate"])) == 1 else 0
                continue
            found, start = 0, time.time()
            for run in range(runs):
                rng = np.random.default_rng([run, pictures, 31])
                x = pool[rng.choice(len(pool), pictures, replace=False)]
                found += find(x, ASKED[what][0](x, rng), run) <= LEVEL
            sure = sure + 1 if found == runs else 0
            yield {
                "part": "power", "what": what, "told by": way, "pictures": pictures, "sets": runs,
                "rate": found / runs, "seconds": (time.time() - start) / runs,
            }  # fmt: skip


def _biased(probability: float, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x ^ np.packbits(rng.random((*x.shape, 8)) < probability, axis=-1)[..., 0]


def _of_samples(probability: float) -> float:
    """Bits of a patch of independent samples under a keystream of such bits."""
    p = probability
    return 8 * PATCH**2 * (1 + p * math.log2(p) + (1 - p) * math.log2(1 - p))


def certified(args: argparse.Namespace, done: dict[tuple, Row]) -> Iterator[Row]:
    known = {
        "AES": (lambda x, rng: aes(rng, x, 16), 0.0),
        **{f"bits of {p}": (partial(_biased, p), _of_samples(p)) for p in (0.495, 0.48)},
    }
    for what, (encrypt, exact) in known.items():
        if ("certified", what, "pretrained", "48") in done:
            continue
        bound, start = [], time.time()
        for run in range(args.certified_runs):
            rng = np.random.default_rng([run, 57])
            x = rng.integers(0, 256, (48, KNOWN_SIDE, KNOWN_SIDE), np.uint8)
            found = leakage.patch_mi(
                x, encrypt(x, rng), critic="pretrained", patch=PATCH, permutations=0, seed=run
            )
            bound.append(found.details["certified"])
        yield {
            "part": "certified", "what": what, "told by": "pretrained", "pictures": 48,
            "sets": len(bound), "rate": np.mean(np.array(bound) > exact),
            "bits": exact, "low": np.median(bound), "seconds": (time.time() - start) / len(bound),
        }  # fmt: skip
    yield from _beside(args, done)


def _beside(args: argparse.Namespace, done: dict[tuple, Row]) -> Iterator[Row]:
    """Of 200 photographs, what is certified of a patch, and by `certified_mi` of four of each."""
    pool = photographs(args.photographs, 200, 4, 2 * PATCH)
    for planes in (1, 4, 7):
        c = leakage.get_scheme("bitplane", bits=planes).encrypt(pool, bytes(16))
        for way in ("pretrained", "certified_mi"):
            if ("certified", f"{planes} planes", way, "200") in done:
                continue
            start = time.time()
            if way == "pretrained":
                low = leakage.patch_mi(pool, c, critic="pretrained").details["certified"]
            else:
                rows = [
                    v.reshape(200, 2, PATCH, 2, PATCH).swapaxes(2, 3).reshape(800, -1) / 255
                    for v in (pool, c)
                ]
                low = leakage.certified_mi(*rows, groups=np.repeat(np.arange(200), 4)).bits
            yield {
                "part": "certified", "what": f"{planes} planes", "told by": way, "pictures": 200,
                "sets": 1, "low": low, "seconds": time.time() - start,
            }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("file", type=Path)
    parser.add_argument("--parts", nargs="*", default=["power", "certified"])
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--schemes", nargs="*", default=list(SCHEMES), choices=list(ASKED))
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--slow-runs", type=int, default=3)
    parser.add_argument("--certified-runs", type=int, default=134)
    args = parser.parse_args()
    if not args.file.exists():
        with args.file.open("w", encoding="utf8", newline="") as out:
            out.write(stamp("pretrained_power.py, on bsds500", ["torch", "numpy"]))
            csv.writer(out, lineterminator="\n").writerow(COLUMNS)
    with args.file.open(encoding="utf8", newline="") as kept:
        kept.readline()
        table = list(csv.DictReader(kept))
    done = {(r["part"], r["what"], r["told by"], r["pictures"]): r for r in table}
    parts = {"power": power, "certified": certified}
    for row in (row for part in args.parts for row in parts[part](args, done)):
        shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}
        print(*shown.values(), sep=", ", flush=True)
        with args.file.open("a", encoding="utf8", newline="") as out:
            csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(shown)


if __name__ == "__main__":
    main()
