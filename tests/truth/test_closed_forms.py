import itertools

import numpy as np
import pytest
from scipy.stats import chisquare

import leakage
from leakage.estimate import entropy
from leakage.truth.closed_forms import hidden_bits, keystream_law


def scheme(name, **parameters):
    return leakage.get_scheme(name, **parameters)


def by_enumeration(counts, keys, shift):
    """I(P; C) from the joint distribution of sample and ciphertext, key by key."""
    joint = np.zeros((256, 256))
    for value, key in itertools.product(np.flatnonzero(counts), keys):
        joint[value, value ^ (key << shift)] += counts[value] / len(keys)
    return entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("name", ["bitplane-msb", "bitplane-lsb", "nonzero-key"])
def test_against_enumeration_of_all_keys(name, bits, rng):
    image = rng.choice([0, 3, 64, 65, 127, 128, 200, 255], (1, 9, 9)).astype(np.uint8)
    counts = np.bincount(image.ravel(), minlength=256)
    if name == "nonzero-key":
        keys = range(1, 1 << bits) if bits else [0]
        found = leakage.exact_leakage(scheme("nonzero-key", bits=bits), image)
        shift = 8 - bits
    else:
        order = name.removeprefix("bitplane-")
        keys = range(1 << bits)
        found = leakage.exact_leakage(scheme("bitplane", bits=bits, order=order), image)
        shift = 8 - bits if order == "msb" else 0
    assert found.kind == "exact"
    assert found.bits == pytest.approx(by_enumeration(counts, keys, shift), abs=1e-9)


@pytest.mark.parametrize("bits", range(1, 9))
def test_uniform_histogram(bits):
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    uniform = leakage.exact_leakage(scheme("bitplane", bits=bits), image).bits
    flawed = leakage.exact_leakage(scheme("nonzero-key", bits=bits), image).bits
    assert uniform == pytest.approx(8 - bits)
    assert flawed == pytest.approx(8 - bits + np.log2(2**bits / (2**bits - 1)))


def test_ends(photographs):
    whole = entropy(np.bincount(photographs.images.ravel(), minlength=256))
    assert leakage.exact_leakage(scheme("bitplane", bits=0), photographs.images).bits == whole
    assert leakage.exact_leakage(scheme("bitplane", bits=8), photographs.images).bits == 0


def test_levels_fall(photographs):
    bits = [leakage.exact_leakage(scheme("bitplane", bits=k), photographs.images).bits
            for k in range(9)]  # fmt: skip
    assert np.all(np.diff(bits) < 0)


def test_unknown_scheme(photographs):
    with pytest.raises(ValueError, match="no closed form"):
        leakage.exact_leakage(object(), photographs.images)


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("name", ["bitplane", "nonzero-key"])
def test_capacity_is_reached_by_uniform_samples_and_by_nothing_else(name, bits, photographs):
    scheme = leakage.get_scheme(name, bits=bits)
    uniform = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    most = leakage.capacity(scheme).bits
    assert leakage.exact_leakage(scheme, uniform).bits == pytest.approx(most)
    assert leakage.exact_leakage(scheme, photographs.images).bits <= most + 1e-9


XOR_SCHEMES = [
    ("bitplane", {"bits": 3, "order": "lsb"}),
    ("bitplane", {"planes": (7, 5, 3, 1)}),
    ("bitplane", {"bits": 8}),
    ("nonzero-key", {"bits": 2}),
    ("skk", {}),
    ("biased-keystream", {"bias": 0.6}),
    ("biased-keystream", {"bias": 0.51}),
    ("logistic-xor", {}),
    ("identity", {}),
]


@pytest.mark.parametrize(("name", "parameters"), XOR_SCHEMES)
def test_estimate_agrees_on_real_photographs(name, parameters, photographs, key):
    """Four million samples: the exact value lies in the interval of `pixel_mi`."""
    one = scheme(name, **parameters)
    exact = leakage.exact_leakage(one, photographs.images).bits
    cipher = one.encrypt(photographs.images, key)
    e = leakage.pixel_mi(photographs.images, cipher, permutations=0)
    assert e.low <= exact <= e.high
    assert e.high - e.low < 0.04


@pytest.mark.parametrize(("name", "parameters"), XOR_SCHEMES)
def test_keystream_law_is_that_of_the_ciphertexts(name, parameters, photographs, key):
    """P(c | p) of four million samples: no symbol of law 0 occurs; false alarms 0.001."""
    one = scheme(name, **parameters)
    if name == "logistic-xor":  # samples of an orbit depend on each other
        pytest.skip("not independent")
    images = photographs.images
    law = keystream_law(one)
    counts = np.bincount((images ^ one.encrypt(images, key)).ravel(), minlength=256)
    assert counts[law == 0].sum() == 0
    if np.count_nonzero(law) > 1:
        assert chisquare(counts[law > 0], images.size * law[law > 0]).pvalue > 0.001


def test_logistic_law(key):
    """Sixteen million samples of the logistic map: within 2.5 % of the arcsine law (5 sd)."""
    zeros = np.zeros((4, 2048, 2048), np.uint8)
    counts = np.bincount(scheme("logistic-xor").encrypt(zeros, key).ravel(), minlength=256)
    law = keystream_law(scheme("logistic-xor"))
    assert np.abs(counts / zeros.size / law - 1).max() < 0.025
    uniform = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert leakage.exact_leakage(scheme("logistic-xor"), uniform).bits == pytest.approx(
        0.3129, abs=5e-5
    )


def test_region_is_a_mean_of_inside_and_outside(photographs, key):
    images = photographs.images
    region = scheme("region", boxes=((0, 0, 64, 16),), bits=3)
    inner = leakage.exact_leakage(scheme("bitplane", bits=3), images[..., :16]).bits
    outer = leakage.exact_leakage(scheme("identity"), images[..., 16:]).bits
    exact = leakage.exact_leakage(region, images).bits
    assert exact == pytest.approx(0.25 * inner + 0.75 * outer)
    everything = scheme("region", boxes=((0, 0, 64, 64),))
    assert leakage.exact_leakage(everything, images).bits == 0


def test_blocks_and_pixels_as_units():
    images = np.zeros((4, 16, 16), np.uint8)
    images[1:3, 0, 0] = 1, 2
    found = leakage.exact_leakage(scheme("tpe-sum"), images)
    assert found.bits == pytest.approx(1.5)
    assert found.n == 4
    assert "block" in found.method
    colours = np.array([[[[1, 2, 3], [252, 1, 253], [9, 9, 9], [0, 0, 0]]]], np.uint8)
    found = leakage.exact_leakage(scheme("skk", colour_shuffle=True), colours)
    assert found.bits == pytest.approx(1.5)  # the first two are one unordered triple
    assert "pixel" in found.method


def test_maximal_leakage_bounds_capacity():
    for name, parameters in XOR_SCHEMES:
        one = scheme(name, **parameters)
        assert leakage.capacity(one).bits <= leakage.maximal_leakage(one).bits + 1e-12
    assert leakage.maximal_leakage(scheme("skk")).bits == 7
    assert leakage.maximal_leakage(scheme("nonzero-key", bits=1)).bits == 8
    assert leakage.capacity(scheme("nonzero-key", bits=8)).bits == pytest.approx(0.00565, abs=1e-5)


def test_hidden_bits(rng):
    """Figures of the schemes' reference sizes, and small cases counted by hand."""
    large = np.zeros((512, 512, 3), np.uint8)
    assert hidden_bits(scheme("etc"), large) == pytest.approx(15_512, abs=1)
    assert hidden_bits(scheme("le"), large) == pytest.approx(594, abs=0.5)
    assert hidden_bits(scheme("ele"), large[:4, :4]) == 8 * 48  # 594 bits of key, and no more image
    assert hidden_bits(scheme("pixel-shuffle"), large) == pytest.approx(0, abs=1e-6)
    four = np.array([[1, 2], [3, 3]], np.uint8)
    assert hidden_bits(scheme("pixel-shuffle"), four) == pytest.approx(np.log2(12))
    assert hidden_bits(scheme("block-shuffle", block=1), four) == pytest.approx(np.log2(24))
    assert hidden_bits(scheme("ele", block=1), large[:1, :1, 0]) == pytest.approx(3)
    assert hidden_bits(scheme("tpe-shuffle"), four) == pytest.approx(np.log2(24))
    assert hidden_bits(scheme("cat-map"), four) == 2
    assert hidden_bits(scheme("cat-map", keyed=False), four) == 0
    assert hidden_bits(scheme("skk"), four) == 4
    assert hidden_bits(scheme("bitplane", bits=3), four) == 12
    assert hidden_bits(scheme("region", bits=3, boxes=((0, 0, 1, 2),)), four) == 6
    assert hidden_bits(scheme("identity"), four) == 0
    # grey scrambling moves 3 x 1024 blocks of 16 x 16, each turned (8) and inverted (2)
    assert hidden_bits(scheme("etc", mode="grey"), large) == pytest.approx(
        np.sum(np.log2(np.arange(1, 3073))) + 4 * 3072
    )
    assert hidden_bits(scheme("aes-ecb"), large) == 128
    assert hidden_bits(scheme("aes-ecb", unit="planes", bits=0), large) == 0
    assert hidden_bits(scheme("reused-keystream"), four) == 32
    assert hidden_bits(scheme("blur"), four) == 0
    assert hidden_bits(scheme("permute-diffuse"), large) == 52 * 514


def test_thumbnails_hide_what_their_sums_leave_open():
    """Counted one by one: the number of 16 bytes with each sum, by convolution."""
    ways = [1]
    for _ in range(16):
        ways = np.convolve(ways, np.ones(256)) if len(ways) > 1 else np.ones(256)
    for level in (1, 100, 128, 250):
        image = np.full((4, 4), level, np.uint8)
        exact = np.log2(ways[16 * level])
        bound = hidden_bits(scheme("tpe-sum", block=4), image)
        assert exact <= bound + 1e-9
        assert bound < 1.12 * exact + 4


def test_every_scheme_can_be_asked_what_it_hides(rng):
    image = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for name in leakage.list_schemes().index:
        parameters = {"bits": 3} if name in ("bitplane", "nonzero-key") else {}
        assert 0 <= hidden_bits(scheme(name, **parameters), image) <= 8 * image.size
