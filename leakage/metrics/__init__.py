"""The measures that papers on image encryption report, each beside its value for pure noise.

Three families: full-reference quality of pairs (`mse` to `vsi`), statistics of one ciphertext
(`grey_entropy` to `adjacent_correlation`), differences of two ciphertexts (`npcr` to `nbcr`, best
through `differential`). `table` collects them. All functions take uint8 images of shape (N, H, W)
or (N, H, W, 3) and return one float64 an image.

A `Null` is the distribution of a measure when every sample of the ciphertext is uniform and
independent of everything else, for images of the actual size. A small p-value is evidence that a
ciphertext differs from such noise. A large one is no evidence of strength: a keystream that
everybody knows passes them all (Preishuber, Huetter, Katzenbeisser and Uhl, 2018).
"""

from leakage.metrics.differences import (
    differential,
    nbcr,
    nbcr_null,
    npcr,
    npcr_null,
    uaci,
    uaci_null,
)
from leakage.metrics.nulls import Null
from leakage.metrics.quality import (
    gmsd,
    lpips,
    ms_ssim,
    mse,
    mse_null,
    psnr,
    psnr_null,
    ssim,
    vif,
)
from leakage.metrics.randomness import (
    adjacent_correlation,
    adjacent_correlation_null,
    chi_square,
    chi_square_null,
    grey_entropy,
    grey_entropy_null,
    local_entropy,
    local_entropy_null,
)
from leakage.metrics.structure import ess, lss, vsi
from leakage.metrics.tables import MetricsTable, table

__all__ = [
    "MetricsTable",
    "Null",
    "adjacent_correlation",
    "adjacent_correlation_null",
    "chi_square",
    "chi_square_null",
    "differential",
    "ess",
    "gmsd",
    "grey_entropy",
    "grey_entropy_null",
    "local_entropy",
    "local_entropy_null",
    "lpips",
    "lss",
    "ms_ssim",
    "mse",
    "mse_null",
    "nbcr",
    "nbcr_null",
    "npcr",
    "npcr_null",
    "psnr",
    "psnr_null",
    "ssim",
    "table",
    "uaci",
    "uaci_null",
    "vif",
    "vsi",
]
