"""What is taken for images, and what to write instead of what is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

import leakage
from leakage.arguments import check_images, check_labels, object_named
from leakage.studies.own_code import own_object

GRAY = np.arange(2 * 8 * 10, dtype=np.uint8).reshape(2, 8, 10)
RGB = np.arange(2 * 8 * 10 * 3, dtype=np.uint16).astype(np.uint8).reshape(2, 8, 10, 3)


@pytest.mark.parametrize(
    ("given", "means"),
    [
        (GRAY, GRAY),
        (RGB, RGB),
        (list(GRAY), GRAY),
        (tuple(RGB), RGB),
        (torch.from_numpy(GRAY), GRAY),
        (torch.from_numpy(GRAY)[:, None], GRAY),
        (torch.from_numpy(np.moveaxis(RGB, -1, 1).copy()), RGB),
        (torch.from_numpy(RGB), RGB),
        (leakage.ImageSet(RGB, np.arange(2), ("a", "b"), ("", "")), RGB),
    ],
)
def test_what_has_one_meaning_is_taken(given, means, key):
    assert np.array_equal(check_images(given), means)
    scheme = leakage.get_scheme("bitplane", bits=4)
    assert np.array_equal(scheme.encrypt(given, key), scheme.encrypt(means, key))
    assert np.array_equal(leakage.metrics.grey_entropy(given), leakage.metrics.grey_entropy(means))
    assert np.array_equal(leakage.metrics.mse(given, means), [0, 0])


def test_arrays_are_not_copied():
    assert check_images(GRAY) is GRAY


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (np.ma.masked_array(GRAY, GRAY > 9), ValueError, r"masked; .*filled\(0\)"),
        ([np.ma.masked_array(g, g > 9) for g in GRAY], ValueError, "masked"),
        (GRAY.astype(complex), ValueError, "numpy.real"),
        (GRAY > 9, ValueError, r"\* 255"),
        (GRAY / 255, ValueError, r"numpy\.round\(255 \* images\)"),
        (GRAY.astype(np.uint16), ValueError, ">> 8"),
        (GRAY.astype(np.int64), ValueError, r"astype\('uint8'\)"),
        (GRAY[0], ValueError, r"images\[None\]"),
        (RGB[0], ValueError, r"one RGB image: that is images\[None\]"),
        (np.moveaxis(RGB, -1, 1), ValueError, r"numpy\.moveaxis\(images, 1, -1\)"),
        (torch.zeros((2, 3, 8, 3), dtype=torch.uint8), ValueError, "not clear where the channels"),
        ([GRAY[0], GRAY[0, 1:]], ValueError, "differ in shape"),
        (["a.png", "b.png"], TypeError, "load_images"),
        ([GRAY[0], None], TypeError, "a list of other things"),
        (None, TypeError, "not NoneType"),
        ([], TypeError, "not list"),
        (GRAY[:0], ValueError, "empty"),
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_what_to_write(given, error, says):
    with pytest.raises(error, match=says):
        check_images(given)


def test_a_module_that_raises_when_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("raises_at_import.py").write_text("import math\nmath.absent\ndef f(): ...\n")
    with pytest.raises(ValueError, match=r"^cannot import raises_at_import:f: AttributeError"):
        object_named("raises_at_import:f")
    with pytest.raises(ValueError, match=r"^cannot import raises_at_import:f: AttributeError"):
        own_object("raises_at_import:f")


def test_a_module_that_ends_python_when_it_is_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ends_at_import.py").write_text("raise SystemExit(3)\ndef f(): ...\n")
    with pytest.raises(ValueError, match=r"^cannot import ends_at_import:f: SystemExit: 3"):
        object_named("ends_at_import:f")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([None] * 4, "4 labels that are None"),
        (["a", 1, "b", 2], "several kinds, int and str"),
        ([0.0, np.nan, 1.0, 2.0], "1 labels that are NaN"),
    ],
)
def test_labels_that_are_none(labels, says):
    with pytest.raises(ValueError, match=says):
        check_labels(np.array(labels, object if "NaN" not in says else float))
