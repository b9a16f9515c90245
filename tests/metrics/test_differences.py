import numpy as np
import pytest
from scipy.stats import norm

import leakage
from leakage import metrics

AES = leakage.get_scheme("bitplane", bits=8)


@pytest.mark.parametrize(
    ("side", "rate", "intensity"),
    [
        (
            256,
            (99.5693, 99.5527, 99.5341),
            ((33.2824, 33.6447), (33.2255, 33.7016), (33.1594, 33.7677)),
        ),
        (
            512,
            (99.5893, 99.5810, 99.5717),
            ((33.3730, 33.5541), (33.3445, 33.5826), (33.3115, 33.6156)),
        ),
        (
            1024,
            (99.5994, 99.5952, 99.5906),
            ((33.4183, 33.5088), (33.4040, 33.5231), (33.3875, 33.5396)),
        ),
    ],
)
def test_critical_values_of_wu_noonan_and_agaian(side, rate, intensity):
    """At 5, 1 and 0.1 %; they take NPCR for normal, so its exact p-values differ a little."""
    npcr, uaci = metrics.npcr_null(side**2), metrics.uaci_null(side**2)
    for level, low, interval in zip((0.05, 0.01, 0.001), rate, intensity, strict=True):
        assert npcr.mean + norm.ppf(level) * npcr.sd == pytest.approx(low, abs=1e-4)
        assert npcr.p_value(low) == pytest.approx(level, rel=0.6)
        half = norm.isf(level / 2) * uaci.sd
        assert (uaci.mean - half, uaci.mean + half) == pytest.approx(interval, abs=1e-4)
        assert uaci.p_value(interval[0]) == pytest.approx(level, rel=0.01)


def test_uaci_moments_by_enumeration():
    apart = np.abs(np.arange(256)[:, None] - np.arange(256)) / 2.55
    assert metrics.uaci_null(1).mean == pytest.approx(apart.mean())
    assert metrics.uaci_null(1).sd == pytest.approx(apart.std())


def test_uaci_of_noise_is_not_that_of_bytes_that_wrap(noise):
    plain = np.zeros_like(noise[0])
    value = metrics.uaci(*noise, plain=plain)
    assert value == pytest.approx([33.46, 33.46], abs=0.6)
    assert (noise[0] - noise[1]).mean() / 2.55 == pytest.approx(50, abs=0.6)
    assert np.array_equal(value, metrics.uaci(*noise[::-1], plain=plain))


def test_differences_by_hand():
    plain = np.full((1, 2, 2), 77, np.uint8)
    one = np.array([[[0, 255], [10, 10]]], np.uint8)
    other = np.array([[[255, 0], [10, 13]]], np.uint8)
    for a, b in ((one, other), (other, one)):
        assert metrics.npcr(a, b, plain=plain) == [75]
        assert metrics.uaci(a, b, plain=plain) == pytest.approx([100 * (2 + 3 / 255) / 4])
        assert metrics.nbcr(a, b, plain=plain) == [100 * (8 + 8 + 3) / 32]  # 10 ^ 13 = 0b111
    for rate in (metrics.npcr, metrics.uaci, metrics.nbcr):
        assert rate(one, one, plain=plain) == [0]


@pytest.mark.parametrize("rate", [metrics.npcr, metrics.uaci, metrics.nbcr])
def test_plain_images_are_refused(rate, pairs, noise):
    for plain, cipher in pairs.values():
        near = plain.copy()
        near[1, 5, 5] ^= 1
        for given in ((plain, cipher), (cipher, plain), (cipher, near), (near, cipher)):
            with pytest.raises(ValueError, match=r"the plain image or differs.*differential"):
                rate(*given, plain=plain)
    with pytest.raises(ValueError, match="other has shape"):
        rate(noise[0], noise[1, :1], plain=np.zeros_like(noise[0]))
    with pytest.raises(TypeError, match="plain"):
        rate(*noise)


def test_differential_of_known_schemes(pairs, key):
    pixel, flipped = "NPCR, pixel changed, %", "NPCR, key bit flipped, %"
    plain = pairs["rgb"][0]
    one = 100 / plain[0].size
    stream = metrics.differential(AES, plain, key)
    assert stream[pixel].tolist() == pytest.approx([one] * 2)  # one bit of one sample
    assert stream["NBCR, pixel changed, %"].tolist() == pytest.approx([one / 8] * 2)
    assert stream[flipped].min() > 99.4
    unkeyed = metrics.differential(leakage.get_scheme("public-keystream"), plain, key)
    assert unkeyed[flipped].tolist() == [0, 0]
    nothing = metrics.differential(leakage.get_scheme("identity"), plain, key)
    assert nothing[pixel].tolist() == pytest.approx([one] * 2)  # the plain images, knowingly
    chained = metrics.differential(leakage.get_scheme("aes-ecb"), plain, key)
    assert chained[pixel].min() >= 10 * one  # a block of 16 samples


def test_differential_refusals(pairs, key):
    plain = pairs["gray"][0]
    with pytest.raises(TypeError, match=r"from leakage\.get_scheme"):
        metrics.differential("bitplane", plain, key)
    with pytest.raises(TypeError, match="key must be bytes"):
        metrics.differential(AES, plain, "secret")


def test_differential_leaves_the_images_alone(pairs, key):
    plain = pairs["gray"][0]
    before = plain.copy()
    first = metrics.differential(AES, plain, key, seed=4)
    assert np.array_equal(plain, before)
    assert first.equals(metrics.differential(AES, plain, key, seed=4))
