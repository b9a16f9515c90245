"""Is a leak found as often as an audit says it would have been?

    python benchmarks/audit_power.py [--pairs 200] [--size 64] [--runs 100] [--seed 0]
        [--views NAME ...]

An audit of scenes under AES says what each of its views would have found in eight of ten cases.
Leaks of that size are planted again, at other places and along other directions, and asked about by
the test that the audit makes. Each line: view, stated bits, and how many of the runs found it.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import leakage
from leakage.audits import levels, power
from leakage.audits.couples import coupled
from leakage.audits.critic import PictureCollector, Pictures, PlanePlanter
from leakage.audits.pairs import from_arrays
from leakage.audits.verdicts import ALPHA, LEVELS
from leakage.estimators.swapped_pixels import pixel_swap_p_value


def gathered(images: np.ndarray, cipher: np.ndarray) -> tuple[levels.Sample, Pictures]:
    """What the views of an audit keep of these pairs."""
    groups = np.arange(len(images))
    pairs = from_arrays(images, cipher)
    collector = levels.Collector(coupled(pairs.shapes, groups), 4096, groups, 0)
    read = PictureCollector(pairs.shapes, groups, 0)
    for pair in pairs:
        collector.add(*pair)
        read.add(*pair)
    return collector.sample(), read.pictures()


def clear_patches(pictures: Pictures, share: float, rng: np.random.Generator) -> Pictures:
    """Ciphertexts exchanged, and in this share of their patches the lowest plane in the clear."""
    plain, cipher, groups = pictures
    cipher = cipher[rng.permutation(len(cipher))]
    side = levels.BLOCK
    clear = rng.random((len(cipher), *(-(-n // side) for n in cipher.shape[1:3]))) < share
    clear = clear.repeat(side, 1).repeat(side, 2)[:, : cipher.shape[1], : cipher.shape[2]]
    return Pictures(plain, np.where(clear, (cipher & 0xFE) | (plain & 1), cipher), groups)


def planted_test(level: str, sample: levels.Sample, pictures: Pictures):
    """Of bits and a trial to the p-value of the audit's own test of that view."""
    if level == "pixel":
        plant = power.plane_planter(sample)
        return lambda bits, trial: pixel_swap_p_value(
            sample.plain_blocks, plant(bits, trial), sample.partners, sample.couples
        )
    if level == "critic":
        most = PlanePlanter(pictures, 0).bits
        return lambda bits, trial: clear_patches(
            pictures, bits / most, np.random.default_rng(trial)
        ).finding(trial).p_value  # fmt: skip
    if level == "patch":
        keep = levels.coupled_blocks(sample, 0)
        x, y = (levels.patch_vectors(b[keep]) for b in (sample.plain_blocks, sample.cipher_blocks))
        plant = power.order_planter(x, y)
        partners = np.searchsorted(keep, sample.partners[keep])
        groups, couples = sample.block_groups[keep], sample.couples[keep]
        return lambda bits, trial: levels.swap_p_value(
            x, plant(bits, trial), groups, couples, partners, 999, trial
        )
    if level == "embedding":
        x, y = sample.plain["stem"], sample.cipher["stem"]
        plant = power.direction_planter(x, y, 2)
        return lambda bits, trial: len(sample.plain) * leakage.estimate_mi(
            x, plant(bits, trial), "canonical", groups=sample.groups, seed=trial,
            components=levels.COMPONENTS,
        ).p_value  # fmt: skip
    x, y = levels.whole(sample.plain), levels.whole(sample.cipher)
    plant = power.direction_planter(x, y, power.MANY)
    return lambda bits, trial: levels.identification_p_value(
        sample, x, plant(bits, trial), 9999, trial
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", nargs="*", default=list(power.PLANTED), choices=power.PLANTED)
    options = parser.parse_args()
    images = leakage.load_images(
        "scenes", size=options.size, count=options.pairs, seed=options.seed
    ).images
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(images, bytes(16))
    sample, pictures = gathered(images, cipher)
    for view in power.power_of(sample, pictures, options.seed, options.views):
        if view.bits is None:
            print(f"{view.level}: nothing that was planted is found")
            continue
        test = planted_test(view.level, sample, pictures)
        trials = range(1000, 1000 + options.runs)
        found = sum(test(view.bits, trial) <= ALPHA / len(LEVELS) for trial in trials)
        told = f"{view.level}: {view.bits:.3g} bits a {view.unit}, found in {found}"
        print(f"{told} of {options.runs}", flush=True)


if __name__ == "__main__":
    main()
