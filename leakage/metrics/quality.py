"""Full-reference quality of each pair of a plain image and its ciphertext."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import numpy as np
from scipy.stats import norm
from skimage.metrics import structural_similarity

from leakage.arguments import check_images, check_pairs
from leakage.metrics.nulls import ENOUGH_SAMPLES, Null
from leakage.pictures.value_counts import value_counts

if TYPE_CHECKING:  # at run time it is imported where it is needed, for it takes seconds to load
    import torch

_LPIPS_FILES = ("vgg16-397923af.pth", "lpips_weights.pt")


def check_large_pairs(
    plain: object, cipher: object, side: int, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Refuse images that are not pairs, or too small for the measure named `what`."""
    plain, cipher = check_pairs(plain, cipher)
    if min(plain.shape[1:3]) < side:
        raise ValueError(
            f"{what} needs sides of {side} pixels or more, not {plain.shape[1]}x{plain.shape[2]}"
        )
    return plain, cipher


def mse(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Mean squared error of each pair, in squared gray levels, 0 to 255².

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs.

    Returns
    -------
    ndarray of float64, shape (N,)
        In squared gray levels, the mean over all samples of a pair.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs.

    Examples
    --------
    >>> black = np.zeros((1, 8, 8), np.uint8)
    >>> mse(black, black + 3).tolist()
    [9.0]
    """
    plain, cipher = check_pairs(plain, cipher)
    pairs = zip(plain, cipher, strict=True)
    return np.array([np.mean((a.astype(np.float64) - b) ** 2) for a, b in pairs])


def mse_null(plain: np.ndarray) -> Null:
    """Mean over images of `mse`, on noise: a normal law with exact mean and sd for these images.

    The p-value is two-sided.

    Parameters
    ----------
    plain : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        The plain images that the noise is compared with.

    Returns
    -------
    Null
        In squared gray levels, of the mean over the N images; trusted from `ENOUGH_SAMPLES`
        samples an image.

    Raises
    ------
    TypeError, ValueError
        No uint8 images.

    Examples
    --------
    A black image: the mean of all squares to 255².

    >>> round(mse_null(np.zeros((1, 64, 64), np.uint8)).mean, 6)
    21717.5
    """
    means, variances = _mse_moments(plain)
    law = norm(means.mean(), np.sqrt(variances.sum()) / len(plain))
    return Null(law, "two-sided", trusted=plain[0].size >= ENOUGH_SAMPLES)


def psnr(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair in dB, peak 255, infinite where they are equal.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs.

    Returns
    -------
    ndarray of float64, shape (N,)
        In dB; infinite for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs.

    Examples
    --------
    >>> black = np.zeros((1, 8, 8), np.uint8)
    >>> psnr(black, black + 255).tolist()
    [0.0]
    """
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / mse(plain, cipher))


def psnr_null(plain: np.ndarray) -> Null:
    """Mean over images of `psnr`, on noise: a normal law, moments by the delta method on `mse`.

    Mean to the second order, sd to the first; the p-value is two-sided.

    Parameters
    ----------
    plain : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        The plain images that the noise is compared with.

    Returns
    -------
    Null
        In dB, of the mean over the N images; trusted from `ENOUGH_SAMPLES` samples an image.

    Raises
    ------
    TypeError, ValueError
        No uint8 images.

    Examples
    --------
    >>> round(psnr_null(np.zeros((1, 64, 64), np.uint8)).mean, 2)
    4.76
    """
    means, variances = _mse_moments(plain)
    per_decibel = 10 / np.log(10)
    relative = variances / means**2
    law = norm(
        np.mean(10 * np.log10(255**2 / means) + per_decibel * relative / 2),
        per_decibel * np.sqrt(relative.sum()) / len(plain),
    )
    return Null(law, "two-sided", trusted=plain[0].size >= ENOUGH_SAMPLES)


def _mse_moments(plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each image's `mse` when the other image is uniform noise."""
    plain = check_images(plain, "plain")
    levels = np.arange(256.0)
    squares = (levels[:, None] - levels) ** 2  # rows: a plain sample, columns: its ciphertext
    counts = np.stack([value_counts(image) for image in plain])
    size = plain[0].size
    return counts @ squares.mean(1) / size, counts @ squares.var(1) / size**2


def ssim(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair (Wang et al., 2004), -1 to 1, by scikit-image.

    Gaussian window of 11x11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03, range 255; the mean over the
    places where the whole window fits (libraries that pad the border differ in the third digit),
    and over the channels of an RGB image.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, sides of 11 pixels or more.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    References
    ----------
    Wang, Bovik, Sheikh & Simoncelli (2004), equation 13.

    Examples
    --------
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> ssim(image, image).tolist()
    [1.0]
    """
    plain, cipher = check_large_pairs(plain, cipher, 11, "SSIM")
    options = {
        "data_range": 255,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "channel_axis": -1 if plain.ndim == 4 else None,
    }
    pairs = zip(plain, cipher, strict=True)
    return np.array([structural_similarity(a, b, **options) for a, b in pairs])


def ms_ssim(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik, 2003), 0 to 1, by piq.

    Five scales with the paper's weights, window and constants of `ssim`; the mean over channels.
    A negative factor counts as 0, and so does then the product. Single precision: errors are below
    1e-4. The least side leaves a window of 11 pixels on the smallest scale.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, sides of 161 pixels or more.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    References
    ----------
    Wang, Simoncelli & Bovik (2003), equation 7.

    Examples
    --------
    >>> image = np.arange(161 * 161).astype(np.uint8).reshape(1, 161, 161)
    >>> ms_ssim(image, image).round(5).tolist()
    [1.0]
    """
    plain, cipher = check_large_pairs(plain, cipher, 161, "MS-SSIM")
    from piq import multi_scale_ssim

    return _by_piq(multi_scale_ssim, plain, cipher)


def vif(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Visual information fidelity in the pixel domain (Sheikh and Bovik, 2006), by piq.

    From 0, above 1 where the ciphertext has the image at a higher contrast; NaN where the plain
    image is constant. Of the luma of an RGB image. Not symmetric. Single precision: errors are
    below 1e-4.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, sides of 41 pixels or more.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 1 for equal images, NaN for a constant plain image.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    Examples
    --------
    >>> image = np.arange(41 * 41).astype(np.uint8).reshape(1, 41, 41)
    >>> vif(image, image).round(5).tolist(), vif(image, 0 * image).round(5).tolist()
    ([1.0], [0.0])
    """
    plain, cipher = check_large_pairs(plain, cipher, 41, "VIF")
    from piq import vif_p

    flat = np.array([np.all(image == image[0, 0]) for image in plain])
    return np.where(flat, np.nan, _by_piq(vif_p, cipher, plain))  # piq wants the reference second


def gmsd(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Gradient magnitude similarity deviation (Xue et al., 2014), 0 for equal images, by piq.

    Of the luma of an RGB image. Low means alike, but also alike everywhere: it is a standard
    deviation over positions. The least side is three pixels after its halving of the image.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, sides of 6 pixels or more.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 0 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, or images too small.

    Examples
    --------
    >>> image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    >>> gmsd(image, image).tolist()
    [0.0]
    """
    plain, cipher = check_large_pairs(plain, cipher, 6, "GMSD")
    from piq import gmsd as by_piq

    return _by_piq(by_piq, plain, cipher)


def lpips(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Learned perceptual patch similarity (Zhang et al., 2018), VGG-16, by piq; 0 for equal images.

    Gray images are repeated to three channels. Nothing is downloaded: the two files of weights
    must lie in torch's cache.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs, sides of 32 pixels or more.

    Returns
    -------
    ndarray of float64, shape (N,)
        Without unit, 0 for equal images.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, not pairs, too small, or the weights are not there.

    Examples
    --------
    >>> image = np.zeros((1, 16, 32), np.uint8)
    >>> lpips(image, image)
    Traceback (most recent call last):
    ValueError: LPIPS needs sides of 32 pixels or more, not 16x32
    """
    plain, cipher = check_large_pairs(plain, cipher, 32, "LPIPS")
    import torch
    from piq import LPIPS

    folder = Path(torch.hub.get_dir(), "checkpoints")
    missing = [name for name in _LPIPS_FILES if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"LPIPS needs {' and '.join(missing)} in torch's cache; piq.LPIPS() downloads them"
        )
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # piq asks torchvision for weights in the old way
        model = LPIPS(reduction="none")

    def distance(
        a: "torch.Tensor", b: "torch.Tensor", data_range: float, reduction: str
    ) -> "torch.Tensor":
        a, b = (x.expand(-1, 3, -1, -1) / data_range for x in (a, b))
        return model(a, b).reshape(1)

    return _by_piq(distance, plain, cipher)


def _by_piq(
    metric: Callable[..., "torch.Tensor"], first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """A function of piq on each pair, one at a time to bound memory."""
    import torch

    from leakage.estimators.threads import one_thread

    def tensor(image: np.ndarray) -> torch.Tensor:
        deep = image.reshape(*image.shape[:2], -1).transpose(2, 0, 1)
        return torch.from_numpy(deep.astype(np.float32))[None]

    def value(a: np.ndarray, b: np.ndarray) -> float:
        return metric(tensor(a), tensor(b), data_range=255.0, reduction="none").item()

    with one_thread(), torch.inference_mode():
        return np.array([value(a, b) for a, b in zip(first, second, strict=True)])
