"""The certified bits of a critic that was fixed before: they hold, whatever it is."""

import math

import numpy as np
from scipy.stats import binom

from leakage.estimators.pretrained_bounds import CertifiedBits


def log_ratios(clear, groups, rng):
    """Scores of noise and ciphertexts that are the noise itself with this chance: exact ln ratios.

    A place holds one of 8 values: 8 are as likely on both sides.
    """
    x, y = rng.integers(0, 8, (2, groups, 4))
    y = np.where(rng.random(y.shape) < clear, x, y)
    same = x[:, None] == y[None]
    ratio = np.where(same, 8 * clear + 1 - clear, 1 - clear)
    return np.log(ratio)[None, ..., None]


def exact_bits(clear):
    own = clear + (1 - clear) / 8
    return own * math.log2(8 * own) + (1 - own) * math.log2(8 * (1 - own) / 7)


def certified(clear, parts, rng, scores=log_ratios):
    bound = CertifiedBits(1)
    for _ in range(parts):
        bound.bets(scores(clear, 12, rng), rng)
    return bound.at(0.95)


def test_seldom_broken_and_of_use():
    """At 5 %, 40 runs of each: more than 7 broken ones have a chance below 0.2 %."""
    rng = np.random.default_rng(0)
    assert binom.sf(7, 40, 0.05) < 0.002
    for clear, parts in ((0.3, 20), (0.9, 4)):
        found = np.array([certified(clear, parts, rng) for _ in range(40)])
        assert np.count_nonzero(found > exact_bits(clear)) <= 7
        assert np.median(found) > exact_bits(clear) / 6


def test_no_critic_certifies_what_is_not_there():
    def told(_, groups, rng):
        return 3 * rng.normal(size=(1, groups, groups, 4, 1))

    rng = np.random.default_rng(1)
    found = [certified(0, 3, rng, told) for _ in range(40)]
    assert np.count_nonzero(found) <= 7


def test_no_choice_of_confidence_is_beyond_the_grid():
    bound = CertifiedBits(2)
    assert bound.at(0.95) == 0
    bound.log_capitals += 50
    assert bound.at(0.95) > 11
