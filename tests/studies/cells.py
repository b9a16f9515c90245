"""Estimators and schemes for the tests of studies, as a reader would write them."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakage import Estimate


def correlation(x, y, *, groups, seed, seconds=0.0, fail_seed=None, unless=None):
    """Takes a known time, or fails for one seed unless a file exists."""
    time.sleep(seconds)
    if seed == fail_seed and not (unless and Path(unless).exists()):
        raise OverflowError(f"seed {seed}, as asked")
    value = float(np.mean(x * np.random.default_rng(seed).permutation(y)))
    return Estimate(value, None, None, 0.5, len(groups), "correlation", "estimate")


def odd(x, y, *, groups, seed):
    """A number of bits, and what a study cannot keep."""
    upside_down = Estimate(1.0, 2.0, 0.5, None, 1, "odd", "estimate")
    single = np.float32(2)
    array = Estimate(single, None, None, None, 1, "odd", "estimate", (), {"each": np.arange(2)})
    return (np.float32(1.5), "much", float("nan"), upside_down, array)[seed]


def leaves(x, y, *, groups, seed):
    """Ends the program, as a script would that found nothing to do."""
    if seed == 3:
        raise SystemExit("nothing to do")
    return correlation(x, y, groups=groups, seed=seed)


def dies_once(x, y, *, groups, seed, mark):
    """Kills its worker where the file is not there yet."""
    if seed == 1 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return correlation(x, y, groups=groups, seed=seed)


def process(x, y, *, groups, seed):
    """Which process it was computed in."""
    return Estimate(float(os.getpid()), None, None, None, len(groups), "process", "estimate")


def lowest_plane(images):
    """An encoder that looks at the lowest bit plane alone."""
    return images.reshape(len(images), -1) & 1


@dataclass(frozen=True)
class WithoutNumbers:
    """An audit can use it; a study, which encrypts in batches, cannot."""

    def encrypt(self, images, key):
        return images


@dataclass(frozen=True)
class OneOnly:
    """Encrypts one image, and fails on more."""

    def encrypt(self, images, key, *, first_index=0, keying="fresh"):
        if len(images) > 1:
            raise ZeroDivisionError("more than one image")
        return images


@dataclass(frozen=True)
class Leaves(OneOnly):
    """Encrypts one image, and ends the program on more."""

    def encrypt(self, images, key, *, first_index=0, keying="fresh"):
        if len(images) > 1:
            raise SystemExit(0)
        return images
