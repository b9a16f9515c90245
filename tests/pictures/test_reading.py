"""One reader: what it gives is what the file holds, and the header alone says the same."""

import numpy as np
import pytest
from PIL import Image

from leakage.pictures.reading import SUFFIXES, read_header, read_image


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_read(tmp_path, suffix, rng):
    path = tmp_path / f"a{suffix.upper()}"
    shape = (5, 7, 3) if suffix == ".ppm" else (5, 7)
    samples = rng.integers(0, 256, shape, np.uint8)
    Image.fromarray(samples).save(path)
    assert read_header(path).shape == (5, 7)
    found = read_image(path, "rgb" if len(shape) == 3 else "gray")
    assert found.dtype == np.uint8
    if "jp" not in suffix:
        assert np.array_equal(found, samples)


@pytest.mark.parametrize("read", [read_header, read_image])
@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("a.webp", "L", "is not an image that can be read"),
        ("a.png", "RGBA", "has an alpha channel; flatten"),
        ("a.png", "I;16", "holds 16 bits a sample"),
        ("a.png", None, "is not an image that can be read"),
        ("b.png", None, "cannot be read"),
    ],
)
def test_refusals_are_the_same_from_the_header(tmp_path, read, name, mode, says):
    path = tmp_path / name
    if mode:
        Image.new(mode, (9, 9)).save(path)
    elif name == "a.png":
        path.write_text("no image")
    with pytest.raises(ValueError, match=says):
        read(path)


def test_transparent_palette(tmp_path):
    path = tmp_path / "a.png"
    Image.new("P", (9, 9)).save(path, transparency=0)
    with pytest.raises(ValueError, match="transparent pixels; flatten"):
        read_image(path)


def test_broken_further_on(tmp_path, rng):
    path = tmp_path / "a.png"
    Image.fromarray(rng.integers(0, 256, (90, 90), np.uint8)).save(path)
    broken = bytearray(path.read_bytes())
    broken[4000] ^= 1
    path.write_bytes(broken)
    assert read_header(path).shape == (90, 90)
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(path)
