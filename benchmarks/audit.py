"""Does an audit find every leak of the zoo and every planted flaw, and invent none?

    python benchmarks/audit.py [FILE] [--pairs 200] [--nulls 100] [--jobs 2]

One row for each scheme or flaw, on patches of the bundled photographs, at the quick profile; then
seeded audits of full AES-CTR with keys of three sizes, where nothing may be found. Rows that FILE
already has are kept, so that an interrupted run goes on where it stopped.
"""

import argparse
import csv
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one audit a core

import numpy as np
from Crypto.Cipher import AES
from joblib import Parallel, delayed
from provenance import stamp

import leakage
from leakage.audits.auditing import audit

COLUMNS = ["what", "pairs", "leaks", "found by", "certified", "exact", "detectable", "cpu_s"]


def schemes() -> dict[str, tuple[str, dict]]:
    """The zoo at its default level, and at several where a scheme has levels."""
    levels = {
        "bitplane": [{"bits": k} for k in (1, 4, 7)],
        "nonzero-key": [{"bits": 1}, {"bits": 8}],
        "biased-keystream": [{"bias": 0.6}, {"bias": 0.51}],
        "jpeg-ac-sign": [{"quality": 50}, {"quality": 90}],
        "etc": [{}, {"mode": "grey"}],
        "aes-ecb": [{}, {"unit": "planes"}],
    }
    return {
        f"{name} {parameters}": (name, parameters)
        for name in leakage.list_schemes().index
        for parameters in levels.get(name, [{}])
    }


def stream(images: np.ndarray, seed: int, key_bytes: int = 16) -> np.ndarray:
    """AES-CTR with a key of that size, a nonce an image."""
    key = np.random.default_rng([seed, key_bytes]).bytes(key_bytes)
    ciphers = (
        AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=i.to_bytes(8, "big") + bytes(8))
        for i in range(len(images))
    )
    flat = [np.frombuffer(c.encrypt(bytes(images[0].size)), np.uint8) for c in ciphers]
    return np.stack(flat).reshape(images.shape)


def _tiled(images: np.ndarray) -> np.ndarray:
    flat = stream(images, 0).reshape(len(images), -1)
    return np.resize(flat[:, :4096], (len(images), 4096))[
        :, np.arange(images[0].size) % 4096
    ].reshape(images.shape)


def _reused(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found[::10] = found[0]
    return found


def _nibbles(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found.reshape(-1)[::16] &= 0xF0
    return found


def _some_clear(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found[::20] = 0
    return found


FLAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "keystream of period 4096": lambda x: x ^ _tiled(x),
    "one image in ten under a reused nonce": lambda x: x ^ _reused(x),
    "keystream bits biased to 0.51": lambda x: leakage.get_scheme(
        "biased-keystream", bias=0.51).encrypt(x, bytes(range(16))),
    "low nibble of every 16th sample clear": lambda x: x ^ _nibbles(x),
    "counter restarts each row": lambda x: x ^ stream(x, 0)[:, :1],
    "5 % of the images in clear": lambda x: x ^ _some_clear(x),
    "mean brightness only": lambda x: leakage.get_scheme(
        "tpe-sum", block=x.shape[1]).encrypt(x, bytes(range(16))),
}  # fmt: skip


def row(what: str, found, spent: float) -> list:
    names = "; ".join(f.name for f in found.findings if f.leaks)
    exact = "" if found.exact is None else f"{found.exact.bits:.4f}"
    detectable = "" if found.detectable_bits is None else f"{found.detectable_bits:.3f}"
    certified = f"{found.certified_bits:.4f}"
    pairs = found.settings["pairs"]
    return [what, pairs, found.leaks, names, certified, exact, detectable, f"{spent:.1f}"]


def run(what: str, images: np.ndarray, seed: int) -> list:
    start = time.process_time()
    if what.startswith("AES-CTR"):
        size = int(what.split()[1]) // 8
        found = audit(images, images ^ stream(images, seed, size), seed=seed, progress=False)
    elif what in FLAWS:
        found = audit(images, FLAWS[what](images), progress=False)
    else:
        name, parameters = schemes()[what]
        scheme = leakage.get_scheme(name, **parameters)
        found = audit(scheme=scheme, images=images, progress=False)
    return row(what, found, time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("audit.csv"))
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--nulls", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = []
    if options.file.is_file():
        with options.file.open(encoding="utf8") as file:
            rows = list(csv.reader(file))[2:]
    done = {r[0] for r in rows}
    images = leakage.load_images(size=128, count=options.pairs).images
    nulls = [f"AES-CTR {(128, 192, 256)[i % 3]} bit, seed {i}" for i in range(options.nulls)]
    asked = [(what, 0) for what in [*FLAWS, *schemes()]]
    asked += [(what, i) for i, what in enumerate(nulls)]
    asked = [(what, seed) for what, seed in asked if what not in done]
    jobs = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run)(what, images, seed) for what, seed in asked
    )
    for found in jobs:
        rows.append(found)
        print(*found, sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("audit.py", ["numpy", "scipy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    clean = [r for r in rows if r[0].startswith("AES-CTR")]
    kept = sum(str(r[2]) == "False" for r in clean)
    missed = [r[0] for r in rows if not r[0].startswith("AES-CTR") and str(r[2]) != "True"]
    print(f"AES-CTR: no leak detected in {kept} of {len(clean)}; missed: {missed or 'none'}")


if __name__ == "__main__":
    main()
