"""Does mutual information see space? Estimators on leaks that lie between samples, or in them.

`python benchmarks/spatial.py [FILE] [--runs N] [--seeds FIRST] [--only WORD]` prints one line for
each question, and writes a row for each run where a file is named. Questions are asked in `RUNS`
runs each, or N; run i has the seed FIRST + i.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from provenance import stamp

import leakage
from leakage.estimators.quantised import naive_quantised_mi
from leakage.truth import channels, spatial

AES = leakage.get_scheme("bitplane", bits=8)
PATCHES = leakage.load_images(size=64)


def encrypted_patches(seed, count, size):
    """Patches of photographs, one group each photograph, and what AES-CTR makes of them."""
    rng = np.random.default_rng(seed)
    keep = np.sort(rng.choice(len(PATCHES), count, replace=False))
    plain = PATCHES.images[keep, :size, :size]
    return plain, AES.encrypt(plain, rng.bytes(16)), PATCHES.groups[keep]


def embedded(seed):
    plain, cipher, _ = encrypted_patches(seed, 150, 64)
    x, y = (leakage.representations(v, ["histogram"])["histogram"] for v in (plain, cipher))
    return x.astype(float), y.astype(float)


def of_labels(count, kept):
    def run(seed):
        x, y, exact = channels.labels(2000, count=count, kept=kept, seed=seed)
        return leakage.estimate_mi(x, y, "quantised", seed=seed, permutations=0), exact.bits

    return run


def of_vectors(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 150, 8))
    return leakage.estimate_mi(x, y, "quantised", seed=seed, permutations=99), 0.0


def of_embeddings(seed):
    # every patch has a keystream of its own
    found = leakage.estimate_mi(
        *embedded(seed), "quantised", seed=seed, permutations=99, exchange="rows"
    )
    return found, 0.0


def naively(seed):
    return naive_quantised_mi(*embedded(seed), seed=seed), 0.0


def neighbourhoods_of_aes(by):
    """AES of patches, whose groups are their photographs, or who have a key each and no group."""

    def run(seed):
        plain, cipher, groups = encrypted_patches(seed, 60, 16)
        groups = groups if by == "photograph" else None
        found = leakage.neighbourhood_mi(plain, cipher, groups=groups, permutations=199, seed=seed)
        return found, 0.0

    return run


def shared(which, combined, how):
    """One key byte for many samples: by neighbourhoods, by held-out samples, by pixel_mi."""

    def run(seed):
        size = 64 if how == "all" else 16
        pairs = spatial.shared_key_images(
            60, size=size, shared=which, combined=combined, seed=seed
        )  # fmt: skip
        x, y = pairs.plain, pairs.cipher
        if how == "pixel_mi":
            return leakage.pixel_mi(x, y, permutations=39, seed=seed), 0.0
        if how == "one":  # one sample an image: independent pairs
            top = (v[:, 5, 7] >> 7 for v in (x, y))
            return leakage.plug_in(*top), 0.0
        if how == "samples":
            found = leakage.neighbourhood_mi(x, y, views=how, permutations=0, seed=seed)
            return found, 0.0
        return leakage.neighbourhood_mi(x, y, permutations=199, seed=seed), pairs.of_pair.bits

    return run


def hidden_steps(seed):
    pairs = spatial.difference_scenes(60, flip=0.1, seed=seed)
    found = leakage.neighbourhood_mi(pairs.plain, pairs.cipher, permutations=199, seed=seed)
    return found, pairs.of_pair.bits


def orders(block):
    def run(seed):
        pairs = spatial.shuffled_images(60, levels=4, block=block, seed=seed)
        found = leakage.neighbourhood_mi(pairs.plain, pairs.cipher, permutations=199, seed=seed)
        return found, pairs.of_sample.bits

    return run


def space_of(make, scramble, exact):
    def run(seed):
        pairs = make(seed)
        found = leakage.spatial_share(pairs.plain, pairs.cipher, scramble=scramble, seed=seed)
        return found.difference, exact

    return run


def _rows(seed):
    return spatial.shared_key_images(60, size=32, shared="row", seed=seed)


def _bytes(seed):
    return spatial.shared_key_images(60, size=32, shared="image", seed=seed)


def _alone(seed):
    two = leakage.get_scheme("bitplane", bits=6)
    return spatial.independent_samples(two, 60, size=32, seed=seed)


#: Runs and function of each question.
QUESTIONS = {
    **{
        f"quantised, {count} labels, {kept} kept": (10, of_labels(count, kept))
        for count, kept in ((2, 0.8), (4, 0.7), (8, 0.8), (10, 1.0), (10, 0.5), (16, 0.7))
    },
    "quantised, independent vectors": (400, of_vectors),
    "quantised, AES histograms": (400, of_embeddings),
    "naive quantised, AES histograms": (20, naively),
    **{f"neighbourhoods, AES, by {by}": (400, neighbourhoods_of_aes(by))
       for by in ("photograph", "patch")},
    **{
        f"neighbourhoods, one byte a {which}, {how}": (20, shared(which, how, "all"))
        for which in ("image", "row")
        for how in ("xor", "add")
    },
    **{
        f"{name}, one byte a {which}": (200, shared(which, "xor", how))
        for which in ("image", "row")
        for name, how in (
            ("pixel_mi", "pixel_mi"), ("samples held out", "samples"),
            ("one sample an image", "one"),
        )
    },
    "neighbourhoods, hidden steps": (20, hidden_steps),
    "neighbourhoods, secret order of pixels": (20, orders(1)),
    "neighbourhoods, secret order of blocks": (20, orders(8)),
    "spatial part by positions, one byte a row": (10, space_of(_rows, "positions", 8.0)),
    "spatial part by images, one byte a row": (10, space_of(_rows, "images", 8.0)),
    "spatial part by positions, one byte an image": (10, space_of(_bytes, "positions", 0.0)),
    "spatial part by images, one byte an image": (10, space_of(_bytes, "images", 8.0)),
    "spatial part by positions, independent samples": (10, space_of(_alone, "positions", 0.0)),
    "spatial part by images, independent samples": (10, space_of(_alone, "images", 0.0)),
}  # fmt: skip


def asked(name, runs, first):
    """A row for each run."""
    given, function = QUESTIONS[name]
    for seed in range(first, first + (runs or given)):
        start = time.process_time()
        e, exact = function(seed)
        row = e.row()
        yield (name, seed, exact, e.bits, row["low"], row["high"], row["p"],
               time.process_time() - start)  # fmt: skip


def told(rows):
    """Mean and worst error, share of alarms and of intervals, seconds."""
    _, _, exact, bits, low, high, p, spent = (np.array(v) for v in zip(*rows, strict=True))
    error = bits - exact
    text = f"{rows[0][0]:48} {len(rows):4} runs, {bits.mean():7.3f} bit, error {error.mean():7.3f}"
    text += f" (worst {np.abs(error).max():.3f})"
    if not np.isnan(p.astype(float)).all():
        text += f", p <= .05 in {np.mean(p <= 0.05):.1%}"
    if not np.isnan(low.astype(float)).all():
        text += f", interval above 0 in {np.mean(low > 1e-9):.1%}"
        text += f", above the truth in {np.mean(low > exact + 1e-9):.1%}"
        text += f", below it in {np.mean(high < exact - 1e-9):.1%}"
    return f"{text}; {np.median(spent):.2f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, help="of each question, instead of its own number")
    parser.add_argument("--seeds", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="questions that hold this word")
    given = parser.parse_args()
    found = []
    for name in (name for name in QUESTIONS if given.only in name):
        rows = list(asked(name, given.runs, given.seeds))
        print(told(rows), flush=True)
        found += rows
    if given.file:
        with given.file.open("w", newline="") as file:
            file.write(stamp("spatial.py", ["numpy", "scipy", "scikit-learn"]))
            writer = csv.writer(file)
            writer.writerow(["question", "seed", "exact", "bits", "low", "high", "p", "cpu_s"])
            writer.writerows([*row[:2], *(f"{v:.5f}" for v in row[2:])] for row in found)


if __name__ == "__main__":
    main()
