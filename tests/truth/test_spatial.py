import itertools
from collections import Counter

import numpy as np
import pytest

import leakage
from leakage.estimate import entropy
from leakage.truth import spatial


@pytest.mark.parametrize("shared", ["image", "row"])
@pytest.mark.parametrize("combined", ["xor", "add"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 6, 4, 3)])
def test_shared_keys_decrypt(shared, combined, shape, key, rng):
    images = rng.integers(0, 256, shape, np.uint8)
    scheme = spatial.SharedKey(shared, combined)
    cipher = scheme.encrypt(images, key, first_index=9)
    assert (scheme.decrypt(cipher, key, first_index=9) == images).all()
    assert (cipher != images).any()
    keys = cipher - images if combined == "add" else cipher ^ images
    served = keys.reshape(*shape[: 1 if shared == "image" else 2], -1)
    assert (served == served[..., :1]).all()
    assert len(np.unique(served[..., 0])) > 1


def test_shared_keys_are_not_of_the_zoo():
    assert "shared-key" not in leakage.list_schemes().index
    with pytest.raises(ValueError, match="shared must be"):
        spatial.SharedKey("column")


def enumerated(levels, samples, combined):
    """I(samples; ciphertexts) over all images and all keys, in bits."""
    joint = Counter()
    for image in itertools.product(range(levels), repeat=samples):
        for pad in range(256):
            meets = (v ^ pad if combined == "xor" else (v + pad) % 256 for v in image)
            joint[tuple(meets)] += 1
    return entropy(np.array(list(joint.values()))) - 8  # given the image, the key is left


@pytest.mark.parametrize("combined", ["xor", "add"])
@pytest.mark.parametrize(("levels", "samples"), [(2, 1), (2, 4), (4, 3), (16, 2)])
def test_shared_key_bits_are_those_of_all_images(levels, samples, combined):
    bits = spatial.shared_key_bits(samples, levels, combined)
    assert bits == pytest.approx(enumerated(levels, samples, combined), abs=1e-9)


def test_single_samples_are_independent_of_their_ciphertexts():
    """One sample of each of 4,000 images: p at most .001 is a false alarm of this test."""
    pairs = spatial.shared_key_images(4000, size=2)
    x, y = pairs.plain[:, 0, 1] >> 5, pairs.cipher[:, 0, 1] >> 5
    assert leakage.plug_in(x, y).p_value > 0.001
    assert pairs.of_sample.bits == 0
    steps = [(v[:, 0, 0] ^ v[:, 0, 1]) >> 5 for v in (pairs.plain, pairs.cipher)]
    assert leakage.plug_in(*steps).bits == pytest.approx(3, abs=0.03)


@pytest.mark.parametrize("levels", [2, 4])
def test_orders_of_four_pixels(levels):
    """Of what is left, the counts of each value: H of the multiset."""
    images = itertools.product(range(levels), repeat=4)
    counts = Counter(tuple(sorted(image)) for image in images)
    exact = spatial.shuffled_images(2, size=2, levels=levels).exact.bits
    assert exact == pytest.approx(entropy(np.array(list(counts.values()))), abs=1e-9)


def test_orders_of_blocks_hide_their_order_and_no_more():
    pairs = spatial.shuffled_images(3, size=16, block=4)
    assert pairs.exact.bits == pytest.approx(16 * 128 - np.log2(np.arange(1, 17)).sum(), abs=1e-6)
    assert 0 < pairs.of_sample.bits < 0.5
    assert pairs.of_pair is None

    def blocks(images):
        cut = images.reshape(3, 4, 4, 4, 4).swapaxes(2, 3).reshape(3, 16, 16)
        return [sorted(map(bytes, image)) for image in cut]

    assert blocks(pairs.plain) == blocks(pairs.cipher)


def test_hidden_steps_are_all_that_is_shared():
    pairs = spatial.difference_scenes(50, size=32, step=40)
    x, y = (np.diff(v.reshape(50, 32, 16, 2).astype(int))[..., 0] % 256 for v in pairs[:2])
    assert set(np.unique(x)) == {40, 216}
    assert (x == y).all()
    assert pairs.exact.bits == 512
    # an interval at 99.99 %: left samples tell nothing of each other
    left = leakage.plug_in(*(v[:, :, ::2].ravel() >> 5 for v in pairs[:2]))
    assert left.p_value > 0.0001


def test_independent_samples_add_up():
    pairs = spatial.independent_samples(leakage.get_scheme("nonzero-key", bits=1), 2, size=4)
    assert pairs.of_sample.bits == 8
    assert pairs.of_pair.bits == 16
    assert pairs.exact.bits == 128


def test_refusals():
    with pytest.raises(ValueError, match="levels must be a power of two"):
        spatial.shared_key_images(2, levels=3)
    with pytest.raises(ValueError, match="size must be a multiple of block"):
        spatial.shuffled_images(2, size=10, block=4)
    with pytest.raises(ValueError, match="size must be even"):
        spatial.difference_scenes(2, size=5)
    with pytest.raises(ValueError, match="step must be 1 to 127"):
        spatial.difference_scenes(2, step=128)
    with pytest.raises(ValueError, match="n must be above 0"):
        spatial.shared_key_images(0)
    with pytest.raises(ValueError, match="no closed form"):
        spatial.independent_samples(leakage.get_scheme("pixel-shuffle"), 2)
