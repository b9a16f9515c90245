import math

import numpy as np
import piq
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

import leakage
from leakage import metrics
from leakage.estimators.threads import one_thread

FULL_REFERENCE = [
    metrics.mse,
    metrics.psnr,
    metrics.ssim,
    metrics.ms_ssim,
    metrics.vif,
    metrics.gmsd,
    metrics.lss,
    metrics.ess,
    metrics.vsi,
]
SYMMETRIC = [m for m in FULL_REFERENCE if m is not metrics.vif]


def tensor(images):
    deep = images if images.ndim == 4 else images[..., None]
    return torch.from_numpy(deep.astype(np.float64)).permute(0, 3, 1, 2)


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
