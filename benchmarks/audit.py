"""Does an audit find every leak of the zoo and every planted flaw, and invent none?

    python benchmarks/audit.py PHOTOGRAPHS [FILE] [--pairs 300] [--nulls 30] [--runs 5] [--jobs 2]

PHOTOGRAPHS is a folder of colour pictures of at least 128 x 128: one square of each is taken. One
row for each planted flaw and each scheme; then seeded audits of AES-CTR with keys of three sizes
and of other ciphertexts that know nothing of their pictures, where nothing may be found. Rows that
FILE already has are kept, so that an interrupted run goes on where it stopped.
"""

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one audit a core

import numpy as np
from Crypto.Cipher import AES
from joblib import Parallel, delayed
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from provenance import stamp
from sound_ciphertexts import KINDS

import leakage
from leakage.audits.auditing import audit

SIDE = 128
#: Of sound ciphertexts that AES-CTR with a nonce an image does not stand for.
SOUND = {kind: made for kind, made in KINDS.items() if not kind.startswith("AES")}
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


def _reused(images: np.ndarray, of: slice = np.s_[:], shift: int = 0) -> np.ndarray:
    """Keystreams of which every tenth is the first one, in part or moved on by some samples."""
    flat = stream(images, 0).reshape(len(images), -1)
    flat[10::10, of] = np.roll(flat[0], -shift)[of]
    return flat.reshape(images.shape)


def _nibbles(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found.reshape(-1)[::16] &= 0xF0
    return found


def _some_clear(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found[::20] = 0
    return found


def _few_partly_clear(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found[:2, SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = 0
    return found


def _one_in_64(images: np.ndarray) -> np.ndarray:
    found = stream(images, 0)
    found[np.random.default_rng(64).random(images.shape) < 1 / 64] = 0
    return found


def _biased(images: np.ndarray, bias: float) -> np.ndarray:
    return leakage.get_scheme("biased-keystream", bias=bias).encrypt(images, bytes(range(16)))


FLAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "keystream of period 4096": lambda x: x ^ _tiled(x),
    "one image in ten under a reused nonce": lambda x: x ^ _reused(x),
    "one in ten under a keystream moved on by 640 samples": lambda x: x ^ _reused(x, shift=640),
    "one in ten under a reused keystream that is added": lambda x: x + _reused(x),
    "one in ten under a keystream of which half is reused": (
        lambda x: x ^ _reused(x, np.s_[x[0].size // 2 :])
    ),
    "keystream bits biased to 0.51": lambda x: _biased(x, 0.51),
    "keystream bits biased to 0.505": lambda x: _biased(x, 0.505),
    "low nibble of every 16th sample clear": lambda x: x ^ _nibbles(x),
    "one clear sample in 64": lambda x: x ^ _one_in_64(x),
    "counter restarts each row": lambda x: x ^ stream(x, 0)[:, :1],
    "one key byte an image": lambda x: x ^ stream(x, 0)[:, :1, :1],
    "5 % of the images in clear": lambda x: x ^ _some_clear(x),
    "two images partly in clear": lambda x: x ^ _few_partly_clear(x),
    "mean brightness only": lambda x: leakage.get_scheme(
        "tpe-sum", block=x.shape[1]).encrypt(x, bytes(range(16))),
}  # fmt: skip
GREEN, SIZE, LENGTH = (
    "lowest plane of green clear", "size follows content", "file length follows content",
)  # fmt: skip
BY_THEMSELVES = (GREEN, SIZE, LENGTH)


def _in_files(folder: Path, x: np.ndarray, what: str) -> None:
    """Pairs as files, brighter pictures in the smaller size, or detailed ones in longer files."""
    cipher = x ^ stream(x, 0)
    bright = x.mean((1, 2)) > np.median(x.mean((1, 2)))
    detail = abs(np.diff(x.astype(int), axis=2)).mean((1, 2))
    for i, (one, hidden) in enumerate(zip(x, cipher, strict=True)):
        rows = SIDE - 16 * int(what == SIZE and bright[i])
        for side, picture in (("plain", one), ("cipher", hidden)):
            (folder / side).mkdir(exist_ok=True)
            note = PngInfo()
            if what == LENGTH and side == "cipher":
                note.add_text("comment", "." * int(100 * detail[i]))
            Image.fromarray(picture[:rows]).save(folder / side / f"{i}.png", pnginfo=note)


def by_itself(what: str, photographs: str, x: np.ndarray) -> leakage.Audit:
    """Flaws that need colours or files."""
    if what == GREEN:
        colours = squares(photographs, len(x), "rgb")
        hidden = stream(colours, 0)
        hidden[..., 1] &= 0xFE
        return audit(colours, colours ^ hidden, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        _in_files(Path(folder), x, what)
        return audit(Path(folder, "plain"), Path(folder, "cipher"), progress=False)


def squares(folder: str, count: int, mode: str) -> np.ndarray:
    """One of each of so many photographs."""
    found = leakage.load_images(folder, size=SIDE, mode=mode)
    _, first = np.unique(found.groups, return_index=True)
    return found.images[np.random.default_rng(5).permutation(first)[:count]]


def row(what: str, found, spent: float) -> list:
    names = "; ".join(f.name for f in found.findings if f.leaks)
    exact = "" if found.exact is None else f"{found.exact.bits:.4f}"
    detectable = "" if found.detectable_bits is None else f"{found.detectable_bits:.3f}"
    certified = f"{found.certified_bits:.4f}"
    pairs = found.settings["pairs"]
    return [what, pairs, found.leaks, names, certified, exact, detectable, f"{spent:.1f}"]


def run(what: str, photographs: str, images: np.ndarray, seed: int) -> list:
    start = time.process_time()
    if what.startswith("AES-CTR"):
        size = int(what.split()[1]) // 8
        found = audit(images, images ^ stream(images, seed, size), seed=seed, progress=False)
    elif what.startswith("sound: "):
        kind = what.removeprefix("sound: ").split(", seed")[0]
        rng = np.random.default_rng([seed, list(SOUND).index(kind)])
        plain, cipher, groups = SOUND[kind](rng, images)
        found = audit(plain, cipher, groups=groups, seed=seed, progress=False)
    elif what in BY_THEMSELVES:
        found = by_itself(what, photographs, images)
    elif what in FLAWS:
        found = audit(images, FLAWS[what](images), progress=False)
    else:
        name, parameters = schemes()[what]
        scheme = leakage.get_scheme(name, **parameters)
        found = audit(scheme=scheme, images=images, progress=False)
    return row(what, found, time.process_time() - start)


def asked(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """What to audit, and with which seed."""
    yield from ((what, 0) for what in [*FLAWS, *BY_THEMSELVES, *schemes()])
    for seed in range(options.nulls):
        yield f"AES-CTR {(128, 192, 256)[seed % 3]} bit, seed {seed}", seed
    yield from ((f"sound: {kind}, seed {s}", s) for s in range(options.runs) for kind in SOUND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("file", nargs="?", type=Path, default=Path("audit.csv"))
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--nulls", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = []
    if options.file.is_file():
        with options.file.open(encoding="utf8") as file:
            rows = list(csv.reader(file))[2:]
    done = {r[0] for r in rows}
    images = squares(options.photographs, options.pairs, "gray")
    jobs = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(run)(what, options.photographs, images, seed)
        for what, seed in asked(options)
        if what not in done
    )
    for found in jobs:
        rows.append(found)
        print(*found, sep=", ", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            packages = ["numpy", "scipy", "scikit-learn", "torch"]
            file.write(stamp(f"audit.py, on {Path(options.photographs).name}", packages))
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    clean = [r for r in rows if r[0].startswith(("AES-CTR", "sound: "))]
    accused = [r[0] for r in clean if str(r[2]) == "True"]
    missed = [r[0] for r in rows if r not in clean and str(r[2]) != "True"]
    print(f"accused of {len(clean)} sound sets: {accused or 'none'}; missed: {missed or 'none'}")


if __name__ == "__main__":
    main()
