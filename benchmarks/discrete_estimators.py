"""Error and time of estimators of the information between a pixel and its ciphertext.

`python benchmarks/discrete_estimators.py [FILE]` writes one row for each estimator, number of
pixels, encrypted planes and seed. Peers run on the same samples in the same process: scikit-learn,
and infomeasure where it is installed.
"""

import csv
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from provenance import stamp
from sklearn.metrics import mutual_info_score

import leakage
from leakage.estimators.corrections import CORRECTIONS
from leakage.pictures.photographs import PHOTOGRAPHS

SIZES, SEEDS = (4096, 65_536, 262_144), range(5)


def estimators():
    """Functions of two uint8 images, in bits."""
    ours = {
        f"ours, {name or 'plug-in'}": lambda x, y, name=name: (
            leakage.plug_in(x, y, correction=name).bits
        )
        for name in CORRECTIONS
    }
    ours["ours, pixel_mi"] = lambda x, y: leakage.pixel_mi(x, y, permutations=0).bits
    peers = {
        "scikit-learn, plug-in": lambda x, y: mutual_info_score(x.ravel(), y.ravel()) / np.log(2)
    }
    if find_spec("infomeasure"):
        import infomeasure

        for name in ("miller_madow", "grassberger", "chao_shen", "chao_wang_jost"):
            peers[f"infomeasure, {name}"] = lambda x, y, name=name: infomeasure.mutual_information(
                x.ravel(), y.ravel(), approach=name, base=2
            )
    return ours | peers


def rows():
    photograph = next(p for p in PHOTOGRAPHS if p.name == "camera").file()
    pixels = leakage.load_images(photograph, size=None).images
    for n in SIZES:
        side = int(n**0.5)
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            plain = pixels if n == pixels.size else rng.choice(pixels.ravel(), (1, side, side))
            for bits in range(9):
                scheme = leakage.get_scheme("bitplane", bits=bits)
                # the truth is that of the photograph, from which pixels are drawn
                exact = leakage.exact_leakage(scheme, pixels).bits
                cipher = scheme.encrypt(plain, rng.bytes(16))
                for name, estimate in estimators().items():
                    start = time.process_time()
                    value = estimate(plain, cipher)
                    spent = 1000 * (time.process_time() - start)
                    yield name, n, bits, seed, exact, value, spent


def main(path: Path) -> None:
    found = list(rows())
    with path.open("w", newline="") as file:
        packages = ["numpy", "scipy", "scikit-learn", "infomeasure"]
        file.write(stamp("discrete_estimators.py", packages))
        writer = csv.writer(file)
        writer.writerow(["estimator", "pixels", "planes", "seed", "exact", "bits", "cpu_ms"])
        writer.writerows([*row[:4], *(f"{v:.5f}" for v in row[4:])] for row in found)
    print(f"{'estimator':28}" + "".join(f"{n:>30,}" for n in SIZES))
    for name in dict.fromkeys(row[0] for row in found):
        line = f"{name:28}"
        for n in SIZES:
            mine = [row for row in found if row[:2] == (name, n)]
            errors = np.array([abs(row[5] - row[4]) for row in mine])
            spent = np.median([row[6] for row in mine])
            line += f"{errors.mean():10.4f} {errors.max():8.4f} {spent:7.1f} ms"
        print(line)
    print("mean and worst error in bits, median CPU time")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("discrete_estimators.csv"))
