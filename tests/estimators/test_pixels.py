import numpy as np
import pytest

import leakage
from leakage.estimators.pixels import pixel_mi
from leakage.estimators.swapped_pixels import pixel_swap_p_value


def encrypted(images, bits, key, name="bitplane"):
    scheme = leakage.get_scheme(name, bits=bits)
    return scheme.encrypt(images, key), leakage.exact_leakage(scheme, images).bits


@pytest.fixture(scope="module")
def patches(photographs):
    """65,536 pixels."""
    keep = np.random.default_rng(0).choice(len(photographs), 16, replace=False)
    return photographs.images[keep]


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("name", ["bitplane", "nonzero-key"])
def test_pixel_mi_is_exact_within_two_hundredths(name, bits, patches, key):
    cipher, exact = encrypted(patches, bits, key, name)
    assert pixel_mi(patches, cipher, permutations=0).bits == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("bits", [1, 4, 7])
def test_pixel_mi_names_the_planes(bits, patches, key):
    e = pixel_mi(patches, encrypted(patches, bits, key)[0], permutations=19)
    planes = f"{8 - bits} least significant planes" if bits < 7 else "the least significant plane"
    assert planes in e.method
    assert e.p_value == 0.05
    assert e.low < e.bits < e.high


def test_pixel_mi_of_low_planes_and_colour(key):
    images = leakage.load_images(count=8, mode="rgb").images
    scheme = leakage.get_scheme("bitplane", bits=5, order="lsb")
    e = pixel_mi(images, scheme.encrypt(images, key), permutations=0)
    assert "3 most significant planes" in e.method
    assert e.bits == pytest.approx(leakage.exact_leakage(scheme, images).bits, abs=0.02)


def test_pixel_mi_null(patches):
    """Full encryption under ten keys: at most three p-values up to 0.1; false alarms: 0.013."""
    p = []
    for i in range(10):
        cipher, _ = encrypted(patches, 8, bytes([i]) * 16)
        e = pixel_mi(patches, cipher, permutations=49, seed=i)
        assert abs(e.bits) < 0.002
        p.append(e.p_value)
    assert np.sum(np.array(p) <= 0.1) <= 3


def test_one_small_image_has_no_interval(photographs, key):
    small = photographs.images[:1, :16, :16]
    e = pixel_mi(small, small)
    assert e.low is e.high is e.p_value is None


@pytest.fixture(scope="module")
def couples(photographs):
    """Blocks at the same places of 40 couples of images, and who is whose partner."""
    keep = np.random.default_rng(1).choice(len(photographs), 80, replace=False)
    blocks = photographs.images[keep].reshape(80, 4, 16, 4, 16).swapaxes(2, 3)[:, ::2, ::2]
    index = np.arange(320)
    image = index // 4
    return blocks.reshape(320, 16, 16), (image ^ 1) * 4 + index % 4, image // 2


@pytest.mark.parametrize("bits", [0, 1, 4, 6])
def test_swaps_show_a_leak(bits, couples, key):
    plain, partners, labels = couples
    cipher = encrypted(plain, bits, key)[0]
    p = pixel_swap_p_value(plain, cipher, partners, labels, permutations=199)
    assert p == pytest.approx(1 / 200)


def test_swaps_find_nothing_in_noise_that_depends_on_the_place(couples, rng):
    """Ten ciphertexts, darker from block to block: at most three p-values up to 0.1, as above."""
    plain, partners, labels = couples
    dark = 0.3 + 0.1 * (np.arange(320) % 4)[:, None, None]
    p = []
    for seed in range(10):
        cipher = rng.binomial(255, dark, plain.shape).astype(np.uint8)
        p.append(pixel_swap_p_value(plain, cipher, partners, labels, permutations=49, seed=seed))
    assert np.sum(np.array(p) <= 0.1) <= 3


def test_swaps_need_couples(couples, key):
    plain, partners, labels = couples
    few = slice(0, 9 * 8)
    assert pixel_swap_p_value(plain[few], plain[few], partners[few], labels[few]) is None
    # blocks without a partner are looked at, and stay where they are
    alone = np.where(np.arange(320) < 160, partners, -1)
    cipher = encrypted(plain, 2, key)[0]
    assert pixel_swap_p_value(plain, cipher, alone, labels, permutations=99) == 0.01


def test_bad_requests(photographs):
    with pytest.raises(ValueError, match="they are pairs"):
        pixel_mi(photographs.images[:2], photographs.images[:3])
    with pytest.raises(ValueError, match="cipher must be uint8"):
        pixel_mi(photographs.images[:2], photographs.images[:2] / 255)
    flat, few = np.zeros((4, 32, 32), np.uint8), np.arange(8, dtype=np.uint8).reshape(1, 2, 4)
    with pytest.raises(ValueError, match="plain is constant: all its 4096 samples"):
        pixel_mi(flat, flat)
    with pytest.raises(ValueError, match="cipher is constant"):
        pixel_mi(few, 0 * few)
    with pytest.raises(ValueError, match="8 samples are too few"):
        pixel_mi(few, few)
