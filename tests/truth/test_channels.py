import itertools

import numpy as np
import pytest
from scipy.stats import multivariate_t, norm, t

import leakage
from leakage.estimate import entropy
from leakage.truth import channels

LN2 = np.log(2)


def assert_mean(samples, expected):
    """Within 4.5 standard errors: a false alarm in 150,000 tests."""
    error = np.std(samples) / np.sqrt(len(samples))
    assert abs(np.mean(samples) - expected) < 4.5 * error


@pytest.mark.parametrize("bits", [0.0, 0.5, 2.0])
def test_gaussian_by_its_density(bits):
    x, y, exact = channels.gaussian(20_000, dimensions=3, active=2, bits=bits)
    rho = np.sqrt(1 - 2 ** -bits)
    assert exact.bits == bits
    assert exact.kind == "exact"
    noise = y[:, :2] - rho * x[:, :2]
    ratio = norm.logpdf(noise, scale=np.sqrt(1 - rho**2)) - norm.logpdf(y[:, :2])
    assert_mean(ratio.sum(1) / LN2 + 1e-9 * x[:, 0], bits)
    assert abs(np.corrcoef(x[:, 2], y[:, 2])[0, 1]) < 4.5 / np.sqrt(20_000)
    for transform in ("cubic", "asinh"):
        other = channels.gaussian(20_000, dimensions=3, active=2, bits=bits, transform=transform)
        assert (np.argsort(other.x, 0) == np.argsort(x, 0)).all()  # monotone, same draws


def test_student_t_by_its_density():
    x, y, exact = channels.student_t(50_000, correlation=0.75, freedom=3.0)
    joint = multivariate_t(shape=[[1, 0.75], [0.75, 1]], df=3).logpdf(np.hstack([x, y]))
    assert_mean((joint - t.logpdf(x[:, 0], 3) - t.logpdf(y[:, 0], 3)) / LN2, exact.bits)


def test_additive_uniform_by_its_density():
    _, y, exact = channels.additive_uniform(50_000, width=0.2)
    # y is uniform noise around x; its marginal density is a trapezium
    marginal = np.clip(np.minimum(y + 0.2, 1.2 - y), 0, 0.4) / 0.4
    assert_mean(np.log2(1 / 0.4 / marginal[:, 0]), exact.bits)


def test_clusters_can_be_read_off_either_side():
    x, y, exact = channels.clusters(2_000, count=10)
    of_x, of_y = (np.rint(v[:, 0] / 20).astype(int) for v in (x, y))
    assert exact.bits == pytest.approx(np.log2(10))
    table = leakage.plug_in(of_x, of_y, correction=None)
    assert table.bits == pytest.approx(entropy(np.bincount(of_x)))  # one to one
    assert len(np.unique(of_x)) == 10


def test_xor_of_signs_has_no_correlation():
    x, y, _ = channels.xor_of_signs(10_000)
    assert np.abs(np.corrcoef(x.T, y.T)[2, :2]).max() < 4.5 / 100
    assert leakage.plug_in(x[:, 0] > 0, y[:, 0] > 0).p_value > 1e-5


@pytest.mark.parametrize("bits", [0, 3, 4, 5])
def test_noisy_scenes_of_four_pixels(bits):
    """Against likelihoods written out anew: a false alarm in 150,000 tests."""
    scheme = leakage.get_scheme("bitplane", bits=bits)
    found = channels.noisy_scenes(scheme, draws=4000, templates=8, size=2, contrast=20, noise=4)
    rng = np.random.default_rng(0)
    scenes = channels._smooth_scenes(rng, 8, 2, 20).reshape(8, 4)
    # fresh images, and the mean log-likelihood ratio instead of the mean entropy of the posterior
    secret = rng.integers(0, 8, 4000)
    pixels = np.clip(np.rint(scenes[secret] + 4 * rng.normal(size=(4000, 4))), 0, 255).astype(int)
    period = 256 >> bits

    def likelihood(scene):
        total = 0
        for high in range(0, 256, period):
            v = high + pixels % period
            below = np.where(v == 0, -np.inf, v - 0.5)
            above = np.where(v == 255, np.inf, v + 0.5)
            total = total + norm.cdf(above, scene, 4) - norm.cdf(below, scene, 4)
        return total.prod(1)

    each = np.stack([likelihood(scene) for scene in scenes], 1)
    gain = np.log2(each[np.arange(4000), secret] / each.mean(1))
    spread = np.hypot(gain.std() / np.sqrt(4000), (found.exact.high - found.exact.bits) / 1.96)
    assert abs(gain.mean() - found.exact.bits) < 4.5 * spread + 1e-9


def test_noisy_scenes_fall_from_all_to_nothing():
    found = [
        channels.noisy_scenes(leakage.get_scheme("bitplane", bits=k), draws=200).exact
        for k in range(9)
    ]
    values = [e.bits for e in found]
    assert values[0] == pytest.approx(6, abs=1e-6)
    assert values[8] == 0
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))


def test_noisy_scenes_are_encrypted_photographs():
    scheme = leakage.get_scheme("bitplane", bits=3)
    secret, plain, cipher, _ = channels.noisy_scenes(scheme, draws=20, size=16)
    assert plain.shape == cipher.shape == (20, 16, 16)
    assert plain.dtype == cipher.dtype == np.uint8
    assert (plain % 32 == cipher % 32).all()
    assert (plain != cipher).any()
    assert plain.min() > 0
    assert plain.max() < 255
    assert secret.shape == (20,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.gaussian(0), "n must be above 0"),
        (lambda: channels.gaussian(9, bits=-1), "bits must not be negative"),
        (lambda: channels.gaussian(9, dimensions=2, active=3), "active must be 1 to 2"),
        (lambda: channels.gaussian(9, transform="square"), "one of none, cubic, asinh"),
        (lambda: channels.additive_uniform(9, width=1), "at most 0.5"),
        (lambda: channels.student_t(9, correlation=1), "within -1 and 1"),
        (
            lambda: channels.noisy_scenes(leakage.get_scheme("bitplane", bits=1), templates=1),
            "at least 2",
        ),
    ],
)
def test_bad_sizes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_another_scheme_has_no_known_value():
    with pytest.raises(TypeError, match="bitplane"):
        channels.noisy_scenes(leakage.get_scheme("nonzero-key", bits=2))


@pytest.mark.parametrize(("patches", "size"), [(4, 8), (16, 16), (9, 24)])
def test_hidden_bits_can_be_read_without_error(patches, size):
    scenes = channels.patch_scenes(500, patches=patches, size=size, flip=0.2, seed=3)
    assert (channels.read_patches(scenes.plain, size) == scenes.hidden).all()
    assert (channels.read_patches(scenes.cipher, size) == scenes.partner).all()
    flipped = (scenes.hidden != scenes.partner).mean()
    assert abs(flipped - 0.2) < 5 * (0.16 / (500 * patches)) ** 0.5


def test_encrypted_patches_say_nothing_and_clear_ones_all():
    scenes = channels.patch_scenes(2000, patches=4, encrypted=2, erased=0.25, seed=1)
    assert scenes.exact.bits == 1.5
    agree = (channels.read_patches(scenes.cipher, 16) == scenes.hidden).mean(0)
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
        channels.patch_scenes(10, **options)
