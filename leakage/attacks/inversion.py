"""The network of `leakage.attacks.invert`."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from leakage.estimators.threads import one_thread

WIDTH = 32
BATCH = 8
LEARNING_RATE = 4e-3


class UNet(nn.Module):
    """Two levels down and up again (Ronneberger, Fischer and Brox, 2015), (N, 8 C, H, W) to C.

    Every sample is first decoded by itself, then four pixels become the channels of one place:
    convolutions at half the resolution and below cost a quarter.

    Examples
    --------
    >>> UNet(1)(torch.zeros(2, 8, 16, 16)).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(self, channels: int):
        super().__init__()
        decoded = WIDTH // 4
        self.decode = nn.Sequential(
            *_layer(8 * channels, WIDTH, side=1), *_layer(WIDTH, decoded * channels, side=1),
        )  # fmt: skip
        self.fine = _block(4 * decoded * channels, WIDTH)
        self.middle = _block(WIDTH, 2 * WIDTH)
        self.coarse = _block(2 * WIDTH, 2 * WIDTH)
        self.back = _block(4 * WIDTH, 2 * WIDTH)
        self.out = _block(3 * WIDTH, WIDTH)
        self.last = nn.Conv2d(WIDTH, 4 * channels, 1)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Pictures, 0 to 1 about, of bit planes that are -1 or 1."""
        fine = self.fine(F.pixel_unshuffle(self.decode(planes), 2))
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        middle = self.back(torch.cat([middle, F.interpolate(coarse, scale_factor=2.0)], 1))
        fine = self.out(torch.cat([fine, F.interpolate(middle, scale_factor=2.0)], 1))
        return F.pixel_shuffle(self.last(fine), 2) + 0.5


def _layer(given: int, made: int, side: int = 3) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(given, made, side, padding=side // 2, bias=False)
    return convolution, nn.BatchNorm2d(made), nn.ReLU()


def _block(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(*_layer(given, made), *_layer(made, made))


def _planes(cipher: np.ndarray) -> torch.Tensor:
    """Bit planes as -1 and 1: (N, H, W) or (N, H, W, 3) to (N, 8 or 24, H, W)."""
    bits = np.unpackbits(cipher.reshape(*cipher.shape[:3], -1), axis=3)
    return _channels_first(bits) * 2.0 - 1


def _channels_first(images: np.ndarray) -> torch.Tensor:
    deep = torch.tensor(images).reshape(*images.shape[:3], -1)
    return deep.permute(0, 3, 1, 2)  # in memory the channels stay last, which is faster


@torch.enable_grad()
def inverted(
    encrypt: Callable[[np.ndarray, bytes], np.ndarray],
    learnt: np.ndarray,
    judged: np.ndarray,
    *,
    steps: int,
    seed: int,
    progress: bool,
) -> np.ndarray:
    """What a network that learnt from some images makes of the ciphertexts of others.

    Parameters
    ----------
    encrypt : callable
        Takes images and a key.
    learnt, judged : ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
        Plain images.
    steps : int
        Batches.
    seed : int
        Of keys, weights and batches.
    progress : bool
        Show a bar.

    Returns
    -------
    ndarray of uint8, of the shape of `judged`
    """
    rng = np.random.default_rng(seed)
    # weights are drawn from the global generator: put that back afterwards
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet(1 if learnt.ndim == 3 else 3).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        for _ in tqdm(range(steps), "inversion", disable=not progress):
            batch = learnt[rng.integers(len(learnt), size=BATCH)]
            planes = _planes(encrypt(batch, rng.bytes(16)))
            target = _channels_first(batch) / 255
            loss = F.l1_loss(network(planes), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        cipher = encrypt(judged, rng.bytes(16))
        with torch.inference_mode():
            pictures = torch.cat(
                [
                    network(_planes(cipher[start : start + BATCH]))
                    for start in range(0, len(cipher), BATCH)
                ]
            )
    rounded = (255 * pictures).round().clamp(0, 255).to(torch.uint8)
    return rounded.permute(0, 2, 3, 1).numpy().reshape(judged.shape)
