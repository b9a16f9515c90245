"""The map of a single pair: places that fit the ciphertext's own better than its others do.

Nothing is trained, and no other picture is needed. The ciphertext is rolled, all around, by whole
blocks of 8 pixels: where it tells nothing of the image and is alike everywhere, as noise is, every
roll is as good as none. Its most telling place is compared with those of the rolls.
"""

import numpy as np
import torch

from leakage.estimators.pair_critic import PairCritic
from leakage.estimators.place_scores import Lattice

#: Rolls are multiples of this, so that blocks of JPEG and of block ciphers stay blocks.
BLOCK = 8


def rolls(height: int, width: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """No roll, and so many others, all different: (count + 1, 2) in pixels.

    Raises
    ------
    ValueError
        The image is too small for so many.

    Examples
    --------
    >>> rolls(8, 16, 1, np.random.default_rng(0)).tolist()
    [[0, 0], [0, 8]]
    """
    for step in (BLOCK, 4, 2, 1):
        high, wide = height // step, width // step
        if high * wide > count:
            some = 1 + rng.permutation(high * wide - 1)[:count]
            return step * np.stack(np.divmod(np.append(0, some), wide), 1)
    raise ValueError(
        f"images of {height} x {width} pixels are too small for {count} comparisons; raise level"
    )


def rolled_scores(
    critic: PairCritic,
    plain: np.ndarray,
    cipher: np.ndarray,
    at: Lattice,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Of one image (H, W[, C]) and its ciphertext, unrolled and rolled: (count + 1, rows, columns).

    In nats, summed over channels.
    """
    wide = plain.reshape(*plain.shape[:2], -1)
    found = np.zeros((count + 1, *at.shape))
    for channel in range(wide.shape[2]):
        x = _patches(wide[..., channel], at)
        c = cipher.reshape(wide.shape)[..., channel]
        for k, roll in enumerate(rolls(at.height, at.width, count, rng)):
            moved = np.roll(c, tuple(roll), (0, 1)) if k else c
            scores = critic.of_patches(x, _patches(moved, at))[:, 0]
            found[k] += scores.reshape(at.shape)
    return found


def _patches(image: np.ndarray, at: Lattice) -> torch.Tensor:
    """Patches (places, P, P) of (H, W), row by row."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (at.patch, at.patch))
    chosen = windows[:: at.stride, :: at.stride].reshape(-1, at.patch, at.patch)
    return torch.from_numpy(chosen.copy())
