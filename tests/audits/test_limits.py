"""Upper limits of named adversaries: rarely below the truth, and within reach of it."""

import numpy as np
from scipy.stats import norm

import leakage
from leakage.audits.limits import own_and_others, recognised, upper_limit


def test_limits_of_known_adversaries():
    """400 of each success: below it in 5 % at most, but for one run in 1,000 (33 of 400)."""
    rng = np.random.default_rng(0)
    for success in (0.01, 0.1, 0.5, 0.9):
        hits = rng.binomial(120, success, 400)
        below = sum(upper_limit(h / 120, 120) < success for h in hits)
        assert below <= 33


def test_shares_of_groups():
    """120 groups of five, alike within: trials of a group are one."""
    rng = np.random.default_rng(1)
    each = rng.beta(0.5, 1.5, (400, 120))  # mean 1/4
    hits = rng.binomial(5, each).mean(1) / 5
    assert sum(upper_limit(rate, 120) < 0.25 for rate in hits) <= 33


def test_limits_of_known_recognition():
    """Pairs share images and ciphertexts: five folds of 40, of a known share at 1 % and 0.1 %."""
    rng = np.random.default_rng(2)
    below = {(share, gain): 0 for share in (0.01, 0.001) for gain in (0.0, 1.0, 3.0)}
    for _ in range(400):
        told = [
            (0.6 * rng.normal(size=(40, 40))
             + 0.8 * (rng.normal(size=(40, 1)) + rng.normal(size=40)) / np.sqrt(2), np.arange(40))
            for _ in range(5)
        ]  # fmt: skip
        own, others = own_and_others(told)
        for share, gain in below:
            truth = norm.sf(norm.isf(share) - gain)
            below[share, gain] += recognised(own + gain, others, share, 200, 0.05)[1] < truth
    assert max(below.values()) <= 33


def test_an_audit_has_them():
    images = leakage.load_images("scenes", size=48, count=60, seed=2).images
    clear = leakage.audit(images, images, progress=False)
    sealed = leakage.get_scheme("bitplane", bits=8).encrypt(images, bytes(16))
    found = leakage.audit(images, sealed, progress=False)
    assert len(clear.limits) == len(found.limits) == 5  # too few pairs for 0.1 % false positives
    assert all(one.limit > 0.9 for one in clear.limits[:2])
    assert clear.limits[0].bayes_security < 0.1
    assert found.limits[0].bayes_security > 0.8
    assert clear.limits[4].rate > 0.9
    assert found.limits[4].bayes_security is None
    for one in found.limits:
        assert one.rate < one.limit < one.chance + 0.4
        assert one.trials == 60
        assert one.limit >= one.chance


def test_ciphertexts_that_are_all_one_are_no_error():
    """What they say of their images is nothing, and nobody can be found by them."""
    images = leakage.load_images("scenes", size=32, count=40).images
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32), np.uint8)
    found = leakage.audit(images, noise.repeat(40, axis=0), progress=False)
    (asked,) = [f for f in found.findings if f.level == "identification"]
    assert asked.leaks is None
    assert asked.meaning.startswith("All images or ciphertexts are alike")
    assert found.limits == ()
    assert found.leaks is None
