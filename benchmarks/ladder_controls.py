"""Is a deeper layer blinder because it is deep, because it is pooled, or because it is small?

    python benchmarks/ladder_controls.py [PHOTOGRAPHS] [FILE] [--seeds 5] [--jobs 2]

Patches of the bundled photographs, or of a folder's, under 0 to 4 encrypted planes and 8, through
layers of EfficientNet-Lite 0, 1 and 2, untrained networks of the same shape, torchvision's
MobileNetV3 and ResNet-18 without training (its weights are not needed), random projections of the
samples, and means over grids. All are estimated at one dimension: their first principal
components, as many for each. One row for each representation, level and seed: bits a patch with
interval by row, and p. Rows that FILE already has are kept.
"""

import argparse
import csv
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one representation a core

import numpy as np
from joblib import Parallel, delayed
from provenance import recorded_rows, stamp

import leakage
from leakage.vectors.efficientnet_lite import SIZES

LEVELS = (0, 1, 2, 3, 4, 8)
LITE = tuple(SIZES)
#: Stages whose last block is looked at, beside stem and head.
STAGES = (1, 3, 6)
Represent = Callable[[np.ndarray], np.ndarray]


def layer(name: str, model: str, pooling: str = "mean", trained: bool = True) -> Represent:
    weights = "default" if trained else None
    return lambda images: leakage.embed_layers(
        images, [name], model, pooling=pooling, weights=weights, cache=False
    )[name]


def depths(model: str) -> dict[str, str]:
    """Layers at the same five depths of each EfficientNet-Lite, which have different names."""
    last = np.cumsum([stage[0] for stage in SIZES[model].stages()]) - 1
    blocks = {f"stage {stage}": f"blocks.{last[stage - 1]}" for stage in STAGES}
    return {"stem": "stem", **blocks, "head": "head"}


def projected(dimensions: int, patch: int | None) -> Represent:
    """Random directions: of all samples of an image, or rectified and averaged over its patches."""

    def represent(images: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(7)
        x = images / np.float32(255) - np.float32(0.5)
        if patch is None:
            flat = x.reshape(len(x), -1)
            return flat @ rng.normal(size=(flat.shape[1], dimensions)).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(x, (patch, patch), (1, 2))[:, ::2, ::2]
        kernels = rng.normal(size=(patch * patch, dimensions)).astype(np.float32)
        seen = windows.reshape(*windows.shape[:3], -1) @ kernels
        return np.maximum(seen, 0).mean((1, 2))

    return represent


def grid(side: int) -> Represent:
    """Means over a grid, of the samples themselves."""
    return lambda images: images.reshape(
        len(images), side, images.shape[1] // side, side, images.shape[2] // side
    ).mean((2, 4), dtype=np.float32).reshape(len(images), -1)  # fmt: skip


def representations() -> dict[str, Represent]:
    found: dict[str, Represent] = {}
    for model in LITE:
        for depth, name in depths(model).items():
            found[f"{model}, {depth}, mean"] = layer(name, model)
            found[f"{model} untrained, {depth}, mean"] = layer(name, model, trained=False)
    for depth, name in depths(LITE[0]).items():
        for pooling in ("grid", "std"):
            found[f"{LITE[0]}, {depth}, {pooling}"] = layer(name, LITE[0], pooling)
    for model, names in {
        "mobilenet_v3_small": ("features.0", "features.4", "features.12"),
        "resnet18": ("relu", "layer1", "layer3", "layer4"),
    }.items():
        for name in names:
            found[f"{model} untrained, {name}, mean"] = layer(name, model, trained=False)
    return found | {
        "histogram": layer("histogram", "histogram"),
        "random projection of samples to 32": projected(32, None),
        "random projection of samples to 1280": projected(1280, None),
        "32 random 3x3 filters, rectified, mean": projected(32, 3),
        "1280 random 3x3 filters, rectified, mean": projected(1280, 3),
        "32 random 16x16 filters, rectified, mean": projected(32, 16),
        "means over a 4x4 grid": grid(4),
        "means over a 1x1 grid": grid(1),
    }


def estimated(name: str, images: np.ndarray, level: int, seeds: int, components: int) -> list[list]:
    """Rows of one representation under one level, a key and a split for every seed."""
    represent = representations()[name]
    x = represent(images)
    rows = []
    for seed in range(seeds):
        key = np.random.default_rng(seed).bytes(16)
        scheme = leakage.get_scheme("bitplane", bits=level) if level else None
        y = represent(scheme.encrypt(images, key)) if scheme else x
        # a fresh key for every patch: rows may be exchanged, whatever photograph they come from
        e = leakage.estimate_mi(x, y, components=components, exchange="rows", seed=seed)
        rows.append([name, x.shape[1], level, seed, f"{e.bits:.4f}", f"{e.low:.4f}",
                     f"{e.high:.4f}", f"{e.p_value:.4g}", e.method])  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", nargs="?", default="photographs")
    parser.add_argument("file", nargs="?", type=Path, default=Path("ladder_controls.csv"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--count", type=int, help="patches; all by default")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    images = leakage.load_images(
        options.photographs, size=options.size, count=options.count, mode="gray"
    ).images
    rows = recorded_rows(options.file)
    done = {(row[0], int(row[2])) for row in rows}
    tasks = [(n, b) for n in representations() for b in LEVELS if (n, b) not in done]
    work = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        delayed(estimated)(name, images, level, options.seeds, options.components)
        for name, level in tasks
    )
    for found in work:
        rows += found
        bits = [float(row[4]) for row in found]
        print(found[0][0], found[0][2], f"{np.median(bits):.3f} bit a patch", flush=True)
        with options.file.open("w", newline="", encoding="utf8") as file:
            file.write(stamp("ladder_controls.py", ["numpy", "scikit-learn", "torch"]))
            writer = csv.writer(file)
            writer.writerow(["representation", "dimensions", "planes", "seed", "bits", "low",
                             "high", "p", "method"])  # fmt: skip
            writer.writerows(sorted(rows, key=lambda row: (row[0], int(row[2]), int(row[3]))))


if __name__ == "__main__":
    main()
