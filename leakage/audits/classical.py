"""Classical metrics of the few pairs that an audit shows."""

import numpy as np
import pandas as pd

from leakage import metrics
from leakage.audits.middles import middle
from leakage.schemes import Scheme

#: Side of the middle of an image that is measured, at most: some of the metrics take seconds and
#: gigabytes of a large image.
MEASURED = 512


def classical_metrics(
    plain: np.ndarray, cipher: np.ndarray, scheme: object, key: bytes | None, seed: int
) -> pd.DataFrame:
    """The table of `leakage.metrics.table`, of the middle of each image.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Pairs.
    scheme : object
        Differences of ciphertexts need one of ours; without them their rows are empty.
    key : bytes or None
        Of the scheme.
    seed : int
        Of whatever is drawn.

    Examples
    --------
    >>> images = np.zeros((1, 64, 700), np.uint8)
    >>> float(classical_metrics(images, images, None, None, 0).loc["MSE", "value"])
    0.0
    """
    rows, columns = middle(plain.shape[1:], MEASURED)
    plain, cipher = (images[:, rows, columns] for images in (plain, cipher))
    if isinstance(scheme, Scheme):
        return metrics.table(plain, cipher, scheme=scheme, key=key, seed=seed)
    return metrics.table(plain, cipher, seed=seed)
