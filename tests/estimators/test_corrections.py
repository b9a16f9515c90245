import numpy as np
import pytest
from scipy.special import digamma

from leakage.estimate import entropy
from leakage.estimators.corrections import (
    CORRECTIONS,
    chao_shen_entropy,
    chao_wang_jost_entropy,
    grassberger_entropy,
    james_stein_mi,
    nsb_entropy,
)
from leakage.estimators.counting import contingency_table
from leakage.pictures.image_sets import load_images
from leakage.pictures.photographs import PHOTOGRAPHS

LN2 = np.log(2)


def test_grassberger_by_recurrence():
    """G(1) = -gamma - ln 2, G(2) = G(1) + 2; G(2k+1) = G(2k), G(2k+2) = G(2k) + 2/(2k+1)."""
    g = {1: -np.euler_gamma - LN2, 2: 2 - np.euler_gamma - LN2}
    for k in range(1, 20):
        g[2 * k + 1], g[2 * k + 2] = g[2 * k], g[2 * k] + 2 / (2 * k + 1)
    counts = np.array([1, 2, 3, 4, 7, 12, 25])
    n = counts.sum()
    expected = np.log(n) - sum(c * g[c] for c in counts) / n
    assert grassberger_entropy(counts) * LN2 == pytest.approx(expected)


@pytest.mark.parametrize("counts", [[1] * 5 + [2] * 3 + [9], [1, 1, 1, 5], [1, 2, 2, 30], [3, 4]])
def test_chao_wang_jost_by_its_sum(counts):
    counts, n = np.array(counts), sum(counts)
    once, twice = np.sum(counts == 1), np.sum(counts == 2)
    expected = np.sum(counts / n * (digamma(n) - digamma(counts)))
    if once:
        a = 2 * twice / ((n - 1) * once + 2 * twice) if twice else 2 / ((n - 1) * (once - 1) + 2)
        r = np.arange(1, n)
        tail = -np.log(a) - np.sum((1 - a) ** r / r)
        expected += once / n * (1 - a) ** (1 - n) * tail
    assert chao_wang_jost_entropy(counts) * LN2 == pytest.approx(expected, rel=1e-6)


def test_chao_shen_by_hand():
    # counts 2, 1, 1: coverage 1/2, probabilities 1/4, 1/8, 1/8
    p = np.array([0.25, 0.125, 0.125])
    expected = -np.sum(p * np.log2(p) / (1 - (1 - p) ** 4))
    assert chao_shen_entropy(np.array([2, 1, 1])) == pytest.approx(expected)
    assert np.isfinite(chao_shen_entropy(np.ones(4)))  # all singletons: coverage is not 0


def test_nsb_where_a_common_implementation_overflows():
    """Uniform over ten letters, 200 samples: within 0.03 bit of log2 10 (over ten draws)."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        counts = np.bincount(rng.integers(0, 10, 200), minlength=10)
        assert nsb_entropy(counts) == pytest.approx(np.log2(10), abs=0.03)
    undersampled = np.bincount(rng.integers(0, 1000, 200), minlength=1000)
    assert abs(nsb_entropy(undersampled) - np.log2(1000)) < 0.5  # 200 samples plug in to 7.5 bit
    assert nsb_entropy(np.array([7])) == 0


def test_james_stein_on_a_uniform_table_is_zero():
    assert james_stein_mi(np.full((4, 4), 10)) == pytest.approx(0)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_consistent(correction, rng):
    """A million samples of a noisy channel; the plug-in's own error is below 0.005 bit."""
    joint = np.array([[0.3, 0.1, 0.0], [0.05, 0.05, 0.5]])
    truth = entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)
    table = rng.multinomial(10**6, joint.ravel()).reshape(joint.shape)
    assert CORRECTIONS[correction](table) == pytest.approx(truth, abs=0.005)


def mean_errors(samples):
    """Mean |error| in nats over nine levels and three draws of pixels of one photograph."""
    camera = next(p for p in PHOTOGRAPHS if p.name == "camera").file()
    pixels = load_images(camera, size=None).images.ravel()
    errors = {name: [] for name in CORRECTIONS}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.choice(pixels, samples)
        for k in range(9):
            clear = 0xFF >> k
            y = x ^ (rng.integers(0, 256, samples).astype(np.uint8) & np.uint8(~clear & 0xFF))
            table = contingency_table(x, y)
            truth = entropy(np.bincount(pixels & clear))
            for name, estimate in CORRECTIONS.items():
                errors[name].append(abs(estimate(table) - truth) * LN2)
    return {name: np.mean(values) for name, values in errors.items()}


def test_ranking_on_encrypted_pixels():
    """Every correction helps at 4,096 pixels, those for unseen cells most: the reason to have nine.

    Values of other implementations of the same formulas on this photograph, in nats.
    """
    found = mean_errors(4096)
    peers = {
        None: 0.713, "miller-madow": 0.525, "panzeri-treves": 0.291, "jackknife": 0.351,
        "james-stein": 0.636, "grassberger": 0.299, "chao-shen": 0.073, "chao-wang-jost": 0.084,
        "nsb": 0.075,
    }  # fmt: skip
    assert found.keys() == peers.keys()
    for name, value in peers.items():
        assert found[name] == pytest.approx(value, abs=0.02), name
