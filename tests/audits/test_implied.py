"""What follows from a fact stands beside it as found."""

import numpy as np

import leakage


def test_six_clear_planes_identify_every_image():
    images = leakage.load_images("scenes", size=48, count=60).images
    cipher = leakage.get_scheme("bitplane", bits=2).encrypt(images, bytes(16))
    found = leakage.audit(images, cipher, progress=False)
    (asked,) = [f for f in found.findings if f.level == "identification"]
    assert asked.leaks
    assert asked.p_value is None or asked.p_value <= 0.01


def test_planes_that_are_alike_name_nobody():
    """The clear plane is constant in all images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 128, (60, 32, 32), np.uint8)
    cipher = rng.integers(0, 128, images.shape, np.uint8)
    found = leakage.audit(images, cipher, progress=False)
    (asked,) = [f for f in found.findings if f.level == "identification"]
    assert not asked.leaks
    assert "Implied" not in asked.meaning


def test_a_plane_that_is_constant_is_no_leak():
    """Seven-bit pictures under a sound cipher of seven bits."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 128, (40, 32, 32), np.uint8)
    found = leakage.audit(images, images ^ rng.integers(0, 128, images.shape, np.uint8),
                          progress=False)  # fmt: skip
    assert not any(f.leaks for f in found.findings if f.name == "clear bit planes")
