"""The pretrained critic as a view: evidence from few pictures, and no accusation without."""

import numpy as np
import pytest

import leakage
from leakage.audits.critic import CROP, MOST, PictureCollector, PlanePlanter
from leakage.audits.verdicts import ALPHA, LEVELS


@pytest.fixture(scope="module")
def photographs():
    return leakage.load_images(size=128, count=20).images


def pictures_of(images, cipher, groups=None):
    groups = np.arange(len(images)) if groups is None else groups
    collector = PictureCollector([image.shape for image in images], groups, 0)
    for pair in zip(images, cipher, strict=True):
        collector.add(*pair)
    return collector.pictures()


@pytest.mark.parametrize("count", [6, 20])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("bitplane", {"bits": 6}), ("jpeg-ac-sign", {}), ("biased-keystream", {"bias": 0.6})],
)
def test_few_photographs_are_enough(photographs, count, name, settings, key):
    images = photographs[:count]
    cipher = leakage.get_scheme(name, **settings).encrypt(images, key)
    found = leakage.audit(images, cipher, progress=False)
    (asked,) = [f for f in found.findings if f.level == "critic"]
    assert found.leaks
    assert asked.leaks
    assert asked.p_value <= ALPHA
    assert asked.estimate.bits > 0.1


def test_twenty_of_aes_are_undecided_and_the_verdict_says_what_was_seen(photographs, key):
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(photographs, key)
    found = leakage.audit(photographs, cipher, progress=False)
    power = {view.level: view.bits for view in found.power}
    assert found.leaks is None
    assert 0.5 < power["critic"] < 60
    assert power["embedding"] is None
    assert power["identification"] is None
    assert "too few for what was planted to be seen by" in found.verdict
    assert f"{power['critic']:.2g} bits a patch (critic)" in found.verdict


def test_sound_ciphertexts_are_not_accused(photographs):
    """100 keys at the level of the view, 1 in 600: one or more in 15 % of runs, three in 0.1 %."""
    level = ALPHA / len(LEVELS)
    images = photographs[:, :64, :64]
    scheme = leakage.get_scheme("bitplane", bits=8)
    accused = 0
    for seed in range(100):
        cipher = scheme.encrypt(images, np.random.default_rng(seed).bytes(16))
        accused += pictures_of(images, cipher).finding(seed).p_value <= level
    assert accused < 3


def test_fewer_than_six_are_an_open_question(photographs):
    found = pictures_of(photographs[:6], photographs[:6], np.array([0, 1, 2, 3, 4, 4])).finding(0)
    assert found.leaks is found.p_value is None
    assert found.meaning == "Fewer than 6 independent images of one shape."


def test_what_is_read_is_bounded_and_keeps_the_grid_of_blocks():
    rows = np.arange(400, dtype=np.uint16)[:, None] // 16 * np.ones(300, np.uint16)
    images = [rows.astype(np.uint8)] * 100 + [np.zeros((32, 32), np.uint8)] * 30
    kept = pictures_of(images, images)
    assert kept.plain.shape == (MOST, CROP, CROP)
    assert len(np.unique(kept.groups)) == MOST
    assert (kept.plain[:, :16] == kept.plain[:, :1]).all()  # whole blocks


def test_several_of_a_source_are_read_where_sources_are_few():
    images = np.zeros((40, 32, 32), np.uint8)
    kept = pictures_of(images, images, np.arange(40) // 8)
    assert np.bincount(kept.groups).tolist() == [8] * 5


def test_what_is_planted_is_found_as_it_would_be_in_ciphertexts(photographs):
    """Mixed scores are those of ciphertexts in which patches were planted: all, and none."""
    images = photographs[:12, :64, :64]
    cipher = np.random.default_rng(0).integers(0, 256, images.shape, np.uint8)
    planter = PlanePlanter(pictures_of(images, cipher), 0)
    clear = pictures_of(images, (cipher & 0xFE) | (images & 1)).finding(0)
    assert 200 < planter.bits <= 256
    assert clear.p_value <= 2e-4
    assert planter.p_value(planter.bits, 1) <= 2e-4
    none = [planter.p_value(0.0, seed) for seed in range(200)]
    assert 0.3 < np.mean(none) < 0.7
