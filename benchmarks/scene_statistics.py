"""Do generated scenes have the statistics of photographs?

    python benchmarks/scene_statistics.py FOLDER [FILE] [--count 1000] [--seed 0]

FOLDER holds photographs. For patches of them and for scenes of `leakage.load_images("scenes")`, of
64 and of 256 pixels a side, both gray: the median over pictures of each statistic, and the
quartiles, which tell how much pictures differ from each other. The last column says how far apart
the two medians may be.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from provenance import stamp
from scipy.stats import kurtosis, linregress

import leakage
from leakage.metrics import adjacent_correlation, grey_entropy

SIDES = (64, 256)
#: How far the median of scenes may be from that of photographs: a difference, or a factor.
ALLOWED = {
    "spectrum slope": ("difference", 0.2),
    "kurtosis, horizontal": ("factor", 1.5),
    "kurtosis, vertical": ("factor", 1.5),
    "correlation, horizontal": ("difference", 0.03),
    "correlation, vertical": ("difference", 0.03),
    "entropy, bits": ("difference", 0.5),
}


class Row(NamedTuple):
    """A statistic of both sets: medians, and lower and upper quartiles."""

    side: int
    statistic: str
    photographs: np.ndarray
    scenes: np.ndarray

    @property
    def verdict(self) -> str:
        """Whether the medians are as close as they are meant to be; empty where none is set."""
        if self.statistic not in ALLOWED:
            return ""
        kind, most = ALLOWED[self.statistic]
        a, b = self.photographs[1], self.scenes[1]
        apart = abs(a - b) if kind == "difference" else max(a / b, b / a)
        return f"{kind} {apart:.2g}, {'within' if apart <= most else 'BEYOND'} {most}"


def spectrum_slopes(images: np.ndarray) -> np.ndarray:
    """Slope of log power against log frequency of each image, NaN of a constant one.

    Power is averaged over rings of one cycle an image, from two cycles to a third of the sampling
    rate, under a Hann window; rings weigh alike on the logarithmic axis.
    """
    side = images.shape[1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    centred = images - images.mean((1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(centred * window)) ** 2
    cycles = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(cycles[:, None], cycles)).astype(int).ravel()
    rings = np.unique(np.geomspace(2, side // 3, 16).astype(int))
    means = np.stack([power.reshape(len(images), -1)[:, ring == r].mean(1) for r in rings], 1)
    return np.array(
        [linregress(np.log(rings), np.log(m)).slope if m.all() else np.nan for m in means]
    )


def statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    """Each statistic of each image.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, S, S)
        Gray and square.

    Returns
    -------
    dict of str to ndarray of float64, shape (N,)
        NaN where an image does not define one. Kurtosis is 3 for a Gaussian.
    """
    gray = images.astype(float)
    return {
        "spectrum slope": spectrum_slopes(images),
        "kurtosis, horizontal": kurtosis(np.diff(gray).reshape(len(gray), -1), 1, fisher=False),
        "kurtosis, vertical": kurtosis(
            np.diff(gray, axis=1).reshape(len(gray), -1), 1, fisher=False
        ),
        "correlation, horizontal": adjacent_correlation(images),
        "correlation, vertical": adjacent_correlation(images, "vertical"),
        "entropy, bits": grey_entropy(images),
        "mean gray": gray.mean((1, 2)),
        "standard deviation": gray.std((1, 2)),
    }


def rows(folder: str, count: int, seed: int) -> Iterator[Row]:
    """Every statistic at every size; photographs give fewer pictures where they hold fewer."""
    for side in SIDES:
        found = leakage.load_images(folder, size=side, mode="gray").images
        if len(found) > count:
            chosen = np.random.default_rng(seed).choice(len(found), count, replace=False)
            found = found[np.sort(chosen)]
        scenes = leakage.load_images("scenes", size=side, count=len(found), seed=seed).images
        sides = [statistics(images) for images in (found, scenes)]
        for name in sides[0]:
            yield Row(side, name, *(np.nanquantile(s[name], (0.25, 0.5, 0.75)) for s in sides))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("file", nargs="?", type=Path, default=Path("scene_statistics.csv"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = list(rows(options.folder, options.count, options.seed))
    with options.file.open("w", newline="") as file:
        first = stamp("scene_statistics.py", ["numpy", "scipy", "pillow"])
        file.write(f"{first.rstrip()}; photographs of {Path(options.folder).name}\n")
        writer = csv.writer(file)
        writer.writerow(["side", "statistic", "set", "lower_quartile", "median", "upper_quartile"])
        for row in found:
            for name in ("photographs", "scenes"):
                values = (f"{v:.4g}" for v in getattr(row, name))
                writer.writerow([row.side, row.statistic, name, *values])
    print(f"{'side':>4} {'statistic':24} {'photographs':>26} {'scenes':>26}  medians apart")
    for row in found:
        ends = ("{1:.4g} ({0:.4g} to {2:.4g})".format(*q) for q in (row.photographs, row.scenes))
        print(f"{row.side:4} {row.statistic:24}", *(f"{e:>26}" for e in ends), "", row.verdict)


if __name__ == "__main__":
    main()
