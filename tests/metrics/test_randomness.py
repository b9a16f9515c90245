import math

import numpy as np
import pytest
from scipy.stats import norm

from leakage import metrics
from leakage.estimate import entropy


def test_known_expectations_of_entropy():
    for samples, bits in ((256**2, 7.99719), (512**2, 7.99930), (3 * 512**2, 7.99977)):
        assert metrics.grey_entropy_null(samples).mean == pytest.approx(bits, abs=5e-6)
    assert metrics.local_entropy_null().mean == pytest.approx(7.902469317, abs=5e-10)


def test_quoted_interval_of_local_entropy_divides_by_30():
    """Its half-width is 1.96 sd / 30 of one block; the mean of 30 blocks has sd / sqrt(30)."""
    block = metrics.local_entropy_null(1)
    quoted = 7.901901305, 7.903037329
    assert [block.mean + z * block.sd / 30 for z in norm.ppf([0.025, 0.975])] == pytest.approx(
        quoted, abs=1e-7
    )
    assert metrics.local_entropy_null(30).sd == pytest.approx(block.sd / 30**0.5)
    p = [metrics.local_entropy_null().p_value(end) for end in quoted]
    assert p == pytest.approx([0.72, 0.72], abs=0.01)


@pytest.mark.parametrize("samples", [256, 1936, 4096, 65536])
def test_entropy_null_by_simulation(samples):
    """4,000 histograms of noise: mean within 4 standard errors (alarm: 6e-5), sd within 4 %."""
    counts = np.random.default_rng(1).multinomial(samples, np.full(256, 1 / 256), size=4000)
    drawn = np.array([entropy(c) for c in counts])
    null = metrics.grey_entropy_null(samples)
    assert drawn.mean() == pytest.approx(null.mean, abs=4 * null.sd / 4000**0.5)
    assert drawn.std() == pytest.approx(null.sd, rel=0.045)


def test_entropy_and_chi_square_by_hand():
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(2, 1)
    assert metrics.grey_entropy(image) == [8]
    assert metrics.chi_square(image) == [0]
    assert metrics.chi_square(np.zeros((1, 16, 16), np.uint8)) == [255 * 256]
    assert metrics.chi_square_null(4096).p_value(293.2478) == pytest.approx(0.05, abs=1e-6)


def test_local_entropy_chooses_disjoint_blocks():
    """The grid's blocks are numbered, so that their mean entropy tells which were taken."""
    image = np.zeros((1, 90, 130), np.uint8)
    image[:, :44, :22] = 255  # one bit in the first block, none in the other three
    assert metrics.local_entropy(image, blocks=4) == [0.25]
    assert set(metrics.local_entropy(image.repeat(50, 0), blocks=1, seed=3)) == {0.0, 1.0}
    again = [metrics.local_entropy(image.repeat(9, 0), blocks=2, seed=3) for _ in range(2)]
    assert np.array_equal(*again)
    colour = np.stack([image] * 3, axis=-1)
    assert metrics.local_entropy(colour, blocks=12) == [0.25]
    with pytest.raises(ValueError, match="4 disjoint blocks of 44x44 fit"):
        metrics.local_entropy(image)


@pytest.mark.parametrize(
    ("direction", "first", "second"),
    [
        ("horizontal", np.s_[:, :-1], np.s_[:, 1:]),
        ("vertical", np.s_[:-1], np.s_[1:]),
        ("diagonal", np.s_[:-1, :-1], np.s_[1:, 1:]),
    ],
)
def test_adjacent_correlation_by_numpy(pairs, direction, first, second):
    for mode, (plain, _) in pairs.items():
        image = plain[0, :, :100]  # not square
        channels = [image] if mode == "gray" else np.moveaxis(image, -1, 0)
        expected = np.mean(
            [np.corrcoef(c[first].ravel(), c[second].ravel())[0, 1] for c in channels]
        )
        value = metrics.adjacent_correlation(image[None], direction)
        assert value == pytest.approx([expected], abs=1e-12)


@pytest.mark.parametrize("direction", ["horizontal", "vertical", "diagonal"])
def test_adjacent_correlation_null_by_simulation(direction):
    """20,000 images of 8x6 pixels, whose mean is not near 0; alarm: 6e-5 for the mean."""
    images = np.random.default_rng(2).integers(0, 256, (20000, 8, 6), np.uint8)
    values = metrics.adjacent_correlation(images, direction)
    null = metrics.adjacent_correlation_null((8, 6), direction)
    assert null.mean < -0.01
    assert values.mean() == pytest.approx(null.mean, abs=4 * null.sd / 20000**0.5)
    assert values.std() == pytest.approx(null.sd, rel=0.05)
    assert math.isnan(null.p_value(0.5))  # too few pairs for a normal law


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (1, 6, 6), (1, 3, 3, 3)])
def test_correlation_of_constant_or_tiny_images(shape):
    images = np.full(shape, 9, np.uint8)
    for direction in ("horizontal", "vertical", "diagonal"):
        assert np.isnan(metrics.adjacent_correlation(images, direction)).all()
    assert metrics.grey_entropy(images) == [0]
    assert metrics.chi_square(images) == pytest.approx([255 * images.size])


def test_correlation_refusals():
    with pytest.raises(ValueError, match="horizontal, vertical, diagonal"):
        metrics.adjacent_correlation(np.zeros((1, 4, 4), np.uint8), "sideways")
    with pytest.raises(ValueError, match="0 vertical pairs"):
        metrics.adjacent_correlation_null((1, 50), "vertical")
