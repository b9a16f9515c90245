"""How often each value occurs in a picture."""

import numpy as np

_AT_ONCE = 1 << 16  # samples: numpy widens what it counts to eight bytes


def value_counts(picture: np.ndarray) -> np.ndarray:
    """How often each of the 256 values occurs, in the memory of a small part of the picture.

    Parameters
    ----------
    picture : ndarray of uint8, any shape
        Samples of all channels together.

    Examples
    --------
    >>> value_counts(np.array([[0, 3], [3, 255]], np.uint8))[[0, 3, 255]].tolist()
    [1, 2, 1]
    """
    flat = picture.ravel()
    counts = np.zeros(256, np.intp)
    for start in range(0, flat.size, _AT_ONCE):
        counts += np.bincount(flat[start : start + _AT_ONCE], minlength=256)
    return counts
