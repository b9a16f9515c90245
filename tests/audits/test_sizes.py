"""Size as a channel of its own, and everything else asked of images of one size."""

import numpy as np
import pytest
from PIL import Image

import leakage
from leakage.audits.pairs import Pairs
from leakage.audits.sizes import Sizes


def asked(images, groups=None, lengths=None, seed=0):
    shapes = tuple(image.shape for image in images)
    count = len(images)
    pairs = Pairs(tuple(map(str, range(count))), shapes, tuple(range(count)),
                  lambda i: (images[i], images[i]), lengths=lengths)  # fmt: skip
    sizes = Sizes(pairs, np.arange(count) if groups is None else groups)
    for image in images:
        sizes.add(image)
    return {finding.name: finding for finding in sizes.findings(seed)}


def scenes(count, seed=0, size=48):
    return leakage.load_images("scenes", size=size, count=count, seed=seed).images


def cut(images, sides):
    return [image[:side] for image, side in zip(images, sides, strict=True)]


def test_sizes_that_follow_brightness():
    images = scenes(200)
    sides = 32 + 4 * (images.mean((1, 2)) > 128)
    found = asked(cut(images, sides))
    assert found["size follows content"].p_value < 0.0005


def test_sizes_that_follow_nothing_are_not_accused(monkeypatch):
    """At the 5 % level 200 sets give at most 20 alarms, but for 1 run in 1,000."""
    monkeypatch.setattr("leakage.audits.sizes.EXCHANGES", 199)
    rows = scenes(60, size=40)[:, 20]
    alarms = 0
    for seed in range(200):
        sides = np.random.default_rng(seed).choice([32, 36, 40], len(rows))
        # one row all over: what is shown has nothing to do with how much of it there is
        images = [np.tile(row, (side, 1)) for row, side in zip(rows, sides, strict=True)]
        alarms += asked(images, seed=seed)["size follows content"].p_value <= 0.05
    assert alarms <= 20


def test_equal_sizes_are_not_asked():
    assert asked(list(scenes(30))) == {}


@pytest.mark.parametrize("follows", [True, False])
def test_lengths_of_files(follows):
    """Within a size: that lengths grow with the size is no news."""
    images = scenes(160)
    sides = np.where(np.arange(160) % 2, 32, 48)
    rng = np.random.default_rng(3)
    detail = np.abs(np.diff(images.astype(float), axis=2)).mean((1, 2))
    extra = detail if follows else rng.permutation(detail)
    cipher = 100 * sides + (10 * extra).astype(int)
    plain = 10_000 + rng.integers(0, 1000, 160)
    found = asked(cut(images, sides), lengths=np.column_stack([plain, cipher]))
    assert (found["file length follows content"].p_value < 0.0005) == follows


def test_groups_change_places_whole():
    """Ten crops of each of 12 scenes, and a size for each scene: 12 sizes prove nothing."""
    images = np.repeat(scenes(12), 10, axis=0)
    rng = np.random.default_rng(0)
    noisy = np.clip(images + rng.normal(0, 2, images.shape), 0, 255).astype(np.uint8)
    sides = np.repeat(rng.choice([32, 40, 48], 12), 10)
    found = asked(cut(noisy, sides), np.repeat(np.arange(12), 10))
    assert found["size follows content"].p_value > 0.01


def test_an_audit_names_size_and_nothing_else(tmp_path):
    """AES of images whose size is that of their brightness."""
    images = scenes(120, size=48)
    sides = 40 + 8 * (images.mean((1, 2)) > 128)
    rng = np.random.default_rng(1)
    for name in ("plain", "cipher"):
        (tmp_path / name).mkdir()
    for i, image in enumerate(cut(images, sides)):
        Image.fromarray(image).save(tmp_path / "plain" / f"{i}.png")
        noise = rng.integers(0, 256, image.shape, np.uint8)
        Image.fromarray(noise).save(tmp_path / "cipher" / f"{i}.png")
    found = leakage.audit(tmp_path / "plain", tmp_path / "cipher", progress=False)
    assert [finding.name for finding in found.findings if finding.leaks] == ["size follows content"]
    assert found.verdict.startswith("Leak detected (size follows content)")
    assert found.certified_bits == 0
    assert any("differ in size" in remark for remark in found.origin.remarks)
