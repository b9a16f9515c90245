import itertools

import numpy as np
import pytest
from scipy.stats import norm

import leakage
from leakage.truth import scenes


@pytest.mark.parametrize("bits", [0, 3, 4, 5])
def test_noisy_scenes_of_four_pixels(bits):
    """Against likelihoods written out anew: a false alarm in 150,000 tests."""
    scheme = leakage.get_scheme("bitplane", bits=bits)
    found = scenes.noisy_scenes(scheme, draws=4000, templates=8, size=2, contrast=20, noise=4)
    rng = np.random.default_rng(0)
    templates = scenes._smooth_scenes(rng, 8, 2, 20).reshape(8, 4)
    # fresh images, and the mean log-likelihood ratio instead of the mean entropy of the posterior
    secret = rng.integers(0, 8, 4000)
    pixels = np.clip(np.rint(templates[secret] + 4 * rng.normal(size=(4000, 4))), 0, 255).astype(
        int
    )
    period = 256 >> bits

    def likelihood(scene):
        total = 0
        for high in range(0, 256, period):
            v = high + pixels % period
            below = np.where(v == 0, -np.inf, v - 0.5)
            above = np.where(v == 255, np.inf, v + 0.5)
            total = total + norm.cdf(above, scene, 4) - norm.cdf(below, scene, 4)
        return total.prod(1)

    each = np.stack([likelihood(scene) for scene in templates], 1)
    gain = np.log2(each[np.arange(4000), secret] / each.mean(1))
    spread = np.hypot(gain.std() / np.sqrt(4000), (found.exact.high - found.exact.bits) / 1.96)
    assert abs(gain.mean() - found.exact.bits) < 4.5 * spread + 1e-9


def test_noisy_scenes_fall_from_all_to_nothing():
    found = [
        scenes.noisy_scenes(leakage.get_scheme("bitplane", bits=k), draws=200).exact
        for k in range(9)
    ]
    values = [e.bits for e in found]
    assert values[0] == pytest.approx(6, abs=1e-6)
    assert values[8] == 0
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))


def test_noisy_scenes_are_encrypted_photographs():
    scheme = leakage.get_scheme("bitplane", bits=3)
    secret, plain, cipher, _ = scenes.noisy_scenes(scheme, draws=20, size=16)
    assert plain.shape == cipher.shape == (20, 16, 16)
    assert plain.dtype == cipher.dtype == np.uint8
    assert (plain % 32 == cipher % 32).all()
    assert (plain != cipher).any()
    assert plain.min() > 0
    assert plain.max() < 255
    assert secret.shape == (20,)


def test_one_template_has_nothing_to_tell():
    with pytest.raises(ValueError, match="at least 2"):
        scenes.noisy_scenes(leakage.get_scheme("bitplane", bits=1), templates=1)


def test_another_scheme_has_no_known_value():
    with pytest.raises(TypeError, match="bitplane"):
        scenes.noisy_scenes(leakage.get_scheme("nonzero-key", bits=2))


@pytest.mark.parametrize(("patches", "size"), [(4, 8), (16, 16), (9, 24)])
def test_hidden_bits_can_be_read_without_error(patches, size):
    drawn = scenes.patch_scenes(500, patches=patches, size=size, flip=0.2, seed=3)
    assert (scenes.read_patches(drawn.plain, size) == drawn.hidden).all()
    assert (scenes.read_patches(drawn.cipher, size) == drawn.partner).all()
    flipped = (drawn.hidden != drawn.partner).mean()
    assert abs(flipped - 0.2) < 5 * (0.16 / (500 * patches)) ** 0.5


def test_encrypted_patches_say_nothing_and_clear_ones_all():
    drawn = scenes.patch_scenes(2000, patches=4, encrypted=2, erased=0.25, seed=1)
    assert drawn.exact.bits == 1.5
    agree = (scenes.read_patches(drawn.cipher, 16) == drawn.hidden).mean(0)
    assert (abs(agree[:2] - 0.5) < 0.06).all()
    assert (abs(agree[2:] - (0.75 + 0.25 / 2)) < 0.06).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"patches": 5}, "square number"),
        ({"size": 4}, "at least 8"),
        ({"flip": 1.5}, "flip must be 0 to 1"),
        ({"erased": -0.1}, "erased must be 0 to 1"),
        ({"encrypted": 17}, "0 to 16"),
    ],
)
def test_bad_patch_scenes(options, says):
    with pytest.raises(ValueError, match=says):
        scenes.patch_scenes(10, **options)
