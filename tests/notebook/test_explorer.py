"""What the explorer shows, and its controls without a browser."""

import io
import shlex
import time
from pathlib import Path

import numpy as np
import papermill
import pytest
from PIL import Image

import leakage
from leakage.notebook.explorer import (
    LEVELS,
    Setting,
    attacks_on,
    explore,
    names_of,
    panels,
    scheme_at,
)
from leakage.notebook.widgets import Explorer, uploaded_file
from leakage.pictures.image_sets import load_images
from leakage.pictures.thumbnails import png
from leakage.schemes import decrypt_jpeg, encrypt_jpeg
from leakage.schemes.jpeg import JpegScheme
from leakage.schemes.jpeg_coding import compressed

ROOT = Path(__file__).resolve().parents[2]
SIDE = 64
#: Seconds of processor time: "within a second", and room for a slow machine.
QUICK = 2.0


@pytest.fixture(scope="module")
def picture():
    return load_images(size=SIDE).images[3]


def raster_of(file):
    return np.asarray(Image.open(io.BytesIO(file)))


def test_levels_are_of_known_schemes_and_parameters():
    for name, (_, _, values) in LEVELS.items():
        for value in values:
            assert repr(scheme_at(name, value)) == repr(scheme_at(name, float(value)))


@pytest.mark.parametrize("name", leakage.list_schemes().index)
def test_every_scheme_is_attacked_and_decrypts(name, picture, key):
    scheme = scheme_at(name, LEVELS.get(name, ("", "", (0,)))[2][-1])
    cipher = scheme.encrypt(picture[None], key)[0]
    for attacked in attacks_on(scheme, picture, cipher, key).values():
        assert attacked.dtype == np.uint8
        assert attacked.shape == picture.shape
    if isinstance(scheme, JpegScheme):
        file = compressed(picture, scheme.quality)
        again = decrypt_jpeg(encrypt_jpeg(file, key, scheme), key, scheme)
        assert np.array_equal(raster_of(again), raster_of(file))
    elif scheme.lossless:
        assert np.array_equal(scheme.decrypt(cipher[None], key)[0], picture)
    else:
        with pytest.raises(ValueError, match="cannot be undone"):
            scheme.decrypt(cipher[None], key)


@pytest.mark.parametrize(
    ("scheme", "level", "attack"),
    [
        ("nonzero-key", 1, "flipped"),
        ("public-keystream", 0, "decrypted, any key"),
        ("block-shuffle", 32, "puzzle solved"),
    ],
)
def test_what_is_undone_without_the_key(scheme, level, attack):
    image = load_images(size=128).images[20]
    view = explore(image, Setting(scheme=scheme, level=level, layer="histogram"))
    assert np.array_equal(view.pictures[attack], image)
    assert not np.array_equal(view.pictures["ciphertext"], image)


def test_numbers_are_those_of_the_package(picture):
    setting = Setting(scheme="bitplane", level=3, layer="stem")
    found = explore(picture, setting).leaks
    scheme = leakage.get_scheme("bitplane", bits=3)
    exact = leakage.exact_leakage(scheme, picture[None]).bits
    assert found.loc["bit a sample, exact", "bits"] == exact
    estimated = found.loc["bit a sample, estimated"]
    assert estimated["low"] <= exact <= estimated["high"]
    assert abs(estimated["shuffled"]) < 0.1
    assert estimated["p"] <= 0.05


def test_the_map_is_of_the_picture_in_view():
    image = load_images(size=128).images[20]
    view = explore(image, Setting(scheme="bitplane", level=4, layer="histogram"))
    assert view.marked.mean() > 0.8
    title, shown = list(panels(view).items())[-1]
    assert title == f"marked, {view.marked.mean():.0%}"
    assert np.array_equal(shown[view.marked], image[view.marked])
    assert not shown[~view.marked].any()


def test_nothing_is_found_at_eight_planes(picture):
    view = explore(picture, Setting(scheme="bitplane", level=8, layer="stem"))
    assert not view.marked.any()
    found = view.leaks
    assert found.loc["bit a sample, exact", "bits"] == 0
    assert found.loc["bit a patch, stem", "p"] > 0.01


def test_quick(picture):
    explore(picture, Setting(layer="head"))  # the network is loaded, the plain images embedded
    started = time.process_time()
    explore(picture, Setting(layer="head", level=5))
    assert time.process_time() - started < QUICK


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scheme": "bitplan"}, "did you mean 'bitplane'"),
        ({"level": 9}, "level of bitplane is its encrypted planes: one of 0, 1"),
        ({"layer": "steam"}, "layer must be one of histogram"),
    ],
)
def test_bad_settings_are_named(picture, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        explore(picture, Setting(**change))


def test_the_command_is_a_setting_of_the_notebook():
    setting = Setting(source="my pictures/2024's", level=0.51, scheme="biased-keystream")
    words = shlex.split(setting.command())
    assert words[:3] == ["papermill", "notebooks/explorer.ipynb", "out.ipynb"]
    given = dict(zip(words[4::3], words[5::3], strict=True))
    assert given == {name: str(value) for name, value in vars(setting).items()}
    assert set(given) == set(papermill.inspect_notebook(str(ROOT / words[1])))


def test_controls_follow_each_other():
    live = Explorer(Setting(level=3, layer="histogram"))
    assert live.picture.options[live.setting.picture][0] == names_of(load_images(size=128))[0]
    live.scheme.value = "identity"
    assert live.level.disabled
    live.scheme.value = "etc"
    assert live.level.description == "side of blocks"
    assert live.level.value in LEVELS["etc"][2]
    live.scheme.value = "bitplane"
    live.level.value = 8
    assert live.view.leaks["bits"].iloc[0] == 0
    assert "-p level 8" in live.command.value
    shown = live.pictures.value
    live.picture.value = 5
    assert live.pictures.value != shown


@pytest.mark.parametrize("generation", [7, 8])
def test_upload(generation, rng):
    noise = rng.integers(0, 256, (130, 140)).astype(np.uint8)
    content = png(noise)
    value = (
        {"../n.png": {"content": content}}
        if generation == 7
        else ({"name": "../n.png", "content": memoryview(content)},)
    )
    live = Explorer(Setting(level=0, layer="histogram"))
    live._take(*uploaded_file(value))
    assert live.setting.source == "n.png"
    assert np.array_equal(live.view.pictures["plain"], noise[:128, :128])
    live.source.value = "photographs"
    assert live.view.leaks["bits"].iloc[0] < 8


@pytest.mark.parametrize("content", [b"no image", png(np.zeros((5, 5), np.uint8))])
def test_a_bad_upload_is_said_and_mended(content):
    live = Explorer(Setting(layer="histogram"))
    live._attempt(lambda: live._take("bad.png", content))
    assert "bad.png" in live.status.value
    assert live.pictures.value == ""
    live.level.value = 4
    assert "measured in" in live.status.value
