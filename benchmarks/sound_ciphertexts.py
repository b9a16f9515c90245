"""How often does an audit accuse ciphertexts that know nothing of their images?

    python benchmarks/sound_ciphertexts.py [FILE] [--kinds NAME ...] [--runs 100] [--pairs 60]
        [--size 64] [--jobs 2]

Whole audits, one row for each kind of ciphertext, drawn without the image: how many of the runs
claim a leak, and by which finding. What an audit plants where it finds nothing is left out: it
takes two thirds of the time and accuses nobody. Kinds that FILE already has are kept.
"""

import argparse
import csv
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one run a core

import numpy as np
from Crypto.Cipher import AES, ChaCha20
from joblib import Parallel, delayed
from provenance import recorded_rows, stamp
from scipy.stats import binomtest

import leakage
from leakage.audits.auditing import audit

Set = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # images, ciphertexts, groups


def photographs(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Random patches of the bundled photographs, of generated scenes where they are too few."""
    patches = leakage.load_images(size=size).images
    if len(patches) >= count:
        return patches[rng.choice(len(patches), count, replace=False)]
    seed = int(rng.integers(1 << 30))
    return leakage.load_images("generated", size=size, count=count, seed=seed).images


def aes(rng: np.random.Generator, images: np.ndarray, key_bytes: int = 16) -> np.ndarray:
    """AES-CTR, a nonce an image."""
    key = rng.bytes(key_bytes)
    out = [AES.new(key, AES.MODE_CTR, nonce=rng.bytes(8)).encrypt(i.tobytes()) for i in images]
    return np.frombuffer(b"".join(out), np.uint8).reshape(images.shape).copy()


def chacha(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    key = rng.bytes(32)
    out = [ChaCha20.new(key=key, nonce=rng.bytes(12)).encrypt(i.tobytes()) for i in images]
    return np.frombuffer(b"".join(out), np.uint8).reshape(images.shape).copy()


def _of_each(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """One random byte an image, which fills what it is put into."""
    return rng.integers(0, 256, (len(images), 1, 1), np.uint8)


def random_spread(rng: np.random.Generator, images: np.ndarray) -> Set:
    spread = rng.uniform(5, 60, (len(images), 1, 1))
    return images, np.clip(128 + spread * rng.normal(size=images.shape), 0, 255).astype("u1"), None


def byte_rows(rng: np.random.Generator, images: np.ndarray, rows: slice = np.s_[:16]) -> Set:
    cipher = aes(rng, images)
    cipher[:, rows] = _of_each(rng, images)
    return images, cipher, None


def random_header(rng: np.random.Generator, images: np.ndarray) -> Set:
    """Four rows that are random and the same all along, under a fifth of each image in black."""
    images, cipher = images.copy(), aes(rng, images)
    images[:, : images.shape[1] // 5] = 0
    cipher[:, :4] = rng.integers(0, 256, (len(images), 4, 1), np.uint8)
    return images, cipher, None


def fixed_header(rng: np.random.Generator, images: np.ndarray) -> Set:
    """The same random bytes in each ciphertext, above a margin that is black in each image."""
    images, cipher = images.copy(), aes(rng, images)
    images[:, :12] = 0
    cipher[:, :12] = rng.integers(0, 256, (12, images.shape[2]), np.uint8)
    return images, cipher, None


def margins(rng: np.random.Generator, images: np.ndarray) -> Set:
    """A black margin is left alone, what lies inside is encrypted."""
    images, cipher = images.copy(), aes(rng, images)
    images[:, :, :9] = cipher[:, :, :9] = 0
    return images, cipher, None


def letterbox(rng: np.random.Generator, images: np.ndarray) -> Set:
    """Bars above and below of a height of its own in each ciphertext, whatever the image."""
    cipher = aes(rng, images)
    for one, rows in zip(cipher, rng.integers(0, images.shape[1] // 4, len(images)), strict=True):
        one[:rows] = one[len(one) - rows :] = 16
    return images, cipher, None


def saved_twice(rng: np.random.Generator, images: np.ndarray) -> Set:
    images, cipher = images.copy(), aes(rng, images)
    for one, other in rng.permutation(len(images))[:6].reshape(3, 2):
        images[other], cipher[other] = images[one], cipher[one]
    return images, cipher, None


def other_content(rng: np.random.Generator, images: np.ndarray) -> Set:
    half = len(images) // 2  # neither is among the images of the other side
    return images[:half], images[half : 2 * half], None


def brightness_sorted(rng: np.random.Generator, images: np.ndarray) -> Set:
    factor = np.sort(rng.uniform(0.05, 1, len(images)))[:, None, None]
    images = (images * factor).astype(np.uint8)
    return images, aes(rng, images), None


def crops(rng: np.random.Generator, images: np.ndarray) -> Set:
    """Each scene four times, turned and mirrored, under a ciphertext header of its group."""
    some = images[: len(images) // 4]
    images = np.concatenate([some, some[:, ::-1], some[:, :, ::-1], some[:, ::-1, ::-1]])
    cipher, groups = aes(rng, images), np.tile(np.arange(len(some)), 4)
    cipher[:, :6] = _of_each(rng, some)[groups]
    return images, cipher, groups


KINDS: dict[str, Callable[[np.random.Generator, np.ndarray], Set]] = {
    "AES 128": lambda rng, x: (x, aes(rng, x, 16), None),
    "AES 192": lambda rng, x: (x, aes(rng, x, 24), None),
    "AES 256": lambda rng, x: (x, aes(rng, x, 32), None),
    "ChaCha20": lambda rng, x: (x, chacha(rng, x), None),
    "random spread": random_spread,
    "sixteen rows of a byte": byte_rows,
    "four pad rows": lambda rng, x: byte_rows(rng, x, np.s_[-4:]),
    "random header": random_header,
    "fixed header": fixed_header,
    "margins": margins,
    "letterbox": letterbox,
    "saved twice": saved_twice,
    "content of other images": other_content,
    "brightness sorted": brightness_sorted,
    "several crops, grouped": crops,
}


def claims(kind: str, seed: int, pairs: int, size: int) -> list[str]:
    """Names of the findings that claim a leak."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    plain, cipher, groups = KINDS[kind](rng, photographs(rng, pairs, size))
    with patch("leakage.audits.power.power_of", return_value=()):
        found = audit(plain, cipher, groups=groups, seed=seed, progress=False).findings
    return [f.name for f in found if f.leaks]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("sound_ciphertexts.csv"))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = recorded_rows(options.file)
    done = {row[0] for row in rows}
    what = f"{options.pairs} pairs of {options.size} x {options.size}"
    for kind in options.kinds:
        if kind in done:
            continue
        start = time.perf_counter()
        runs = Parallel(n_jobs=options.jobs)(
            delayed(claims)(kind, seed, options.pairs, options.size) for seed in range(options.runs)
        )
        accused = sum(map(bool, runs))
        low, high = binomtest(accused, options.runs).proportion_ci(method="exact")
        names = Counter(name for found in runs for name in found)
        by = ", ".join(f"{name} {times}" for name, times in names.most_common())
        rows.append([kind, what, options.runs, accused, f"{low:.4f}", f"{high:.4f}", by])
        print(*rows[-1], f"{time.perf_counter() - start:.0f} s", sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("sound_ciphertexts.py", ["numpy", "scipy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(["kind", "pairs", "audits", "accused", "low", "high", "by"])
            writer.writerows(rows)
    total, audits = (sum(int(row[column]) for row in rows) for column in (3, 2))
    print(f"all: {total} of {audits} accused")


if __name__ == "__main__":
    main()
