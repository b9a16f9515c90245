"""Classical measures of visual quality, from well-kept libraries, applied image by image."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from leakage.exact import entropy
from leakage.images import check_images


def _pairs(plain: np.ndarray, cipher: np.ndarray) -> zip:
    check_images(plain, "plain"), check_images(cipher, "cipher")
    if plain.shape != cipher.shape:
        raise ValueError(f"plain has shape {plain.shape}, cipher {cipher.shape}; they are pairs")
    return zip(plain, cipher, strict=True)


def psnr(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair in dB, infinite where they are equal.

    Examples
    --------
    >>> black = np.zeros((1, 8, 8), np.uint8)
    >>> psnr(black, black + 255).tolist()
    [0.0]
    """
    return np.array([
        np.inf if np.array_equal(a, b) else peak_signal_noise_ratio(a, b, data_range=255)
        for a, b in _pairs(plain, cipher)
    ])


def ssim(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair (Wang et al., 2004): Gaussian window, sigma 1.5.

    Examples
    --------
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> ssim(image, image).tolist()
    [1.0]
    """
    return np.array([
        structural_similarity(
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            channel_axis=-1 if a.ndim == 3 else None,
        )
        for a, b in _pairs(plain, cipher)
    ])


def grey_entropy(images: np.ndarray) -> np.ndarray:
    """Plug-in entropy in bits of each image's values.

    Examples
    --------
    >>> grey_entropy(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)).tolist()
    [8.0]
    """
    counts = (np.bincount(image.ravel(), minlength=256) for image in check_images(images))
    return np.array([entropy(c) for c in counts])
