"""Does this version compute the same numbers as version 0.1, to the last digit?

    python benchmarks/unchanged.py [--base 09067d3]

The base revision is checked out into a temporary worktree. The same settings then run in two
processes on one thread: one imports `leakage` from the base, the other from this tree. One row
for each setting: how many of the base's values were compared, and whether all are equal. The exit
code is 1 if any is not.

Fields of estimates and findings are compared where both versions have them. Arrays are compared by
their bytes, sentences by the numbers in them. A p-value of exactly 0 in the base, where a tail
was too small for a float, may now be missing or below 1e-300.
"""

import argparse
import dataclasses
import hashlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums do not depend on the number of cores

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

import leakage
import leakage.attacks
import leakage.metrics

# not by trying: an editable install of another tree lends modules that this one does not have
TRUTH = (Path(leakage.__file__).parent / "truth").is_dir()  # not in version 0.1
channels = import_module("leakage.truth.channels" if TRUTH else "leakage.channels")
scenes = import_module("leakage.truth.scenes") if TRUTH else channels

ROOT = Path(__file__).resolve().parents[1]
BASE = "09067d3"
KEY = bytes(range(16))
#: Schemes without a default level, and more levels of others.
PARAMETERS = {
    "bitplane": [{"bits": 1}, {"bits": 4, "packed": True}, {"bits": 2, "order": "lsb"}],
    "nonzero-key": [{"bits": 1}, {"bits": 4}],
    "skk": [{}, {"colour_shuffle": True}],
    "etc": [{}, {"mode": "grey"}],
    "aes-ecb": [{}, {"unit": "planes"}],
}
#: Named here, so that both versions are asked for the same ones.
CORRECTIONS = (
    None, "miller-madow", "panzeri-treves", "jackknife", "james-stein", "grassberger",
    "chao-shen", "chao-wang-jost", "nsb",
)  # fmt: skip
METHODS = ("auto", "canonical", "mine", "nwj", "infonce", "smile", "ksg", "cluster")
#: Of an audit as data: what tells version and time, and findings, which are compared as objects.
AUDIT_APART = {"schema", "version", "made", "settings", "findings"}
#: Of a study's table; the others are settings, times and versions.
STUDY_COLUMNS = ["bits", "low", "high", "p_value", "n", "method", "kind", "flags", "error"]
STUDY = {
    "images": [{"source": "photographs", "size": 32, "count": 40}],
    "schemes": [{"name": "bitplane", "levels": {"bits": [0, 8]}}],
    "embeddings": ["pixels", "histogram", "stem"],
    "estimators": [{"method": "canonical", "folds": 3}, {"method": "certified", "folds": 3},
                   {"method": "pixel", "permutations": 9}],
    "seeds": [1],
}  # fmt: skip
#: Sentences, of which only the numbers count.
PROSE = ("meaning", "how", "remark", "success")
SHOWN = 5


@cache
def photographs(mode: str = "gray", size: int = 32, count: int = 60):
    return leakage.load_images(size=size, count=count, mode=mode)


@cache
def encrypted(name: str, **parameters) -> np.ndarray:
    return leakage.get_scheme(name, **parameters).encrypt(photographs().images, KEY)


@cache
def schemes() -> dict[str, object]:
    """Every scheme at one level or several."""
    return {
        f"{name} {parameters}": leakage.get_scheme(name, **parameters)
        for name in leakage.list_schemes().index
        for parameters in PARAMETERS.get(name, [{}])
    }


def estimated(method: str, grouped: bool) -> dict:
    """Of rows of their own (many groups) and of rows in fours (few), of one kind and another."""
    options = {"folds": 3, "permutations": 99, "seed": 1}
    if grouped:
        options["groups"] = np.arange(160) // 4
    drawn = {"gaussian": channels.gaussian(160, dimensions=3, bits=1.5, seed=2)}
    if method in ("auto", "cluster"):
        drawn["clusters"] = channels.clusters(160, count=4, seed=3)
    if method == "canonical":
        drawn["wide"] = channels.gaussian(160, dimensions=40, active=2, bits=3.0, seed=4)
    return {name: leakage.estimate_mi(x, y, method, **options) for name, (x, y, _) in drawn.items()}


def extrapolated() -> object:
    x, y, _ = channels.gaussian(200, dimensions=2, bits=1.0)
    return leakage.estimate_mi(x, y, "canonical", folds=3, permutations=99, extrapolate=True)


def classical() -> dict:
    x, y, _ = channels.gaussian(400, dimensions=3, bits=0.5, transform="cubic")
    return {
        "mine": leakage.mine(x[:120], y[:120], folds=3, permutations=99),
        "ksg": leakage.ksg(x, y, permutations=19),
        "ksg, 5 neighbours": leakage.ksg(x, y, neighbours=5, permutations=19, seed=1),
        "spiked CCA": leakage.spiked_cca(x, y),
        "canonical test": leakage.canonical_test(x, y, permutations=99),
        "canonical test, groups": leakage.canonical_test(
            x, y, groups=np.arange(400) // 4, permutations=99, seed=1),
    }  # fmt: skip


def certified() -> dict:
    x, y, _ = channels.gaussian(300, dimensions=2, bits=2.0)
    options = {"groups": np.arange(300) // 2, "folds": 3}
    return {
        "canonical": leakage.certified_mi(x, y, method="canonical", folds=3),
        "groups": leakage.certified_mi(x, y, 0.9, method="canonical", **options),
        "auto": leakage.certified_mi(x, y, folds=3),
    }


def counted() -> dict:
    """Tables that are full, and sparse ones, of dependent and of independent samples."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 40, 600)
    words = np.array(["left", "middle", "right"])[rng.integers(0, 3, 600)]
    drawn = {
        "full": (x % 3, (x + rng.integers(0, 2, 600)) % 3),
        "equal": (x % 5, x % 5),  # the p-value is below all floats
        "sparse": (x, (x + rng.integers(0, 3, 600)) % 40),
        "words": (words, rng.integers(0, 2, 600)),
        "pixels": (photographs().images, encrypted("bitplane", bits=4)),
    }
    return {
        f"{name}, {correction}": leakage.plug_in(*pair, correction=correction)
        for name, pair in drawn.items()
        for correction in CORRECTIONS
    }


def pixels() -> dict:
    plain = photographs().images
    ciphers = {name: encrypted(name) for name in ("skk", "pixel-shuffle", "identity")}
    ciphers |= {f"{bits} planes": encrypted("bitplane", bits=bits) for bits in (3, 8)}
    cipher = ciphers["3 planes"]

    def halves() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from ((plain[i : i + 30], cipher[i : i + 30]) for i in (0, 30))

    found = {name: leakage.pixel_mi(plain, c, permutations=19) for name, c in ciphers.items()}
    return found | {"in batches": leakage.pixel_mi_in_batches(halves, permutations=19)}


def closed_forms() -> dict:
    """What each scheme leaks and hides, where it is known; who refuses must go on refusing."""
    # beside `exact_leakage`, wherever that is
    hidden_bits = inspect.getmodule(leakage.exact_leakage).hidden_bits
    grey, colour = photographs().images[:8], photographs("rgb").images[:8]
    questions = {
        "leakage, grey": lambda scheme: leakage.exact_leakage(scheme, grey),
        "leakage, colour": lambda scheme: leakage.exact_leakage(scheme, colour),
        "capacity": leakage.capacity,
        "maximal leakage": leakage.maximal_leakage,
        "hidden, grey": lambda scheme: hidden_bits(scheme, grey[0]),
        "hidden, colour": lambda scheme: hidden_bits(scheme, colour[0]),
    }
    return {
        f"{question}, {name}": answered(ask, scheme)
        for name, scheme in schemes().items()
        for question, ask in questions.items()
    }


def answered(ask: Callable, *arguments) -> object:
    """The answer, or that there is none; what the error says may have changed."""
    try:
        return ask(*arguments)
    except ValueError:
        return "refused"


def known_channels() -> dict:
    scheme = leakage.get_scheme("bitplane", bits=5)
    return {
        "gaussian": channels.gaussian(100, dimensions=5, active=2, bits=2.0, transform="asinh"),
        "clusters": channels.clusters(100),
        "student": channels.student_t(100),
        "xor": channels.xor_of_signs(100),
        "uniform": channels.additive_uniform(100),
        "patches": scenes.patch_scenes(20, flip=0.1, encrypted=4, erased=0.2),
        "scenes": scenes.noisy_scenes(scheme, draws=40, templates=16),
    }


def embedded() -> dict:
    grey, colour = photographs().images[:24], photographs("rgb").images[:24]
    return {
        "head": leakage.embed(grey),
        "bfloat16": leakage.embed(grey, precision="bfloat16"),
        "untrained": leakage.embed(colour, weights=None, seed=3),
        "grid": leakage.embed_layers(grey, ["stem", "blocks.4"], pooling="grid"),
        "std": leakage.embed_layers(colour, ["stem", "blocks.2"], pooling="std"),
        "grey": leakage.representations(grey),
        "colour": leakage.representations(colour, cache=False),
        "layers": leakage.layer_names(),
    }


def ciphertexts() -> dict:
    """Of every scheme, both ways, under fresh and fixed keys."""
    found = {}
    for name, scheme in schemes().items():
        for mode in ("gray", "rgb"):
            images = photographs(mode).images[:4]
            fresh = scheme.encrypt(images, KEY, first_index=7)
            found[f"{name}, {mode}"] = {
                "fresh": fresh,
                "fixed": scheme.encrypt(images, KEY, keying="fixed"),
                "back": answered(lambda s=scheme, c=fresh: s.decrypt(c, KEY, first_index=7)),
            }
    file = BytesIO()
    Image.fromarray(photographs("rgb").images[0]).save(file, "JPEG")
    cipher = leakage.encrypt_jpeg(file.getvalue(), KEY, leakage.get_scheme("jpeg-ac-sign"))
    return found | {"JPEG file": np.frombuffer(cipher.data, np.uint8)}


def image_sets() -> dict:
    batches = leakage.image_batches("photographs", size=48, count=20, seed=1)
    scheme = leakage.get_scheme("bitplane", bits=4)
    parts = [part.images for part in batches]
    return {
        "grey": photographs(),
        "colour": photographs("rgb", size=48, count=20),
        "batches": parts,
        "encrypted": list(leakage.encrypt_batches(parts, scheme, KEY)),
    }


def metrics() -> dict:
    plain = photographs(size=128, count=2).images
    scheme = leakage.get_scheme("bitplane", bits=6)
    cipher = scheme.encrypt(plain, KEY)
    colour = photographs("rgb", size=64, count=2).images
    return {
        "with scheme": leakage.metrics.table(plain, cipher, scheme=scheme, key=KEY, nulls=2),
        "colour": leakage.metrics.table(colour, np.roll(colour, 3, 1), seed=1),
    }


def attacks() -> dict:
    """Attacks that learn, and those that only look."""
    images, groups = photographs().images, photographs().groups
    x = leakage.embed(images, layer="stem")
    y = leakage.embed(encrypted("bitplane", bits=1), layer="stem")
    folded = leakage.attacks.fold(encrypted("skk"))
    unwrapped = leakage.attacks.unwrap_planes(encrypted("bitplane", bits=2)[:8], 2)
    found = {
        "reidentify": leakage.attacks.reidentify(x, y, groups=groups, folds=3),
        "attribute": leakage.attacks.infer_attribute(y, groups % 2, groups, folds=3),
        "fold": leakage.attacks.identify(folded, leakage.attacks.fold(images), groups=groups),
        "unwrap": leakage.attacks.identify(unwrapped, images[:8], first=2),
        "invert": leakage.attacks.invert(
            leakage.get_scheme("skk").encrypt, images, groups, steps=3),
    }  # fmt: skip
    replaced = leakage.attacks.replace_planes(encrypted("bitplane", bits=2), 0b11000000, median=3)
    pad = leakage.attacks.many_time_pad(encrypted("reused-keystream"))
    bits = {name: [attack.bits, attack.bits_low] for name, attack in found.items()}
    bounds = [leakage.attacks.success_bound(b, 16) for b in (0.1, 1.0, 3.0)]
    return {**found, "bits": bits, "bounds": bounds, "replace": replaced, "pad": pad}


def audited(**what) -> dict:
    """An audit as data; findings by name, for new digits of tiny p-values may reorder them."""
    found = leakage.audit(**what, progress=False)
    data = {name: value for name, value in found.to_dict().items() if name not in AUDIT_APART}
    by_name = {f"{finding.level}, {finding.name}": finding for finding in found.findings}
    return data | {"findings": by_name, "pictures": found.pictures}


def audited_scheme() -> dict:
    """A scheme without a leak; of fewer images, the audit could not say what it would detect."""
    images = photographs(count=200).images
    return audited(scheme=leakage.get_scheme("bitplane", bits=8), images=images)


def audited_pairs() -> dict:
    """Pairs with a leak: with fewer than 25 independent ones not all questions are asked."""
    return audited(plain=photographs().images, cipher=encrypted("skk"), groups=np.arange(60) // 2)


def studied() -> list[dict]:
    with tempfile.TemporaryDirectory() as out:
        table = leakage.study(STUDY, out=out, n_jobs=1, progress=False)
    return [
        {name: row[name] for name in STUDY_COLUMNS} | {"details": json.loads(row["details"])}
        for _, row in table.iterrows()
    ]


SETTINGS: dict[str, Callable[[], object]] = {
    "images, batches": image_sets,
    "ciphertexts of every scheme": ciphertexts,
    "exact, capacity, maximal, hidden": closed_forms,
    "channels of known information": known_channels,
    "embeddings": embedded,
    "plug_in, every correction": counted,
    "pixel_mi": pixels,
    **{
        f"estimate_mi, {method}{', groups' * grouped}": (
            lambda method=method, grouped=grouped: estimated(method, grouped)
        )
        for method in METHODS
        for grouped in (False, True)
        if not (method == "ksg" and grouped)  # refused
    },
    "estimate_mi, extrapolated": extrapolated,
    "mine, ksg, CCA, canonical test": classical,
    "certified_mi": certified,
    "metrics.table": metrics,
    "attacks": attacks,
    "audit of a scheme": audited_scheme,
    "audit of pairs": audited_pairs,
    "study": studied,
}


def as_json(value: object) -> object:
    """A value as JSON without loss: the keys of fields begin with a dot, others with a slash."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value.hex()
        case np.generic():
            return as_json(value.item())
        case np.ndarray():
            digest = hashlib.sha256(f"{value.dtype} {value.shape}".encode() + value.tobytes())
            return {".sum": as_json(value.sum()), ".digest": digest.hexdigest()}
        case pd.DataFrame():
            return as_json(value.to_dict("index"))
        case Mapping():
            return {f"/{name}": as_json(item) for name, item in value.items()}
        case tuple(_fields=names):
            return {f".{name}": as_json(getattr(value, name)) for name in names}
        case list() | tuple():
            return [as_json(item) for item in value]
    names = [field.name for field in dataclasses.fields(value)]
    return {f".{name}": as_json(getattr(value, name)) for name in names}


def compute(tree: Path) -> dict[str, object]:
    """All settings, by the package that lies in this tree."""
    check_modules(tree)
    results = {}
    for name, setting in tqdm(SETTINGS.items(), f"leakage {leakage.__version__}"):
        try:
            results[name] = {"values": as_json(setting())}
        except Exception as error:  # the other settings go on
            results[name] = {"error": f"{type(error).__name__}: {error}"}
    check_modules(tree)  # now all are loaded
    return results


def check_modules(tree: Path) -> None:
    """Refuse what another tree computed: its package, or a single module of it."""
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()
             if name.partition(".")[0] == "leakage"}  # fmt: skip
    for name, file in files.items():
        if file and not Path(file).resolve().is_relative_to(tree.resolve()):
            raise RuntimeError(f"{name} was to come from {tree}, not from {file}")


class Pair(NamedTuple):
    """A value of the base, and what is in its place now."""

    where: str
    base: object
    here: object

    @property
    def equal(self) -> bool:
        name = re.split("[./]", self.where)[-1]
        if name in PROSE and isinstance(self.base, str) and isinstance(self.here, str):
            return numbers(self.base) == numbers(self.here)
        if name in ("p", "p_value") and self.base == (0.0).hex():
            return nothing(self.here)
        return self.base == self.here


def nothing(p_value: object) -> bool:
    """Missing, in a data frame NaN, or too small for most purposes."""
    try:
        return p_value is None or not float.fromhex(p_value) >= 1e-300
    except (TypeError, ValueError):
        return False


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)


def pairs(base: object, here: object, where: str = "") -> Iterator[Pair]:
    """Values side by side: fields and entries by name, without those that are new."""
    if isinstance(base, dict) and isinstance(here, dict):
        for name, value in base.items():
            if name in here:
                yield from pairs(value, here[name], where + name)
            elif name.startswith("/"):  # a field may go, a finding or a scheme may not
                yield Pair(where + name, value, "missing")
    elif isinstance(base, list) and isinstance(here, list):
        if len(base) != len(here):
            yield Pair(f"{where}/length", len(base), len(here))
        for i, (one, other) in enumerate(zip(base, here, strict=False)):
            yield from pairs(one, other, f"{where}/{i}")
    else:
        yield Pair(where, base, here)


def size(values: object) -> int:
    """How many values there are."""
    if isinstance(values, dict | list):
        return sum(map(size, values.values() if isinstance(values, dict) else values))
    return 1


def row(setting: str, base: dict, here: dict) -> tuple[str, int, int, list[str]]:
    """Name of a setting, values compared, values of the base, and what differs."""
    errors = [f"{side}: {r['error']}" for side, r in (("base", base), ("here", here))
              if "error" in r]  # fmt: skip
    if errors:
        return setting, 0, size(base.get("values", [])), errors
    found = list(pairs(base["values"], here["values"]))
    different = [f"{p.where}: {told(p.base)}, now {told(p.here)}" for p in found if not p.equal]
    if not found:
        different = ["nothing to compare"]
    return setting, len(found), size(base["values"]), different


def told(value: object) -> str:
    """A value in short, floats to their last digit."""
    if isinstance(value, str) and re.fullmatch(r"-?0x[01]\..*|-?inf|nan", value):
        return repr(float.fromhex(value))
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@contextmanager
def tree_at(revision: str) -> Iterator[Path]:
    """A temporary worktree of a revision."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        git = ["git", "-C", str(ROOT), "worktree"]
        try:
            subprocess.run([*git, "add", "--quiet", "--detach", tree, revision], check=True)
            yield tree
        finally:  # forced twice: git locks a worktree that it has not finished
            subprocess.run([*git, "remove", "--force", "--force", tree], check=False)


def computed(tree: Path) -> tuple[dict[str, dict], float]:
    """What a process of its own computes with the package in this tree, and its seconds."""
    start = time.perf_counter()
    # a cache of its own: vectors that one side made must not serve the other
    with tempfile.TemporaryDirectory() as folder:
        where = {"PYTHONPATH": str(tree), "LEAKAGE_CACHE": folder}
        done = subprocess.run([sys.executable, __file__, "--tree", str(tree)], cwd=tree,
                              env=os.environ | where, stdout=subprocess.PIPE, text=True,
                              check=True)  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE, help="a revision of this repository")
    parser.add_argument("--tree", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tree:
        return print(json.dumps(compute(options.tree)))
    # a terminated run, too, removes its worktree
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tree_at(options.base) as tree:
        (base, seconds), (here, seconds_here) = computed(tree), computed(ROOT)
    rows = [row(name, base[name], here[name]) for name in SETTINGS]
    print(f"{'setting':34} {'values':>14}  equal")
    for setting, count, total, different in rows:
        print(f"{setting:34} {f'{count} of {total}':>14}  {'no' if different else 'yes'}")
        for line in different[:SHOWN]:
            print(f"    {line}")
        if len(different) > SHOWN:
            print(f"    and {len(different) - SHOWN} more")
    failed = sum(bool(different) for *_, different in rows)
    print(f"{len(rows) - failed} of {len(rows)} settings as in {options.base}; "
          f"{seconds:.0f} s there, {seconds_here:.0f} s here")  # fmt: skip
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
