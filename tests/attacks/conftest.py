"""Pictures and checks that the tests of several attacks share."""

import numpy as np
import pytest
from scipy.stats import binomtest

import leakage

#: Of each of about ten comparisons with guessing: on new seeds, one run in a hundred would fail.
FALSE_ALARM = 1e-3


@pytest.fixture(scope="session")
def encrypted():
    """Encrypts images by a scheme's name, under one key."""

    def encrypt(name, images, **parameters):
        return leakage.get_scheme(name, **parameters).encrypt(images, bytes(range(16)))

    return encrypt


@pytest.fixture(scope="session")
def assert_guessing():
    """Refuses an attack that does better than guessing."""

    def check(attack):
        p = binomtest(round(attack.rate * attack.n), attack.n, attack.chance, "greater").pvalue
        assert p > FALSE_ALARM
        assert attack.low <= attack.rate <= attack.high

    return check


@pytest.fixture(scope="session")
def one_each():
    """The most varied patch of 64 x 64 pixels of every bundled photograph."""
    every = leakage.load_images()
    best = [
        max(np.flatnonzero(every.groups == group), key=lambda i: every.images[i].std())
        for group in range(len(every.names))
    ]
    return every.images[best]


@pytest.fixture(scope="session")
def large():
    return leakage.load_images(size=256).images[::4]
