import json
from dataclasses import replace

import numpy as np
import pytest

import leakage
from leakage.audits.comparing import _further, compare, compared
from leakage.audits.pairs import from_arrays
from leakage.audits.per_image import VIEWS, image_scores
from leakage.audits.reports import read_report, scores_of


@pytest.fixture(scope="module")
def images():
    return leakage.load_images("scenes", size=48, count=40).images


def scheme(name, **settings):
    return leakage.get_scheme(name, **settings)


AES = scheme("bitplane", bits=8)
ORDERS = [
    (scheme("bitplane", bits=2), scheme("bitplane", bits=3), "A"),
    (scheme("bitplane", bits=3), scheme("bitplane", bits=2), "B"),
    (AES, scheme("skk"), "B"),
    (scheme("biased-keystream", bias=0.6), AES, "A"),
    (AES, AES, None),
    (scheme("bitplane", bits=2), scheme("bitplane", bits=2), None),
]


@pytest.mark.parametrize(("first", "second", "more"), ORDERS)
def test_order(first, second, more, images):
    found = compare(first, second, images)
    assert found.more == more
    assert found.verdict.startswith("It cannot be said" if more is None else f"{more} leaks more")
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["more"] == more


def test_less_alike_than_others_is_as_far_from_nothing_as_more_alike():
    """Of two that are equally far nothing is said; both sides of 0 count the same."""
    draws = np.random.default_rng(0)
    none, below, above = (draws.normal(mean, 1, 400) for mean in (0, -1, 0.5))
    for one, other, side in ((none, below, "B"), (below, above, "A"), (above, none, "A")):
        found, p = _further(one, other, np.random.default_rng(1))
        assert found == side
        assert p < 0.001
    assert _further(below, -below, draws)[1] > 0.9
    p_values = [_further(*draws.normal(0.1, 1, (2, 30)), draws)[1] for _ in range(200)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.09


def test_views_that_contradict_each_other_give_no_order(images):
    """A shuffle keeps histograms, and one clear plane shows a bit of each sample."""
    found = compare(scheme("pixel-shuffle"), scheme("bitplane", bits=7), images)
    assert found.more is None
    assert "histograms show more in A" in found.verdict
    assert "more bit planes of B are in the clear" in found.verdict


def test_ciphertexts_that_know_nothing_have_no_order(images, rng):
    """However uneven they are: constant, dark, or with a margin."""
    noise = rng.integers(0, 256, images.shape, np.uint8)
    spread = (noise * rng.random((len(noise), 1, 1))).astype(np.uint8)
    margin = noise.copy()
    margin[:, :8] = 0
    for one, other in ((noise, spread), (spread, margin), (np.full_like(noise, 7), noise)):
        assert compare(one, other, images).more is None


def test_one_image_is_too_few(images):
    with pytest.raises(ValueError, match="give at least two"):
        compare(scheme("skk"), AES, images[:1])


def test_groups_stay_whole(images):
    """Twenty copies of two images are two observations, whatever the scheme."""
    rng = np.random.default_rng(0)
    many = images[np.arange(40) % 2] ^ (rng.integers(0, 2, (40, 48, 48), np.uint8))
    groups = np.arange(40) % 2
    found = compare(scheme("skk"), AES, many, groups=groups)
    assert found.units == 1
    assert found.more is None
    assert "too few" in found.verdict


def test_partners_are_of_another_source_and_shape_matters(images):
    groups = np.arange(40) // 2
    scores = image_scores(from_arrays(images, images), groups)
    assert len(scores.images) == 40
    units = np.array(scores.units)
    by_image = dict(zip(scores.images, units, strict=True))
    assert len(by_image) == 40
    assert len(np.unique(units)) == 10


def test_a_plane_without_content_is_not_in_the_clear():
    dark = np.random.default_rng(0).integers(0, 128, (4, 32, 32), np.uint8)
    scores = image_scores(from_arrays(dark, dark), np.arange(4))
    assert scores.clear == (127,) * 4


def test_reports(images, tmp_path):
    """What is written is what is compared; equal images keep their order."""
    few = np.concatenate([images[:33], images[:1]])
    audits = [leakage.audit(scheme=s, images=few, progress=False)
              for s in (scheme("bitplane", bits=2), AES)]  # fmt: skip
    paths = [a.save(tmp_path / str(i))["report.json"] for i, a in enumerate(audits)]
    found = compare(paths[0], paths[1].parent)
    assert found.more == "A"
    assert found.verdict == compare(*audits).verdict
    assert scores_of(read_report(paths[0]), "it") == audits[0].scores
    with pytest.raises(ValueError, match="no scores"):
        compare(paths[0], replace(audits[0], scores=None))
    with pytest.raises(TypeError, match="groups belong to images"):
        compare(*paths, groups="folder")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "cannot be read"),
        ("[]", "is no report"),
        ('{"schema": 1}', "form 1, this program reads form 2"),
        ('{"schema": 2}', "damaged"),
        (
            '{"schema": 2, "leaks": true, "verdict": "", "settings": {}, "findings": []}',
            "no scores",
        ),
    ],
)
def test_what_is_no_report(text, says, tmp_path):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=says):
        compare(tmp_path, tmp_path)


def test_other_images_cannot_be_compared(images):
    one, other = (
        image_scores(from_arrays(some, some), np.arange(len(some)))
        for some in (images[:4], images[4:8])
    )
    with pytest.raises(ValueError, match="no image in common"):
        compared(one, other, 0)
    assert set(one.views) == set(VIEWS)


def test_a_fact_of_one_side_alone_is_heard(images):
    """A reused keystream leaves the sum of two images; no score of single images sees it."""
    rng = np.random.default_rng(0)
    reused = images + rng.integers(0, 256, images.shape[1:], np.uint8)
    lowest = rng.integers(0, 256, images.shape, np.uint8)
    lowest[:, ::2] = (lowest[:, ::2] & 0xFE) | (images[:, ::2] & 1)
    for first, second, side in ((reused, lowest, "A"), (lowest, reused, "B")):
        found = compare(first, second, images)
        assert found.more is None
        assert "keystream reused" in found.facts[side]
        assert f"exact checks find in {side} alone: keystream reused" in found.verdict
