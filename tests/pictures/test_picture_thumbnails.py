"""Pictures inside pages."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from leakage.pictures.thumbnails import data_address, png, thumbnail


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_an_address_holds_the_picture(shape, rng):
    picture = rng.integers(0, 256, shape, np.uint8)
    kind, content = data_address(png(picture)).split(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), picture)


@pytest.mark.parametrize("shape", [(96, 96), (97, 10), (10, 97, 3), (1, 1), (500, 400, 3)])
def test_a_thumbnail_is_small_and_made_of_samples(shape, rng):
    picture = rng.integers(0, 256, shape, np.uint8)
    small = thumbnail(picture, 96)
    assert max(small.shape[:2]) <= 96
    step = -(-max(shape[:2]) // 96)
    assert np.array_equal(small, picture[::step, ::step])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(small)))), small)


def test_a_small_picture_is_its_own_thumbnail(rng):
    picture = rng.integers(0, 256, (96, 30), np.uint8)
    assert np.array_equal(thumbnail(picture, 96), picture)
