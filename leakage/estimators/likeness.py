"""Where pictures are alike, are their ciphertexts alike? That needs no training at all.

Distances between plain images are compared with those between ciphertexts: of how often each value
occurs, also among XORs and differences of neighbours, which chained ciphers keep; and the share of
bits that differ, which a keystream used twice leaves as it was. A map from the one to the other
need not be known, so that a kind of cipher that nobody simulated is found too.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

#: What is compared: how plain images are seen, and how ciphertexts are.
VIEWS = (("values", "values"), ("values", "XOR"), ("values", "steps"), ("bits", "bits"))
NAMES = tuple(f"alike: {cipher}" for _, cipher in VIEWS)
#: Parts of the pictures that are compared so; that is hundreds of pictures.
MOST_PARTS = 32
#: Exchanges whose distances are taken at once: of all of them they would fill tens of megabytes.
AT_ONCE = 4096


def distances(images: np.ndarray, *, chained: bool) -> dict[str, np.ndarray]:
    """Distances between images, (n, n) each, by what they are seen through.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
        Of one shape.
    chained : bool
        Also of XORs and differences of samples with those before them in reading order.

    Examples
    --------
    >>> found = distances(np.array([[[0, 0]], [[1, 3]]], np.uint8), chained=False)
    >>> {name: float(d[0, 1].round(3)) for name, d in found.items()}
    {'values': 1.225, 'bits': 0.188}
    """
    channels = images.reshape(*images.shape[:3], -1)
    rows = np.moveaxis(channels, 3, 1).reshape(len(images), -1)
    found = {"values": _apart(_shares(rows)), "bits": _differing(rows)}
    if chained and rows.shape[1] > 1:
        found["XOR"] = _apart(_shares(rows[:, 1:] ^ rows[:, :-1]))
        found["steps"] = _apart(_shares(rows[:, 1:] - rows[:, :-1]))
    return found


def likeness(plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
    """Distances of images and of their ciphertexts in every one of `VIEWS`, (views, 2, n, n)."""
    x, y = distances(plain, chained=False), distances(cipher, chained=True)
    return np.array([[x[a], y[b]] for a, b in VIEWS])


def of_part(plain: np.ndarray, cipher: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Sums of `likeness` over aligned images of groups; `block` numbers these, (groups, m)."""
    return np.sum([likeness(plain[rows], cipher[rows]) for rows in block.T], 0)


def covariances(together: np.ndarray, orders: np.ndarray) -> Iterator[np.ndarray]:
    """Distance covariance of every view under exchanges of the ciphertexts.

    Parameters
    ----------
    together : ndarray of float, shape (views, 2, n, n)
        As of `likeness` or `of_part`.
    orders : ndarray of int, shape (exchanges, n)
        Which ciphertext stands where.

    Yields
    ------
    ndarray of float, shape (exchanges,)
        Of one view.

    References
    ----------
    Székely, Rizzo & Bakirov (2007), Measuring and testing dependence by correlation of distances.

    Examples
    --------
    >>> line = abs(np.subtract.outer(range(3), range(3)))[None]
    >>> (found,) = covariances(np.stack([line, line], 1), np.array([[0, 1, 2], [1, 0, 2]]))
    >>> bool(found[0] > found[1])
    True
    """
    for one, other in together:
        centred = one - one.mean(0) - one.mean(1)[:, None] + one.mean()
        yield np.concatenate([
            np.einsum("ij,kij->k", centred, other[some[:, :, None], some[:, None, :]])
            for some in np.array_split(orders, -(-len(orders) // AT_ONCE))
        ])  # fmt: skip


def _shares(rows: np.ndarray) -> np.ndarray:
    """How often each of 256 values occurs in each row."""
    return np.stack([np.bincount(row, minlength=256) for row in rows]) / rows.shape[1]


def _apart(points: np.ndarray) -> np.ndarray:
    return np.sqrt(((points[:, None] - points) ** 2).sum(2))


def _differing(rows: np.ndarray) -> np.ndarray:
    """Share of bits that differ between rows."""
    found = np.zeros((len(rows), len(rows)))
    for i, j in combinations(range(len(rows)), 2):
        found[i, j] = found[j, i] = np.bitwise_count(rows[i] ^ rows[j]).mean() / 8
    return found
