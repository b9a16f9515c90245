import math
import re

import numpy as np
import piq
import pytest
import torch
from scipy.stats import binom, chi2, norm
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

import leakage
from leakage import metrics
from leakage.estimators.threads import one_thread

FULL_REFERENCE = [
    metrics.mse, metrics.psnr, metrics.ssim, metrics.ms_ssim, metrics.vif, metrics.gmsd,
    metrics.lss, metrics.ess, metrics.vsi,
]
SYMMETRIC = [m for m in FULL_REFERENCE if m is not metrics.vif]
AES = leakage.get_scheme("bitplane", bits=8)


@pytest.fixture(scope="module")
def pairs():
    """Photographs and what is left of them without two planes, gray and RGB."""
    scheme = leakage.get_scheme("bitplane", bits=2)
    made = {}
    for mode in ("gray", "rgb"):
        images = leakage.load_images(size=176, count=2, mode=mode).images
        made[mode] = images, scheme.encrypt(images, bytes(range(16)))
    return made


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, (2, 2, 176, 176), np.uint8)


def tensor(images):
    deep = images if images.ndim == 4 else images[..., None]
    return torch.from_numpy(deep.astype(np.float64)).permute(0, 3, 1, 2)


# Full reference


@pytest.mark.parametrize("mode", ["gray", "rgb"])
def test_agrees_with_scikit_image(pairs, mode):
    plain, cipher = pairs[mode]
    each = list(zip(plain, cipher, strict=True))
    expected = [mean_squared_error(a, b) for a, b in each]
    assert metrics.mse(plain, cipher) == pytest.approx(expected, abs=1e-6)
    expected = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in each]
    assert metrics.psnr(plain, cipher) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mode", ["gray", "rgb"])
@pytest.mark.parametrize(
    ("ours", "theirs", "within"),
    [
        (metrics.ssim, lambda a, b, **k: piq.ssim(a, b, downsample=False, **k), 1e-6),
        (metrics.ms_ssim, piq.multi_scale_ssim, 1e-4),  # ours is in single precision
        (metrics.vif, lambda a, b, **k: piq.vif_p(b, a, **k), 1e-4),
        (metrics.gmsd, piq.gmsd, 1e-6),
    ],
    ids=["ssim", "ms_ssim", "vif", "gmsd"],
)
def test_agrees_with_piq_in_double_precision(pairs, mode, ours, theirs, within):
    plain, cipher = pairs[mode]
    with one_thread():
        expected = theirs(tensor(plain), tensor(cipher), data_range=255.0, reduction="none").numpy()
    assert ours(plain, cipher) == pytest.approx(expected, abs=within)


def test_agrees_with_torchmetrics():
    """Values of torchmetrics 1.9.0, whose SSIM is left out: it averages over a padded border."""
    plain = leakage.load_images(size=256).images[[20]]
    cipher = plain.copy()
    cipher[:, :, 1::2] = cipher[:, :, ::2]
    cipher ^= np.uint8(32)
    assert metrics.psnr(plain, cipher) == pytest.approx([16.401347662744975], abs=1e-6)
    assert metrics.vif(plain, cipher) == pytest.approx([0.12706120478902785], abs=1e-6)


@pytest.mark.parametrize("metric", FULL_REFERENCE)
def test_equal_images(metric, pairs):
    perfect = {"mse": 0, "psnr": math.inf, "gmsd": 0}.get(metric.__name__, 1)
    for plain, _ in pairs.values():
        assert metric(plain, plain) == pytest.approx([perfect] * 2, abs=1e-5)


@pytest.mark.parametrize("metric", SYMMETRIC)
def test_symmetric(metric, pairs):
    for plain, cipher in pairs.values():
        assert metric(plain, cipher) == pytest.approx(metric(cipher, plain), abs=1e-6)


@pytest.mark.parametrize("metric", FULL_REFERENCE)
def test_one_value_an_image_and_less_alike_with_more_noise(metric, pairs, noise):
    plain, cipher = pairs["gray"]
    assert metric(plain, cipher)[1:] == pytest.approx(metric(plain[1:], cipher[1:]), abs=1e-6)
    little = plain ^ np.uint8(1)
    falls = 1 if metric in (metrics.mse, metrics.gmsd) else -1
    assert np.all(falls * (metric(plain, noise[0]) - metric(plain, little)) > 0)


def test_mse_does_not_wrap():
    black = np.zeros((1, 4, 4), np.uint8)
    assert metrics.mse(black, black + 255) == metrics.mse(black + 255, black) == [255**2]


def test_lss_by_hand():
    plain = np.zeros((1, 8, 24), np.uint8)
    cipher = np.repeat(np.array([1, 2, 31], np.uint8), 8)[None, None].repeat(8, 1)
    # 1 < 3 / 2 counts 1; 2 / 3 rounds to 1, 31 / 3 to 10
    assert metrics.lss(plain, cipher) == pytest.approx([(1 - 0.1 - 1.0) / 3])
    assert metrics.lss(plain, cipher, alpha=0.2, beta=62) == pytest.approx([(1 + 1 - 0.0) / 3])
    ragged = np.pad(cipher, ((0, 0), (0, 7), (0, 7)), constant_values=255)
    assert metrics.lss(np.zeros_like(ragged), ragged) == metrics.lss(plain, cipher)


def test_ess_by_hand():
    flat, upright = np.zeros((2, 1, 16, 16), np.uint8)
    upright[..., ::4] = 255
    slanted = np.fromfunction(lambda _, i, j: 255 * ((i + j) % 8 < 4), (1, 16, 16)).astype(np.uint8)
    assert metrics.ess(flat, flat) == [0.5]
    assert metrics.ess(flat, upright) == [0]
    assert metrics.ess(upright, slanted) == pytest.approx([np.cos(np.pi / 4)])
    assert metrics.ess(upright, upright, edge=1000) == [0.5]
    half = upright.copy()
    half[..., 8:] = 0  # edges of the left blocks, and where they end in the right ones
    assert 0.5 <= metrics.ess(upright, half)[0] <= 1


def test_vsi_parts():
    flat = np.full((1, 32, 32), 100, np.uint8)
    assert metrics.vsi(flat, flat) == [1]
    # no edges in either, no contrast in either, and the same homogeneity and energy
    assert metrics.vsi(flat, flat + 100) == [1]
    steps = flat + np.uint8(100) * (np.arange(32) >= 16).astype(np.uint8)
    value = metrics.vsi(flat, steps)[0]
    assert 0 < value < 0.5  # edges: 0; texture: part of one half
    assert metrics.vsi(steps, steps.swapaxes(1, 2)) == pytest.approx(
        [metrics.vsi(steps.swapaxes(1, 2), steps)[0]]
    )


def test_constant_images_have_no_visual_information(noise):
    flat = np.full((2, 176, 176), 7, np.uint8)
    flat[1] = noise[0, 1]
    assert np.isnan(metrics.vif(flat, noise[1])).tolist() == [True, False]


@pytest.mark.parametrize("metric", FULL_REFERENCE[2:])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 200), (1, 5, 5, 3)])
def test_too_small(metric, shape):
    images = np.zeros(shape, np.uint8)
    with pytest.raises(ValueError, match=r"needs sides of \d+ pixels or more, not"):
        metric(images, images)


@pytest.mark.parametrize("metric", FULL_REFERENCE)
def test_smallest_images(metric, rng):
    least = {"mse": 1, "psnr": 1, "ssim": 11, "ms_ssim": 161, "vif": 41, "gmsd": 6}
    side = least.get(metric.__name__, 8)
    assert np.isfinite(metric(*rng.integers(0, 256, (2, 1, side, side), np.uint8))).all()


@pytest.mark.parametrize("metric", FULL_REFERENCE)
def test_only_pairs(metric):
    images = np.zeros((2, 176, 176), np.uint8)
    with pytest.raises(ValueError, match="they are pairs"):
        metric(images, images[:1])
    with pytest.raises(ValueError, match="cipher must be uint8"):
        metric(images, images / 255)


def test_lpips_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    images = np.zeros((1, 32, 32), np.uint8)
    with pytest.raises(ValueError, match=r"vgg16-.*\.pth and lpips_weights\.pt in torch's"):
        metrics.lpips(images, images)
    assert list(tmp_path.iterdir()) == []


# One ciphertext


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
    drawn = np.array([leakage.truth.closed_forms.entropy(c) for c in counts])
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
        expected = np.mean([
            np.corrcoef(c[first].ravel(), c[second].ravel())[0, 1] for c in channels
        ])
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


# Two ciphertexts


@pytest.mark.parametrize(
    ("side", "rate", "intensity"),
    [
        (
            256, (99.5693, 99.5527, 99.5341),
            ((33.2824, 33.6447), (33.2255, 33.7016), (33.1594, 33.7677)),
        ),
        (
            512, (99.5893, 99.5810, 99.5717),
            ((33.3730, 33.5541), (33.3445, 33.5826), (33.3115, 33.6156)),
        ),
        (
            1024, (99.5994, 99.5952, 99.5906),
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


def test_exact_p_values_of_counts():
    null = metrics.npcr_null(1000)
    for same in (0, 4, 12):
        expected = binom.sf(same - 1, 1000, 1 / 256)
        assert null.p_value(100 * (1000 - same) / 1000) == pytest.approx(expected)
    null = metrics.nbcr_null(10)
    assert null.p_value(50) == 1
    assert null.p_value(100 * 30 / 80) == pytest.approx(2 * binom.cdf(30, 80, 0.5))
    assert null.p_value(100 * 50 / 80) == pytest.approx(2 * binom.cdf(30, 80, 0.5))


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


# Calibration


@pytest.fixture(scope="module")
def p_values():
    """Of 200 AES-CTR ciphertexts of photographs, 256x256, one test each and statistic."""
    plain = np.resize(leakage.load_images(size=256).images, (200, 256, 256))
    cipher, other = (AES.encrypt(plain, bytes([k]) * 16) for k in (1, 2))
    shape, samples = plain.shape[1:], plain[0].size
    alone = [plain[i : i + 1] for i in range(len(plain))]

    def p(values, null):
        return [null.p_value(value) for value in values]

    def p_each(metric, null_of):
        pairs = zip(metric(plain, cipher), alone, strict=True)
        return [null_of(image).p_value(value) for value, image in pairs]

    made = {
        "mse": p_each(metrics.mse, metrics.mse_null),
        "psnr": p_each(metrics.psnr, metrics.psnr_null),
        "entropy": p(metrics.grey_entropy(cipher), metrics.grey_entropy_null(samples)),
        "local entropy": p(
            metrics.local_entropy(cipher, blocks=25), metrics.local_entropy_null(25)
        ),
        "chi-square": p(metrics.chi_square(cipher), metrics.chi_square_null(samples)),
    }
    for name in ("npcr", "uaci", "nbcr"):
        values = getattr(metrics, name)(cipher, other, plain=plain)
        made[name] = p(values, getattr(metrics, f"{name}_null")(samples))
    for direction in ("horizontal", "vertical", "diagonal"):
        values = metrics.adjacent_correlation(cipher, direction)
        made[direction] = p(values, metrics.adjacent_correlation_null(shape, direction))
    return {name: np.array(values) for name, values in made.items()}


@pytest.mark.parametrize(
    "name",
    [
        "mse", "psnr", "entropy", "local entropy", "chi-square", "npcr", "uaci", "nbcr",
        "horizontal", "vertical", "diagonal",
    ],
)
def test_false_alarms_of_each_test(name, p_values):
    """Rejections at 5 % of 200, within the exact binomial interval that misses 0.1 %.

    False alarms of this test: at most 0.001 for each name.
    """
    low, high = binom.interval(0.999, 200, 0.05)
    assert low <= np.count_nonzero(p_values[name] <= 0.05) <= high


@pytest.mark.parametrize("images", [1, 8])
def test_false_alarms_on_small_images_and_of_means(images):
    """400 sets of noise of 64x64 pixels: 5 % within the binomial interval that misses 0.1 %."""
    noise = np.random.default_rng(6).integers(0, 256, (400 * images, 64, 64), np.uint8)
    plain = leakage.load_images().images[:images]
    expected = np.tile(plain, (400, 1, 1))
    tests = {
        metrics.grey_entropy_null(4096, images): metrics.grey_entropy(noise),
        metrics.chi_square_null(4096, images): metrics.chi_square(noise),
        metrics.adjacent_correlation_null((64, 64), "diagonal", images):
            metrics.adjacent_correlation(noise, "diagonal"),
        metrics.mse_null(plain): metrics.mse(expected, noise),
        metrics.psnr_null(plain): metrics.psnr(expected, noise),
    }
    low, high = binom.interval(0.999, 400, 0.05)
    for null, values in tests.items():
        means = values.reshape(400, images).mean(1)
        assert low <= sum(null.p_value(m) <= 0.05 for m in means) <= high
        assert means.std() == pytest.approx(null.sd, rel=0.15)


def test_simulated_p_values_are_exact(monkeypatch):
    """200 tables of noise, LSS alone, 39 draws: at 10 %, binomial interval that misses 0.1 %."""
    monkeypatch.setattr("leakage.metrics.tables._SIMULATED", {"LSS": metrics.lss})
    rng = np.random.default_rng(7)
    plain = leakage.load_images().images[:1]
    noise = rng.integers(0, 256, (200, *plain.shape), np.uint8)
    p = [metrics.table(plain, x, nulls=39, seed=i).p_value["LSS"] for i, x in enumerate(noise)]
    low, high = binom.interval(0.999, 200, 0.1)
    assert low <= np.count_nonzero(np.array(p) <= 0.1) <= high


# The table


def test_table_of_a_sound_cipher_and_a_leaky_one(pairs, key):
    plain, leaky = pairs["gray"]
    sound = metrics.table(plain, AES.encrypt(plain, key), scheme=AES, key=key, nulls=3)
    assert list(sound.columns) == ["value", "null_mean", "null_sd", "p_value", "remark"]
    keyed = sound.drop(index=[name for name in sound.index if "pixel" in name or name == "LPIPS"])
    assert keyed.drop(columns="remark").notna().all(axis=None)
    assert keyed.p_value.min() > 0.001
    away = np.abs(keyed.value - keyed.null_mean) / keyed.null_sd
    # five standard deviations; the sd of three draws is worth less
    assert away[~keyed.remark.str.contains("draws")].max() < 5
    assert sound.p_value["NPCR, pixel changed, %"] == 0
    assert metrics.table(plain, leaky).p_value["MSE"] < 1e-6


def test_table_without_scheme_has_no_differences(pairs, key):
    plain, cipher = pairs["gray"]
    rows = metrics.table(plain, cipher).loc[["NPCR, %", "UACI, %", "NBCR, %"]]
    assert rows.value.isna().all()
    assert rows.remark.str.contains("two ciphertexts: give scheme and key").all()
    for half in ({"scheme": AES}, {"key": key}):
        with pytest.raises(ValueError, match="give both, or neither"):
            metrics.table(plain, cipher, **half)


def test_table_is_the_mean_over_images(pairs):
    plain, cipher = pairs["rgb"]
    rows = metrics.table(plain, cipher)
    for name, metric in (
        ("MSE", metrics.mse), ("SSIM", metrics.ssim), ("VIF", metrics.vif), ("LSS", metrics.lss)
    ):
        assert rows.value[name] == metric(plain, cipher).mean()
    law = chi2(2 * 255)
    value = metrics.chi_square(cipher)
    assert rows.p_value["Chi-square"] == pytest.approx(law.sf(value.sum()))
    assert rows.null_sd["Chi-square"] == pytest.approx(law.std() / 2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (1, 3, 2, 3), (1, 45, 50)])
def test_table_of_tiny_and_constant_images(shape, key):
    plain = np.full(shape, 200, np.uint8)
    rows = metrics.table(plain, plain, scheme=AES, key=key, nulls=2)
    assert rows.value["PSNR, dB"] == math.inf
    assert rows.remark["MS-SSIM"].startswith("MS-SSIM needs sides of 161")
    assert rows.remark["Correlation, diagonal"].startswith("undefined for")
    assert "PSNR, dB & $\\infty$" in rows.to_latex()
    if shape == (1, 45, 50):
        assert math.isnan(rows.value["VIF"])
        assert rows.remark["Local entropy, bit"] == "only 1 of 30 blocks fit"
    else:
        assert rows.remark["MSE"] == "p-values need 1280 samples an image"
        assert math.isnan(rows.p_value["MSE"])


def test_latex(pairs, key):
    plain, cipher = pairs["gray"]
    rows = metrics.table(plain, cipher, scheme=AES, key=key)
    text = rows.to_latex(caption="Noise?", label="tab:noise")
    assert text.startswith("\\begin{table}\n\\caption{Noise?}\n\\label{tab:noise}")
    body = text[text.index("\\midrule") : text.index("\\bottomrule")].splitlines()[1:]
    assert len(body) == len(rows)
    assert all(line.count(" & ") == 5 and line.endswith("\\\\") for line in body)
    assert not re.search(r"nan|(?<!\\)[%_#]|-0\.0+\$", text)
    assert "NPCR, pixel changed, \\% & $0.003$ & $99.609$ & $0.025$ & $<0.001$" in text
    short = rows.drop(columns="remark").loc[["MSE"]]
    assert isinstance(short, metrics.MetricsTable)
    assert short.to_latex().count("\\\\") == 2


@pytest.mark.parametrize(
    ("nulls", "error"), [(-1, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_table_refuses(nulls, error, pairs):
    with pytest.raises(error, match="nulls must be"):
        metrics.table(*pairs["gray"], nulls=nulls)


def test_table_repeats_with_its_seed(pairs):
    plain, cipher = (images[:, :48, :48] for images in pairs["gray"])
    one, same, other = (metrics.table(plain, cipher, nulls=2, seed=s) for s in (1, 1, 2))
    assert one.equals(same)
    assert one.null_mean["SSIM"] != other.null_mean["SSIM"]
