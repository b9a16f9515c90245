"""A critic of raw patches: small convolutional towers, trained end to end with InfoNCE.

What a network sees depends on how samples are written. Encrypted upper planes are noise of the
largest amplitude to whoever reads numbers, and nothing to whoever reads bits; a ciphertext whose
samples kept their order is the other way round. So what the towers read is a named choice. Beside
each sample they read how it differs from its neighbours to the left and above: a key byte for a
whole image, or for a row of it, is gone from such differences.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from leakage.estimators.bounds import best_temperature
from leakage.estimators.descent import AdamW
from leakage.evidence.splits import split_by_group

#: What the towers read: samples as numbers, as their eight bits, or as both.
Inputs = Literal["gray", "bits", "both"]

#: Channels of the two convolutions, and the numbers that a patch becomes in each tower. Chosen,
#: like the rates below, on 60 bundled patches of 64 x 64 under seven encrypted planes and under one
#: key byte a row or an image: seconds, and bits on images that did not train.
WIDTHS, FEATURES = (24, 40), 32
BATCH, LEARNING_RATE, WEIGHT_DECAY = 128, 5e-3, 1e-2
#: Of the cosines at first; it is learned.
INITIAL_LOG_SCALE = 2.0
#: Steps between looks at validation, and looks without improvement before training ends.
CHECK_EVERY, PATIENCE = 20, 5
#: Validation patches that a checkpoint is judged on: all pairs of them.
JUDGED_ON = 500
#: Nothing is left to learn when validation is this close to its ceiling, in bits.
NEAR_CEILING = 0.05
#: What counts as an improvement, in bits.
GAIN = 0.01
#: One group in so many of those that teach only validates.
VALIDATION_SHARE = 4
#: Every other batch of crops lies on this lattice, at the places of 8 x 8 blocks of JPEG and of
#: block ciphers; the others lie anywhere, for few images are soon learned by heart.
LATTICE = 8
#: Gray values and their differences are brought to about [-2, 2].
MIDDLE, SPREAD, SPREAD_OF_DIFFERENCES = 128.0, 64.0, 32.0
#: Patches that a tower reads at once where nothing is learned.
AT_ONCE = 2048


class Pairs(NamedTuple):
    """Images and ciphertexts on the device that learns: uint8, (N, C, H, W) each."""

    plain: torch.Tensor
    cipher: torch.Tensor

    @classmethod
    def of(cls, plain: np.ndarray, cipher: np.ndarray, device: str) -> "Pairs":
        """From (N, H, W) or (N, H, W, 3)."""
        first, second = (
            side[:, None] if side.ndim == 3 else np.moveaxis(side, -1, 1)
            for side in (plain, cipher)
        )
        return cls(*(torch.tensor(side, device=device) for side in (first, second)))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.plain.shape[2], self.plain.shape[3]


def crops(images: torch.Tensor, patch: int, where: torch.Tensor) -> torch.Tensor:
    """Patches (n, C, P, P) of images (N, C, H, W) at rows (image, top, left) of `where`."""
    windows = images.unfold(2, patch, 1).unfold(3, patch, 1).permute(0, 2, 3, 1, 4, 5)
    return windows[tuple(where.to(images.device).T)]


def _bits(patches: torch.Tensor) -> torch.Tensor:
    """-1 and 1 for each of the eight bits: (n, C, P, P) to (n, 8 C, P, P)."""
    shifts = torch.arange(8, dtype=torch.uint8, device=patches.device)[:, None, None]
    return ((patches[:, :, None] >> shifts) & 1).flatten(1, 2).float() * 2 - 1


def views(patches: torch.Tensor, inputs: Inputs) -> list[torch.Tensor]:
    """What each tower reads of uint8 patches (n, C, P, P).

    Of bits: the eight planes, and the planes of the XOR with the neighbours to the left and above,
    to a second tower, for noise in the ones should not drown the others. Of gray values: these and
    their differences.
    """
    left = torch.cat([patches[..., :1], patches[..., :-1]], -1)  # at the edge nothing differs
    above = torch.cat([patches[..., :1, :], patches[..., :-1, :]], -2)
    found = []
    if inputs in ("bits", "both"):
        found.append(_bits(patches))
        found.append(torch.cat([_bits(patches ^ left), _bits(patches ^ above)], 1))
    if inputs in ("gray", "both"):
        gray = patches.float()
        steps = [(gray - side.float()) / SPREAD_OF_DIFFERENCES for side in (left, above)]
        found.append(torch.cat([(gray - MIDDLE) / SPREAD, *steps], 1))
    return found


class Towers(nn.Module):
    """One side of the critic: a tower for each view, and how much each counts."""

    def __init__(self, channels: list[int], patch: int, generator: torch.Generator):
        super().__init__()
        side = -(-patch // 4)  # two convolutions halve it
        narrow, wide = WIDTHS
        self.towers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(count, narrow, 3, 2, 1), nn.GELU(),
                nn.Conv2d(narrow, wide, 3, 2, 1), nn.GELU(),
                nn.Flatten(), nn.Linear(wide * side * side, FEATURES),
            ).to(memory_format=torch.channels_last)
            for count in channels
        )  # fmt: skip
        for module in self.towers.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # as torch has it, from our generator
                spread = 1 / math.sqrt(module.weight[0].numel())
                for values in module.parameters():
                    nn.init.uniform_(values, -spread, spread, generator)
        self.log_weights = nn.Parameter(torch.zeros(len(channels)))

    def forward(self, found: list[torch.Tensor]) -> torch.Tensor:
        """Views of n patches to their features, (n, r)."""
        return torch.cat([
            functional.normalize(tower(view.contiguous(memory_format=torch.channels_last)), dim=1)
            * weight.exp()
            for tower, view, weight in zip(self.towers, found, self.log_weights, strict=True)
        ], 1)  # fmt: skip


class PatchCritic(NamedTuple):
    """A trained critic; its scores are inner products of the features of two patches.

    Attributes
    ----------
    left, right : Towers
        Of plain patches and of encrypted ones.
    factor : float
        On the inner products: what served the critic best on validation, 0 if nothing did.
    scale : float
        The same as it was learned, where a critic is asked in spite of that.
    bits : float
        InfoNCE on validation.
    steps : int
        Of training.
    """

    left: Towers
    right: Towers
    inputs: Inputs
    patch: int
    factor: float
    scale: float
    bits: float
    steps: int

    def features(self, pairs: Pairs, where: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Of the patches at (image, top, left), on both sides: float32 (n, r) each."""
        sides = []
        with torch.inference_mode():
            for towers, images in ((self.left, pairs.plain), (self.right, pairs.cipher)):
                parts = [
                    towers(views(crops(images, self.patch, part), self.inputs))
                    for part in where.split(AT_ONCE)
                ]
                sides.append(torch.cat(parts).cpu().numpy())
        return sides[0], sides[1]


def lattice(images: np.ndarray, height: int, width: int, patch: int, stride: int) -> torch.Tensor:
    """Places (image, top, left) of the patches of these images, image by image, row by row.

    Examples
    --------
    >>> lattice(np.array([7]), 8, 16, 8, 8).tolist()
    [[7, 0, 0], [7, 0, 8]]
    """
    tops, lefts = (np.arange(0, side - patch + 1, stride) for side in (height, width))
    grid = np.meshgrid(images, tops, lefts, indexing="ij")
    return torch.from_numpy(np.stack([axis.ravel() for axis in grid], 1))


def parted(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which rows only validate: whole groups, at least one and never all."""
    parts = min(VALIDATION_SHARE, len(np.unique(groups)))
    return split_by_group(groups, parts, rng) == 0


@torch.enable_grad()
def train_towers(
    pairs: Pairs,
    fit: np.ndarray,
    validate: np.ndarray,
    *,
    inputs: Inputs,
    patch: int,
    steps: int,
    seed: int,
) -> PatchCritic:
    """Train a critic on crops of some images, and keep what serves best on others.

    Parameters
    ----------
    pairs : Pairs
        All images.
    fit, validate : ndarray of int
        Numbers of the images whose crops teach, and of those whose patches choose the checkpoint.
    inputs : {"gray", "bits", "both"}
        What the towers read.
    patch : int
        Side in pixels.
    steps : int
        At most; training ends early where validation is at its ceiling or no longer improves.
    seed : int
        Of the initial weights and of the crops.
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = pairs.size
    device = pairs.plain.device
    channels = [v.shape[1] for v in views(pairs.plain[:1, :, :patch, :patch], inputs)]
    with torch.random.fork_rng(devices=[]):  # torch draws its own weights first
        left, right = (Towers(channels, patch, generator).to(device) for _ in "xy")
    log_scale = nn.Parameter(torch.tensor(INITIAL_LOG_SCALE, device=device))
    learned = [*left.parameters(), *right.parameters(), log_scale]
    optimizer = AdamW.of(learned, WEIGHT_DECAY)
    sources = [lattice(fit, height, width, patch, stride) for stride in (1, min(LATTICE, patch))]
    judged = lattice(validate, height, width, patch, patch)
    judged = judged[torch.randperm(len(judged), generator=generator)[:JUDGED_ON]]
    own = torch.arange(BATCH, device=device)
    best = PatchCritic(left, right, inputs, patch, 0.0, log_scale.exp().item(), -math.inf, 0)
    kept, stale = [], 0
    for step in range(1, steps + 1):
        source = sources[step % 2]
        some = source[torch.randint(len(source), (BATCH,), generator=generator)]
        a, b = (
            towers(views(crops(images, patch, some), inputs))
            for towers, images in ((left, pairs.plain), (right, pairs.cipher))
        )
        loss = functional.cross_entropy(a @ b.T * log_scale.exp(), own)
        optimizer.step(torch.autograd.grad(loss, learned), LEARNING_RATE)
        if step % CHECK_EVERY and step < steps:
            continue
        scale = log_scale.exp().item()
        now = best._replace(scale=scale)
        factor, bits = best_temperature([_scores(now, pairs, judged)], "infonce")
        stale = 0 if bits > best.bits + GAIN else stale + 1
        if bits > best.bits:
            best = now._replace(factor=factor * scale, bits=bits, steps=step)
            kept = [value.detach().clone() for value in learned]
        if stale >= PATIENCE or best.bits > math.log2(len(judged)) - NEAR_CEILING:
            break
    with torch.no_grad():
        for value, keep in zip(learned, kept, strict=True):
            value.copy_(keep)
    return best


def _scores(critic: PatchCritic, pairs: Pairs, where: torch.Tensor) -> np.ndarray:
    """Of all pairs of the patches at these places, as they were learned, in nats."""
    left, right = critic.features(pairs, where)
    return (critic.scale * left @ right.T).astype(float)
