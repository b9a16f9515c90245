"""A critic of pairs that sees both sides at once, and one of whole images by their histograms.

The first reads a patch and a ciphertext's together: bit planes of both, of their XOR, of their
difference modulo 256, of how these change from a sample to the next, and gray values. What it says
is not a product of features of either side, so that own and swapped pairs are each read anew; in
return it sees relations that no such product holds. The second reads what is left when samples or
blocks have changed places: histograms of an image, of its steps and of its blocks. Both give
several scores, *heads*, for a leak of one kind is drowned where only one number is kept.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

#: Channels of the network of pairs: of single samples, of 2 x 2 of them, of larger surroundings.
SINGLE, SQUARE, WIDE = 24, 32, 64
#: Numbers that an image becomes, for each head of the critic of images.
FEATURES = 32
#: Width of the layers between.
HIDDEN = 64
#: Gray values and their differences are brought to about [-2, 2].
MIDDLE, SPREAD, SPREAD_OF_DIFFERENCES = 128.0, 64.0, 32.0
#: Side of the patch whose sums of evidence are taken as they are.
USUAL_PATCH = 16
#: Pairs of patches of that side that are read at once: what they become stays in the cache.
AT_ONCE = 64

_BITS = ((np.arange(256)[:, None] >> np.arange(8)) & 1) * 2.0 - 1


def _steps(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each sample's neighbours to the left and above; at the edge the sample itself."""
    left = torch.cat([v[..., :1], v[..., :-1]], -1)
    above = torch.cat([v[..., :1, :], v[..., :-1, :]], -2)
    return left, above


def readings(plain: torch.Tensor, cipher: torch.Tensor) -> torch.Tensor:
    """What the network reads of pairs of patches: uint8 (n, P, P) each to float (n, P, P, r).

    Examples
    --------
    >>> readings(*torch.zeros(2, 1, 4, 4, dtype=torch.uint8)).shape
    torch.Size([1, 4, 4, 78])
    """
    both, apart = plain ^ cipher, cipher - plain
    xor_left, xor_above = (both ^ side for side in _steps(both))
    apart_left, apart_above = (apart - side for side in _steps(apart))
    chained = cipher ^ _steps(cipher)[0] ^ plain
    read = torch.stack([
        plain, cipher, both, xor_left, xor_above, apart, apart_left, apart_above, chained,
    ], -1)  # fmt: skip
    table = torch.as_tensor(_BITS, dtype=torch.float32, device=plain.device)
    planes = functional.embedding(read.int(), table).flatten(-2)
    gray = [v.float() for v in (plain, cipher)]
    shown = [(v - MIDDLE) / SPREAD for v in gray]
    for v in gray:
        shown += [(v - side) / SPREAD_OF_DIFFERENCES for side in _steps(v)]
    return torch.cat([planes, torch.stack(shown, -1)], -1)


READINGS = 78


class PairNetwork(nn.Module):
    """Scores of pairs of patches, a number for each head; larger patches say more.

    Parameters
    ----------
    heads : int
        How many scores.
    generator : torch.Generator
        Draws the weights.
    """

    def __init__(self, heads: int, generator: torch.Generator):
        super().__init__()
        self.single = nn.Conv2d(READINGS, SINGLE, 1)
        self.square = nn.Conv2d(READINGS, SQUARE, 2, 2)
        self.wide = nn.Conv2d(SINGLE + SQUARE, WIDE, 3, 2, 1)
        self.mixed = nn.Conv2d(WIDE, WIDE, 1)
        self.hidden = nn.Linear(SINGLE + SQUARE + 2 * WIDE, HIDDEN)
        self.heads = nn.Linear(HIDDEN, heads)
        drawn(self, generator)
        self.to(memory_format=torch.channels_last)

    def forward(self, plain: torch.Tensor, cipher: torch.Tensor) -> torch.Tensor:
        """Of uint8 patches (n, P, P), P a multiple of 4, scores (n, heads) in nats."""
        read = readings(plain, cipher).permute(0, 3, 1, 2)  # laid out with channels last
        single = functional.avg_pool2d(functional.relu(self.single(read)), 2)
        near = torch.cat([single, functional.relu(self.square(read))], 1)
        wide = functional.relu(self.wide(near))
        mixed = functional.relu(self.mixed(wide))
        pooled = torch.cat([v.mean((2, 3)) for v in (near, wide, mixed)], 1)
        scale = plain.shape[-1] / USUAL_PATCH
        return self.heads(functional.relu(self.hidden(scale * pooled)))


def drawn(module: nn.Module, generator: torch.Generator) -> None:
    """Weights as torch has them, from a generator of our own."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            spread = part.weight[0].numel() ** -0.5
            for values in part.parameters():
                nn.init.uniform_(values, -spread, spread, generator)


def histograms(images: np.ndarray) -> dict[str, np.ndarray]:
    """What the critic of images reads: square roots of frequencies, of uint8 (N, H, W[, C]).

    Examples
    --------
    >>> {name: view.shape[1] for name, view in histograms(np.zeros((2, 8, 8), np.uint8)).items()}
    {'values': 256, 'XOR across': 256, 'steps across': 256, 'steps down': 512, 'blocks': 192}
    """
    wide = images[..., None] if images.ndim == 3 else images
    across = wide[:, :, 1:], wide[:, :, :-1]
    down = wide[:, 1:], wide[:, :-1]
    return {
        "values": _frequencies(wide),
        "XOR across": _frequencies(across[0] ^ across[1]),
        "steps across": _frequencies(across[0] - across[1]),
        "steps down": np.concatenate(
            [_frequencies(down[0] ^ down[1]), _frequencies(down[0] - down[1])], 1
        ),
        "blocks": np.concatenate(
            [  # image by image: as floats they take four times the memory
                np.concatenate([_of_blocks(one, side) for side in (4, 8)], 1)
                for one in np.split(wide, len(wide))
            ]
        ),
    }


VIEWS = {"values": 256, "XOR across": 256, "steps across": 256, "steps down": 512, "blocks": 192}


def _frequencies(values: np.ndarray) -> np.ndarray:
    rows = values.reshape(len(values), -1)
    counts = np.stack([np.bincount(row, minlength=256) for row in rows])
    return np.sqrt(counts / max(rows.shape[1], 1)).astype(np.float32)


def _of_blocks(wide: np.ndarray, side: int) -> np.ndarray:
    """Frequencies of the means, in 64 classes, and of the spreads, in 32, of the blocks."""
    samples = wide[:, : wide.shape[1] // side * side, : wide.shape[2] // side * side]
    samples = samples.astype(np.float32) - np.float32(MIDDLE)
    mean, square = (_block_sums(v, side) / side**2 for v in (samples, samples**2))
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    classes = (
        (((mean + MIDDLE) / 4).astype(int), 64),
        (np.minimum(np.log2(1 + spread) * 4.5, 31).astype(int), 32),
    )
    found = [
        np.stack([np.bincount(row.ravel(), minlength=count) for row in values])
        for values, count in classes
    ]
    return np.concatenate(found, 1).astype(np.float32) ** 0.5 / max(mean[0].size, 1) ** 0.5


def _block_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over side x side samples, slice by slice, which is far faster than over short axes."""
    down = np.add.reduce([values[:, i::side] for i in range(side)])
    return np.add.reduce([down[:, :, i::side] for i in range(side)])


class ImageTowers(nn.Module):
    """Scores of pairs of whole images: for each view of the ciphertext, an inner product."""

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.plain = nn.Sequential(
            nn.Linear(sum(VIEWS.values()), HIDDEN), nn.ReLU(),
            nn.Linear(HIDDEN, FEATURES * len(VIEWS)),
        )  # fmt: skip
        self.cipher = nn.ModuleList(
            nn.Sequential(nn.Linear(size, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, FEATURES))
            for size in VIEWS.values()
        )
        drawn(self, generator)

    def forward(self, plain: dict[str, np.ndarray], cipher: dict[str, np.ndarray]) -> torch.Tensor:
        """Of histograms of n and m images, scores (n, m, views) in nats."""
        device = next(self.parameters()).device
        both = [
            [torch.from_numpy(_SHARPEN * side[name]).to(device) for name in VIEWS]
            for side in (plain, cipher)
        ]
        left = self.plain(torch.cat(both[0], 1)).reshape(-1, len(VIEWS), FEATURES)
        right = torch.stack([t(v) for t, v in zip(self.cipher, both[1], strict=True)], 1)
        return torch.einsum("ihf,jhf->ijh", left, right)


#: Square roots of frequencies of 256 values are about 1/16.
_SHARPEN = 16.0


class PairCritic(NamedTuple):
    """Both critics, ready to score.

    Attributes
    ----------
    network : PairNetwork
    towers : ImageTowers
    heads : tuple of str
        Names of the scores of patches; those of images are `VIEWS`.
    families : tuple of str
        Simulated ciphers that taught them.
    """

    network: PairNetwork
    towers: ImageTowers
    heads: tuple[str, ...]
    families: tuple[str, ...]

    @classmethod
    def untrained(cls, heads: Sequence[str], families: Sequence[str], seed: int) -> "PairCritic":
        """Weights drawn from a seed.

        Examples
        --------
        >>> PairCritic.untrained(["all"], [], 0).heads
        ('all',)
        """
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # torch draws its own weights first
            network, towers = PairNetwork(len(heads), generator), ImageTowers(generator)
        return cls(network, towers, tuple(heads), tuple(families))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all scores, those of patches first."""
        return (*self.heads, *(f"images: {name}" for name in VIEWS))

    def on(self, device: str) -> "PairCritic":
        """The same, on a device."""
        self.network.to(device)
        self.towers.to(device)
        return self

    def of_patches(self, plain: torch.Tensor, cipher: torch.Tensor) -> np.ndarray:
        """Scores of uint8 patches (n, P, P) with those of as many ciphertexts, (n, heads)."""
        at_once = max(1, AT_ONCE * USUAL_PATCH**2 // plain.shape[-1] ** 2)
        device = self.network.heads.weight.device
        with torch.inference_mode():
            parts = [
                self.network(a.to(device), b.to(device))
                for a, b in zip(plain.split(at_once), cipher.split(at_once), strict=True)
            ]
        return torch.cat(parts).cpu().numpy()

    def of_images(self, plain: np.ndarray, cipher: np.ndarray) -> np.ndarray:
        """Scores of images with ciphertexts, uint8 (n, H, W[, C]) each: (n, n, views)."""
        with torch.inference_mode():
            return self.towers(histograms(plain), histograms(cipher)).cpu().numpy()


#: Weights by name, as arrays.
Weights = dict[str, np.ndarray]


def weights_of(critic: PairCritic) -> Weights:
    """Everything that a critic has learned, by name.

    Examples
    --------
    >>> sorted(weights_of(PairCritic.untrained(["all"], [], 0)))[0]
    'network.heads.bias'
    """
    return {
        f"{part}.{name}": value.detach().cpu().numpy()
        for part, module in (("network", critic.network), ("towers", critic.towers))
        for name, value in module.state_dict().items()
    }


def with_weights(
    heads: Sequence[str], families: Sequence[str], value_of: Callable[[str], np.ndarray]
) -> PairCritic:
    """A critic of known weights."""
    critic = PairCritic.untrained(heads, families, 0)
    for part, module in (("network", critic.network), ("towers", critic.towers)):
        state = {
            name: torch.from_numpy(np.array(value_of(f"{part}.{name}"), np.float32))
            for name in module.state_dict()
        }
        module.load_state_dict(state)
        module.eval().requires_grad_(False)
    return critic
