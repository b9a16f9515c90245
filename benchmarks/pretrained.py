"""What does the critic that the package carries find, in how few photographs, and does it invent?

    python benchmarks/pretrained.py PHOTOGRAPHS [FILE]
        [--parts zoo sound maps time left-out retrained trained] [--sets 5] [--runs 100]
        [--critics FOLDER]

PHOTOGRAPHS is a folder of pictures of at least 256 x 256. `zoo`: every scheme, and members of the
simulated families, with 8 and with 6 photographs. `sound`: false alarms at 5 %, ciphertexts that
know nothing of their pictures. `maps`: overlap of the map of a single pair with a clear box.
`time`: seconds for 8 pairs of 512 x 512, with start-up. `left-out`: as `zoo`, but each asked of a
critic of FOLDER/* that never saw a family like it (`train_critic.py FOLDER --critics 20`).
`retrained`: as `zoo`, by the critic of FOLDER, trained elsewhere (`train_critic.py FOLDER`).
`trained`: the same ciphers by a critic that 60 photographs taught, for comparison; minutes each.
Rows are printed, and kept in FILE where one is named.
"""

import argparse
import csv
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from provenance import stamp
from scipy.stats import binomtest
from sound_ciphertexts import aes, chacha, fixed_header, margins, random_spread

import leakage
from leakage.estimators.pair_critic import PairCritic
from leakage.estimators.pretrained import load_critic, pretrained_mi
from leakage.estimators.simulated_ciphers import FAMILIES, SOUND, simulated_cipher
from leakage.evidence.samples import image_groups

Row = dict[str, object]
#: Of photographs and a generator that stands for the key.
Encrypt = Callable[[np.ndarray, np.random.Generator], np.ndarray]
SIDE = 256
DCT = ("DCT signs", "DCT amounts", "DCT means", "DCT means and amounts", "DCT truncated")
UNEVEN = ("biased bits", "XOR of a law", "addition of a law")

#: Settings of the schemes, and the simulated families that are like each of them.
ZOO: dict[str, tuple[str, dict[str, object], tuple[str, ...]]] = {
    **{f"{b} planes": ("bitplane", {"bits": b}, ("XOR of planes",)) for b in (1, 4, 6, 7)},
    "planes 7, 5, 3, 1": ("bitplane", {"planes": (7, 5, 3, 1)}, ("XOR of planes",)),
    "7 planes, key never 0": ("nonzero-key", {"bits": 7}, ("XOR of planes",)),
    "8 planes, key never 0": ("nonzero-key", {"bits": 8}, ("XOR of planes", *UNEVEN)),
    "aes-ecb": ("aes-ecb", {}, ()),
    "pixel-shuffle": ("pixel-shuffle", {}, ("sample places",)),
    "cat-map": ("cat-map", {}, ("sample places",)),
    "block-shuffle": ("block-shuffle", {}, ("block places",)),
    "etc": ("etc", {}, ("block places",)),
    "le": ("le", {}, ("half bytes",)),
    "ele": ("ele", {}, ("half bytes",)),
    "skk": ("skk", {}, ("inversion",)),
    "tpe-shuffle": ("tpe-shuffle", {}, ("inside blocks",)),
    "tpe-sum": ("tpe-sum", {}, ("kept sums",)),
    **{n: (n, {}, DCT) for n in ("jpeg-dc", "jpeg-ac-sign", "jpeg-ac", "jpeg-dc-ac", "p3")},
    "logistic-xor": ("logistic-xor", {}, UNEVEN),
    "permute-diffuse": ("permute-diffuse", {}, ("diffusion",)),
    **{
        f"keystream biased to {b}": ("biased-keystream", {"bias": b}, UNEVEN)
        for b in (0.6, 0.51, 0.49)
    },
    "blur": ("blur", {}, ("coarse",)),
    "reused-keystream": ("reused-keystream", {}, ()),
    "public-keystream": ("public-keystream", {}, ()),
}


def _scheme(name: str, parameters: dict, images: np.ndarray, rng: np.random.Generator):
    return leakage.get_scheme(name, **parameters).encrypt(images, rng.bytes(16))


def _member(family: str, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of a family that leaks, a member that the seeds of training hardly ever drew."""
    return simulated_cipher(family, int(rng.integers(2**32))).encrypt(
        images, int(rng.integers(2**32))
    )


def _byte(covers: str, added: bool, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = {"image": (1, 1), "row": (images.shape[1], 1)}[covers]
    stream = rng.integers(0, 256, (len(images), *shape), np.uint8)
    return images + stream if added else images ^ stream


def _table(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.stack([rng.permutation(256).astype(np.uint8)[one] for one in images])


def _some_clear(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(0, 256, images.shape, np.uint8)
    return np.where(rng.random(images.shape) < 1 / 64, images, noise)


#: What is asked: how to encrypt, and which families it is like.
ASKED: dict[str, tuple[Encrypt, tuple[str, ...]]] = {
    **{what: (partial(_scheme, n, p), like) for what, (n, p, like) in ZOO.items()},
    "one byte XORed to an image": (partial(_byte, "image", False), ("one element",)),
    "one byte added to an image": (partial(_byte, "image", True), ("one element",)),
    "one byte XORed to a row": (partial(_byte, "row", False), ("one element",)),
    "a random table an image": (_table, ("substitution",)),
    "one clear sample in 64": (_some_clear, ("sampled",)),
    **{
        f"members of: {family}": (partial(_member, family), (family,))
        for family in ("addition to planes", "multiplication", "periodic keystream",
                       "plane places", "regions")
    },
}  # fmt: skip


def photographs(folder: str, count: int, seed: int, size: int = SIDE) -> np.ndarray:
    """Of so many photographs one square each."""
    found = leakage.load_images(folder, size=size, mode="gray", seed=seed)
    _, first = np.unique(found.groups, return_index=True)
    rows = np.random.default_rng([seed, 5]).permutation(first)[:count]
    return found.images[rows]


def found_by(critic: PairCritic | None, x: np.ndarray, c: np.ndarray, seed: int):
    return pretrained_mi(
        iter([(x, c, image_groups(x, None))]), patch=16, permutations=9_999, seed=seed,
        device="cpu", critic=critic,
    )  # fmt: skip


def asked(
    part: str,
    pool: np.ndarray,
    sets: int,
    critic_of: Callable[[tuple[str, ...]], PairCritic | None],
) -> Iterator[Row]:
    """Each in so many sets, p and bits in the median; disjoint sets where photographs suffice."""
    for what, (encrypt, like) in ASKED.items():
        if part == "left-out" and not like:
            continue
        critic = critic_of(like)
        for pictures in (8, 6):
            found, start = [], time.time()
            for s in range(sets):
                rng = np.random.default_rng([s, pictures])
                x = pool[s * pictures : (s + 1) * pictures]
                found.append(found_by(critic, x, encrypt(x, rng), s))
            p = np.array([one.p_value for one in found])
            yield {
                "part": part, "what": what, "pictures": pictures, "sets": sets,
                "p": np.median(p), "largest p": p.max(), "rate": "",
                "bits": np.median([one.bits for one in found]),
                "low": np.median([one.row()["low"] for one in found]),
                "high": np.median([one.row()["high"] for one in found]),
                "told by": found[0].details["head"],
                "seconds": round((time.time() - start) / sets, 2),
            }  # fmt: skip


def _other(rng: np.random.Generator, images: np.ndarray):
    """The ciphertexts are other pictures."""
    seed = int(rng.integers(2**31))
    return images, leakage.load_images("scenes", size=64, count=len(images), seed=seed).images, None


def trained(pool: np.ndarray) -> Iterator[Row]:
    """What a critic finds that these photographs taught, held out by photograph."""
    for what, (encrypt, _) in ASKED.items():
        start, c = time.time(), encrypt(pool, np.random.default_rng(0))
        one = leakage.patch_mi(pool, c, patch=16, seed=0)
        row = one.row()
        yield {
            "part": "trained", "what": what, "pictures": len(pool), "sets": 1, "p": one.p_value,
            "largest p": one.p_value, "rate": "", "bits": one.bits, "low": row["low"],
            "high": row["high"], "told by": one.method, "seconds": round(time.time() - start, 2),
        }  # fmt: skip


KINDS = {
    "AES-128": lambda rng, x: (x, aes(rng, x, 16), None),
    "AES-192": lambda rng, x: (x, aes(rng, x, 24), None),
    "AES-256": lambda rng, x: (x, aes(rng, x, 32), None),
    "ChaCha20": lambda rng, x: (x, chacha(rng, x), None),
    "noise of uneven spread": random_spread,
    "fixed header": fixed_header,
    "margins": margins,
    "content of other pictures": _other,
}


def sound(pool: np.ndarray, runs: int) -> Iterator[Row]:
    for kind, made in KINDS.items():
        found, start = [], time.time()
        for s in range(runs):
            rng = np.random.default_rng([s, 77])
            x = pool[rng.choice(len(pool), 8, replace=False)]
            x, c, _ = made(rng, x)
            found.append(found_by(None, x, c, s))
        alarms = sum(one.p_value <= 0.05 for one in found)
        low, high = binomtest(alarms, runs).proportion_ci(method="exact")
        yield {
            "part": "sound", "what": kind, "pictures": 8, "sets": runs,
            "p": np.median([one.p_value for one in found]), "largest p": "",
            "rate": alarms / runs, "bits": np.median([one.bits for one in found]),
            "low": low, "high": high, "told by": "",
            "seconds": round((time.time() - start) / runs, 2),
        }  # fmt: skip


def maps(pool: np.ndarray) -> Iterator[Row]:
    for what, clear in (("clear box", 0xFF), ("two lowest planes clear", 0x03), ("AES", 0)):
        found, start = [], time.time()
        for s, x in enumerate(pool):
            rng = np.random.default_rng([s, 9])
            top, left = rng.integers(0, SIDE * 3 // 4 + 1, 2)
            inside = np.zeros(x.shape, bool)
            inside[top : top + SIDE // 4, left : left + SIDE // 4] = True
            hidden = np.where(inside, 255 - clear, 255).astype(np.uint8)
            c = x ^ (rng.integers(0, 256, x.shape, np.uint8) & hidden)
            one = leakage.leak_map(x[None], c[None], critic="pretrained", seed=s)
            mask = one.mask[0]
            both = (mask & inside).sum() / (mask | inside).sum()
            found.append(float(both if clear else mask.any()))
        quarter, middle, three = np.quantile(found, (0.25, 0.5, 0.75))
        yield {
            "part": "maps", "what": what, "pictures": 1, "sets": len(pool), "p": "",
            "largest p": "", "rate": middle if clear else np.mean(found), "bits": "",
            "low": quarter, "high": three, "told by": "overlap" if clear else "maps with marks",
            "seconds": round((time.time() - start) / len(pool), 2),
        }  # fmt: skip


TIMED = """
import resource, leakage, numpy as np
x = np.random.default_rng(0).integers(0, 256, (8, 512, 512), np.uint8)
leakage.patch_mi(x, x, critic="pretrained")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def timed() -> Iterator[Row]:
    for _ in range(3):
        start = time.time()
        done = subprocess.run([sys.executable, "-c", TIMED], capture_output=True, text=True)
        yield {
            "part": "time", "what": f"8 pairs of 512 x 512, {int(done.stdout) / 1024:.0f} MiB",
            "pictures": 8, "sets": 1, "p": "", "largest p": "", "rate": "", "bits": "", "low": "",
            "high": "", "told by": "", "seconds": round(time.time() - start, 2),
        }  # fmt: skip


def critics(folder: Path, pattern: str) -> list[PairCritic]:
    files = sorted(folder.glob(pattern))
    return [load_critic(f, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]


def left_out(pool: np.ndarray, args: argparse.Namespace) -> Iterator[Row]:
    """Each asked of the critic that never saw the like of it, if one did not."""
    known = critics(args.critics, "*/pretrained_critic.npz")

    def blind(like: tuple[str, ...]) -> PairCritic | None:
        """Of those that never saw the like, the one that saw most."""
        able = (c for c in known if not set(like) & set(c.families))
        return max(able, key=lambda c: len(c.families), default=None)

    gone = [what for what, (_, like) in ASKED.items() if like and blind(like) is None]
    for what in gone:
        print(f"no critic that never saw the like of: {what}", file=sys.stderr)
        del ASKED[what]
    yield from asked("left-out", pool, args.sets, blind)


def retrained(pool: np.ndarray, args: argparse.Namespace) -> Iterator[Row]:
    (other,) = critics(args.critics, "pretrained_critic.npz")
    yield from asked("retrained", pool, args.sets, lambda _: other)


#: Parts and what makes their rows, from the folder of photographs and the options.
PARTS: dict[str, Callable[[str, argparse.Namespace], Iterator[Row]]] = {
    "zoo": lambda f, a: asked("zoo", photographs(f, 8 * a.sets, 0), a.sets, lambda _: None),
    "retrained": lambda f, a: retrained(photographs(f, 8 * a.sets, 0), a),
    "left-out": lambda f, a: left_out(photographs(f, 8 * a.sets, 0), a),
    "sound": lambda f, a: sound(photographs(f, 300, 1, 64), a.runs),
    "trained": lambda f, _: trained(photographs(f, 60, 3)),
    "maps": lambda f, a: maps(photographs(f, a.maps, 2)),
    "time": lambda *_: timed(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=["zoo", "sound", "maps", "time"]
    )
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--maps", type=int, default=40)
    parser.add_argument("--critics", type=Path, default=Path("critics"))
    args = parser.parse_args()
    assert set(SOUND) < set(FAMILIES)
    kept: list[Row] = []
    for row in chain.from_iterable(PARTS[part](args.photographs, args) for part in args.parts):
        kept.append({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
        print(*kept[-1].values(), sep=", ", flush=True)
    if args.file:
        with args.file.open("w", encoding="utf8", newline="") as out:
            packages = ["torch", "numpy"]
            out.write(stamp(f"pretrained.py, parts {' '.join(args.parts)}, on bsds500", packages))
            table = csv.DictWriter(out, kept[0], lineterminator="\n")
            table.writeheader()
            table.writerows(kept)


if __name__ == "__main__":
    main()
