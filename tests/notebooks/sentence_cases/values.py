"""Pictures, estimates and tables that the cases share."""

import numpy as np
import pandas as pd

from leakage.estimate import FOLDS_DISAGREE, Estimate

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
RAMP = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
FLAT = np.full((64, 64), 7, np.uint8)
CHECKS = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)


def e(bits, low=None, high=None, p=None, *flags, **details):
    """An estimate; by default within 0.1 bit, and told from shuffled pairs where that is not 0."""
    low, high = bits - 0.1 if low is None else low, bits + 0.1 if high is None else high
    p = (0.0001 if low > 0 else 0.5) if p is None else p
    return Estimate(bits, low, high, p, 100, "MINE", "lower bound", tuple(flags), details)


YES, NO, LOST = e(1.0), e(0.0), e(9.0, 0.0, 9.0, 0.5, FOLDS_DISAGREE)


def frame(index, **columns):
    """A table whose columns may hold one number for all rows."""
    return pd.DataFrame(columns, index=pd.Index(index), dtype=float)
