import base64
import io
import os
import re
import time
from urllib.error import URLError
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from leakage.pictures.batches import image_batches
from leakage.pictures.image_sets import PATCHES_PER_IMAGE, ImageSet, load_images
from leakage.pictures.photographs import PHOTOGRAPHS


def test_photographs(photographs):
    images, groups = photographs.images, photographs.groups
    assert images.dtype == np.uint8
    assert images.shape == (len(photographs), 64, 64)
    assert photographs.names == tuple(p.name for p in PHOTOGRAPHS)
    assert all(photographs.credits)
    counts = np.bincount(groups)
    assert len(counts) == len(PHOTOGRAPHS)
    assert counts.min() > 0
    assert counts.max() <= PATCHES_PER_IMAGE


def test_patches_are_crops(photographs):
    """Every patch of the cat lies in the file, on the grid, in raster order."""
    cat = next(i for i, p in enumerate(PHOTOGRAPHS) if p.name == "cat")
    with Image.open(PHOTOGRAPHS[cat].file()) as picture:
        whole = np.asarray(picture.convert("L"))
    rows, columns = whole.shape[0] // 64, whole.shape[1] // 64
    expected = [
        whole[64 * r : 64 * r + 64, 64 * c : 64 * c + 64]
        for r in range(rows) for c in range(columns)
    ]  # fmt: skip
    assert np.array_equal(photographs.images[photographs.groups == cat], expected)


def test_rgb_and_count():
    few = load_images(count=7, mode="rgb", size=32, seed=1)
    assert few.images.shape == (7, 32, 32, 3)
    assert np.array_equal(few.images, load_images(count=7, mode="rgb", size=32, seed=1).images)
    assert not np.array_equal(few.images, load_images(count=7, mode="rgb", size=32, seed=2).images)


def test_large_patches_leave_small_photographs_out():
    large = load_images(size=500)
    assert "page" not in large.names
    assert np.array_equal(np.unique(large.groups), np.arange(len(large.names)))


@pytest.fixture
def folder(tmp_path, rng):
    (tmp_path / "nested").mkdir()
    files = ("a.pgm", "b.png", "c.tif", "d.bmp", "nested/e.png")
    gray = rng.integers(0, 256, (5, 40, 50), np.uint8)
    for name, image in zip(files, gray, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    return tmp_path, gray


def test_folder(folder):
    path, gray = folder
    whole = load_images(path, size=None)
    assert np.array_equal(whole.images, gray)
    assert whole.names == ("a.pgm", "b.png", "c.tif", "d.bmp", "nested/e.png")
    patches = load_images(str(path), size=20)
    assert len(patches) == 5 * 4
    assert np.array_equal(patches.images[0], gray[0, :20, :20])
    assert np.array_equal(patches.groups, np.repeat(np.arange(5), 4))
    one = load_images(path / "b.png", size=None, mode="rgb")
    assert one.images.shape == (1, 40, 50, 3)


def test_jpeg(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / "a.jpg")
    assert load_images(tmp_path, size=16).images.shape == (1, 16, 16, 3)
    with pytest.warns(UserWarning, match="the colour of 1 of 1 pictures was left out"):
        gray = load_images(tmp_path, size=16, mode="gray")
    assert gray.images.shape == (1, 16, 16)


def test_every_bad_file_is_named_in_one_error(folder):
    path, _ = folder
    Image.fromarray(np.zeros((40, 50), np.uint16)).save(path / "deep.png")
    Image.fromarray(np.zeros((40, 50, 4), np.uint8)).save(path / "clear.png")
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(path / "small.png")
    (path / "broken.jpg").write_bytes((path / "b.png").read_bytes()[:200])
    (path / "notes.txt").write_text("not an image")
    (path / ".hidden").write_text("ignored")
    with pytest.raises(ValueError, match="4 of 9 files") as caught:
        load_images(path, size=20)
    for name in ("deep.png", "clear.png", "small.png", "broken.jpg"):
        assert name in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "notes" not in str(caught.value)


def test_one_rule_for_what_is_no_picture(folder):
    """Hidden files are skipped, other kinds are told of, links are followed once."""
    path, gray = folder
    (path / "._a.pgm").write_bytes(b"what macOS leaves")
    (path / ".cache").mkdir()
    Image.fromarray(gray[0]).save(path / ".cache" / "x.png")
    (path / "Thumbs.db").write_bytes(b"what Windows leaves")
    (path / "nested" / "labels.csv").write_text("a,b")
    (path / "loop").symlink_to(path, target_is_directory=True)
    with pytest.warns(UserWarning, match=r"2 files of other kinds were skipped: Thumbs\.db, nest"):
        found = load_images(path, size=None)
    assert np.array_equal(found.images, gray)
    assert len(found.notes) == 1
    assert "Thumbs.db" in found._repr_html_()
    (path / "gone.png").symlink_to(path / "nowhere.png")
    os.mkfifo(path / "pipe.png")
    with pytest.raises(ValueError, match=r"(?s)gone\.png cannot be read.*pipe\.png is no regular"):
        load_images(path, size=None)


def test_equal_pictures_are_one_group(folder):
    path, gray = folder
    Image.fromarray(gray[1]).save(path / "twin of b.tif")
    with pytest.warns(UserWarning, match="1 of 6 pictures is equal to an earlier one"):
        found = load_images(path, size=20)
    names = [found.names[group] for group in np.unique(found.groups)]
    assert "b.png" in names
    assert "twin of b.tif" not in names
    assert np.bincount(found.groups).max() == 8
    with pytest.warns(UserWarning, match="1 of 6 pictures"):
        parts = list(image_batches(path, size=20, batch=5))
    assert np.array_equal(np.concatenate([part.groups for part in parts]), found.groups)


def test_pictures_are_turned_upright_and_said(tmp_path, rng):
    noise = rng.integers(0, 256, (40, 50, 3), np.uint8)
    tag = Image.Exif()
    tag[274] = 6
    Image.fromarray(noise).save(tmp_path / "a.png", exif=tag)
    with pytest.warns(UserWarning, match="1 of 1 pictures were turned upright"):
        found = load_images(tmp_path, size=None)
    assert np.array_equal(found.images[0], np.rot90(noise, -1))


def test_a_message_about_many_files_fits_on_a_screen(tmp_path):
    """20,000 bad files: named in part, in seconds."""
    for i in range(20_000):
        (tmp_path / f"{i:05}.png").touch()
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"(?s)20000 of 20000 files .*and 19980 more$") as caught:
        load_images(tmp_path)
    assert time.perf_counter() - start < 10
    assert len(str(caught.value).splitlines()) < 25


def test_ragged_whole_images(folder):
    path, _ = folder
    Image.fromarray(np.zeros((41, 50), np.uint8)).save(path / "odd.png")
    with pytest.raises(ValueError, match=r"odd\.png is 50x41 pixels, the others 50x40: give size"):
        load_images(path, size=None)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"source": "no/such/folder"}, ValueError, "no file or folder 'no/such/folder'"),
        ({"size": 0}, ValueError, "size must be at least 1"),
        ({"size": 64.0}, TypeError, "size must be an int"),
        ({"size": None}, ValueError, "photographs differ in size"),
        ({"size": 5000}, ValueError, "no photograph holds a patch"),
        ({"count": 10**6}, ValueError, "holds 976 images"),
        ({"mode": "grey"}, ValueError, "'gray' or 'rgb'"),
        ({"source": "torchvision:Nothing"}, ValueError, "no data set 'Nothing'"),
    ],
)
def test_bad_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        load_images(**arguments)


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="no images in"):
        load_images(tmp_path)


def test_torchvision_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKAGE_DATA", str(tmp_path))
    fake = load_images("torchvision:FakeData", size=100, count=5)
    assert fake.images.shape == (5, 100, 100)


def test_no_network_for_torchvision(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("LEAKAGE_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(ValueError, match="check the network connection"):
        load_images("torchvision:CIFAR10", size=32, count=5)


def text_of(page):
    """Attributes of all pictures of a page, and all its text; a page that is not whole fails."""
    root = ElementTree.fromstring(re.sub(r"(<img [^>]*)>", r"\1/>", page))
    return [picture.attrib for picture in root.iter("img")], "".join(root.itertext())


def test_a_set_is_described_and_not_printed(photographs):
    some = load_images(count=200)
    assert repr(some) == "ImageSet of 200 gray images of 64 x 64 from 19 sources"
    whole = ImageSet(np.zeros((1, 30, 40, 3), np.uint8), np.array([1]), ("a", "b"), ("", ""))
    assert repr(whole) == "ImageSet of 1 RGB image of 40 x 30 from 1 source"
    assert len(repr(photographs)) < 100


def test_a_notebook_shows_thumbnails(photographs):
    pictures, text = text_of(photographs._repr_html_())
    assert len(pictures) == 12
    assert text == f"{photographs!r}; 12 of them"
    assert pictures[0]["alt"] == f"image 1 of {len(photographs)}, from astronaut"
    assert pictures[-1]["alt"] == f"image {len(photographs)} of {len(photographs)}, from flower"
    first = base64.b64decode(pictures[0]["src"].removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(first))), photographs.images[0])


@pytest.mark.parametrize(("side", "shape"), [(32, ()), (500, ()), (500, (3,)), (2000, (3,))])
@pytest.mark.parametrize("count", [1, 5, 30])
def test_thumbnails_of_noise_are_few_small_and_light(side, shape, count, rng):
    noise = rng.integers(0, 256, (2, side, side // 2, *shape), np.uint8)
    images = np.broadcast_to(noise[:1], (count, *noise.shape[1:]))
    page = ImageSet(images, np.zeros(count, int), ("<b>&\"'",), ("",))._repr_html_()
    assert len(page) < 150_000
    pictures, _ = text_of(page)
    assert len(pictures) == min(count, 12)
    for picture in pictures:
        assert picture["alt"].endswith("from <b>&\"'")
        content = base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))
        assert max(Image.open(io.BytesIO(content)).size) <= 96
    assert "<b>" not in page
