import numpy as np
import pytest

import leakage


@pytest.fixture(scope="module")
def pairs():
    """Photographs and what is left of them without two planes, gray and RGB."""
    scheme = leakage.get_scheme("bitplane", bits=2)
    made = {}
    for mode in ("gray", "rgb"):
        images = leakage.load_images(size=176, count=2, mode=mode).images
        made[mode] = images, scheme.encrypt(images, bytes(range(16)))
    return made


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, (2, 2, 176, 176), np.uint8)
