from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leakage.notebook import recorded
from leakage.pictures.batches import image_batches
from leakage.pictures.dead_leaves import _STREAM, COUNT, LARGEST, SMALLEST, scene
from leakage.pictures.image_sets import load_images

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scenes():
    return load_images("scenes", count=300, seed=3)


def test_a_set_of_scenes(scenes):
    assert scenes.images.shape == (300, 64, 64)
    assert scenes.images.dtype == np.uint8
    assert np.array_equal(scenes.groups, np.arange(300))
    assert scenes.names[17] == "scene 17 (seed 3)"
    assert len(scenes.credits) == 300
    assert repr(scenes) == "ImageSet of 300 gray images of 64 x 64 from 300 sources"
    assert scenes.notes == ()


def test_a_scene_depends_on_seed_and_index_alone(scenes):
    few = load_images("scenes", count=4, seed=3).images
    assert np.array_equal(few, scenes.images[:4])
    assert np.array_equal(scene(3, 299, 64), scenes.images[299])
    assert not (scene(4, 299, 64) == scenes.images[299]).all()
    parts = list(image_batches("scenes", count=10, seed=3, batch=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert np.array_equal(np.concatenate([part.images for part in parts]), scenes.images[:10])
    assert np.array_equal(np.concatenate([part.groups for part in parts]), np.arange(10))
    assert parts[2].names == parts[0].names == scenes.names[:10]


def test_scenes_are_those_of_every_machine():
    """Means of sixteen squares: processors may round a sample or two differently."""
    squares = [
        picture.reshape(4, len(picture) // 4, 4, len(picture) // 4, -1).mean((1, 3, 4))
        for picture in (scene(0, 0, 64), scene(1, 2**31, 48, "rgb"))
    ]
    assert squares[0].tolist() == [
        pytest.approx(row, abs=0.5)
        for row in [
            [79.4, 73.1, 75.1, 75.6],
            [83.7, 73.1, 78.0, 77.2],
            [105.5, 95.0, 79.6, 55.7],
            [113.2, 83.1, 77.8, 62.7],
        ]
    ]
    assert squares[1].tolist() == [
        pytest.approx(row, abs=0.5)
        for row in [
            [62.8, 70.0, 77.8, 84.9],
            [112.3, 75.9, 93.7, 82.2],
            [135.6, 75.7, 104.1, 85.8],
            [110.4, 78.6, 80.1, 75.4],
        ]
    ]


def test_no_scene_shares_its_random_numbers_with_what_else_is_drawn():
    """Seeds of fewer words, which keys and splits take, are ones that end in zeros."""
    first = np.random.default_rng([7, 0, _STREAM]).bytes(16)
    assert first != np.random.default_rng(7).bytes(16)
    assert np.random.default_rng([7, 0]).bytes(16) == np.random.default_rng(7).bytes(16)


def test_without_a_count():
    assert sum(map(len, image_batches("scenes", size=SMALLEST))) == COUNT


@pytest.mark.parametrize("size", [SMALLEST, 9, 33, 200, LARGEST])
@pytest.mark.parametrize("mode", ["gray", "rgb"])
def test_every_size_and_mode(size, mode):
    found = load_images("scenes", size=size, count=1, mode=mode)
    assert found.images.shape == (1, size, size, 3)[: 3 + (mode == "rgb")]
    assert len(np.unique(found.images)) > 5


def test_gray_is_the_luma_of_the_same_scene_in_colour():
    colour = load_images("scenes", size=40, count=3, mode="rgb").images
    gray = load_images("scenes", size=40, count=3).images
    for a, b in zip(colour, gray, strict=True):
        assert np.array_equal(np.asarray(Image.fromarray(a).convert("L")), b)
        assert (a.min(-1) != a.max(-1)).mean() > 0.5


def test_no_two_scenes_are_equal():
    """The smallest ones, of several seeds: 8 x 8 samples with noise."""
    small = [
        picture.tobytes()
        for seed in (0, 1, 2**32 - 1)
        for picture in load_images("scenes", size=SMALLEST, count=200, seed=seed).images
    ]
    assert len(set(small)) == 600


def test_scenes_are_independent(scenes):
    """Mean product of standardized means of neighbours in the series: a 5 sigma bound."""
    means = scenes.images.mean((1, 2))
    means = (means - means.mean()) / means.std()
    products = [a * b for a, b in pairwise(means)]
    assert abs(np.mean(products)) < 5 / np.sqrt(len(products))


def test_statistics_of_photographs(scenes, monkeypatch):
    """Medians at one seed, within what the benchmark allows around those of photographs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    from scene_statistics import Row, statistics

    rows = recorded("scene_statistics")[0]
    of_photographs = rows[(rows["side"] == 64) & (rows["set"] == "photographs")]
    photographs = of_photographs.set_index("statistic")["median"]
    for name, values in statistics(scenes.images).items():
        assert np.isfinite(values).all()
        row = Row(64, name, np.full(3, photographs[name]), np.full(3, np.median(values)))
        assert "BEYOND" not in row.verdict, row.verdict


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"size": None}, ValueError, "no size of their own; give size=..., from 8 to 512"),
        ({"size": 7}, ValueError, "size of generated scenes must be from 8 to 512, not 7"),
        ({"size": 513}, ValueError, "not 513"),
        ({"size": 64.0}, TypeError, "size must be an int"),
        ({"count": 0}, ValueError, "count must be at least 1"),
        ({"count": 2.0}, TypeError, "count must be an int"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"seed": 0.5}, TypeError, "seed must be an int"),
        ({"mode": "grey"}, ValueError, "'gray' or 'rgb'"),
    ],
)
def test_bad_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        load_images("scenes", **arguments)
    with pytest.raises(error, match=says):
        next(image_batches("scenes", **arguments))


def test_a_folder_of_that_name_is_told_of(tmp_path, monkeypatch):
    """The name comes first, as that of the photographs does, but not in silence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenes").mkdir()
    with (
        pytest.warns(UserWarning, match="lies here under that name"),
        pytest.raises(ValueError, match="no size of their own"),
    ):
        load_images("scenes", size=None)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "scenes" / "black.png")
    with pytest.warns(UserWarning, match="lies here under that name is './scenes'") as told:
        found = load_images("scenes", size=16, count=2)
    assert told[0].filename == __file__
    assert found.notes
    assert found.names == ("scene 0 (seed 0)", "scene 1 (seed 0)")
    with pytest.warns(UserWarning, match="lies here under that name") as told:
        parts = list(image_batches("scenes", size=16, count=2, batch=1))
    assert len(told) == 1
    assert told[0].filename == __file__
    assert np.array_equal(np.concatenate([part.images for part in parts]), found.images)
    assert load_images("./scenes", size=16).names == ("black.png",)
    assert load_images(tmp_path / "scenes", size=16).names == ("black.png",)
