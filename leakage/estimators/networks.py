"""Critics that are networks, many side by side, trained on all pairs of each batch.

A critic is the sum of two parts, on top of another critic or of nothing:

- the scaled cosine of two small networks' outputs. It is bounded by its scale, so that a test image
  unlike all training images cannot throw a bound to minus infinity, as an unbounded critic does;
- where there are many source images, a quadratic part: the inner product of linear maps p of x and
  q of y, less weighted sums of their squares, ``p @ q - a @ p**2 / 2 - b @ q**2 / 2``. The
  log-likelihood ratio of any Gaussian pair has this form, which a cosine cannot take: it sees no
  lengths, and has no term for one side alone.
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from leakage.estimators.critics import Critic
from leakage.estimators.descent import AdamW
from leakage.estimators.objectives import Objective, donsker_varadhan, info_nce, loss_slope


class Training(NamedTuple):
    """How a network is trained, and kept from learning its training samples by heart."""

    steps: int
    batch: int
    weight_decay: float
    input_noise: float  # standard deviation, added to whitened coordinates
    scale_rate: float  # learning rate of the scale of the cosine
    check_every: int  # steps
    patience: int  # checks without an improvement before training ends
    learning_rate: float  # of the weights
    annealed: bool  # whether learning rates fall to 0 along a cosine
    scale: float  # of the cosine, at first, where there is no other critic below
    rank: int  # of the quadratic part, 0 for none


#: Chosen on the bundled photographs at one encrypted plane, last layer, over three keys: a small
#: initial scale and a strong weight decay mattered most, the sizes little.
FEW_GROUPS = Training(
    steps=150, batch=128, weight_decay=1.0, input_noise=0.25, scale_rate=4e-3,
    check_every=10, patience=8, learning_rate=4e-3, annealed=False, scale=1.5, rank=0,
)  # fmt: skip
#: Chosen on the XOR of signs, additive uniform noise and Gaussian vectors.
MANY_GROUPS = Training(
    steps=120, batch=128, weight_decay=1e-2, input_noise=0.0, scale_rate=6e-2,
    check_every=20, patience=4, learning_rate=2e-2, annealed=True, scale=0.5, rank=32,
)  # fmt: skip
HIDDEN, FEATURES = 64, 32
#: On top of another critic a network starts near 0, alone it needs something to work with.
INITIAL_SCALE_ON_BASE = 0.2
#: Standard deviation of each p at first, of whitened coordinates; every q starts at 0.
INITIAL_LINE = 0.3
#: Validation samples that a checkpoint is judged on: all pairs of them.
JUDGED_ON = 400
#: Every network, where one or several may be meant.
_ALL = slice(None)

#: Norms of features are taken as at least this.
SMALLEST_NORM = 1e-12


class _Features(NamedTuple):
    """What one side of the critics makes of samples, and what its gradient needs."""

    inputs: torch.Tensor
    hidden: torch.Tensor
    norms: torch.Tensor
    unit: torch.Tensor
    line: torch.Tensor
    lift: torch.Tensor  # of each sample's own, added to all its scores


class Networks:
    """Critics side by side, one for each initial scale; they are every tensor's first dimension.

    The gradient is written out: for networks so small, recording the operations and going through
    the record takes twice as long as the operations.

    Parameters
    ----------
    dx, dy : int
        Dimensions of the samples.
    scales : list of float
        Initial scale of each critic.
    rank : int
        Dimensions of p and q in the quadratic part.
    generator : torch.Generator
        Of the initial weights.
    """

    def __init__(
        self, dx: int, dy: int, scales: list[float], rank: int, generator: torch.Generator
    ):
        count = len(scales)
        shapes = {
            "x1": (dx, HIDDEN), "x2": (HIDDEN, FEATURES),
            "y1": (dy, HIDDEN), "y2": (HIDDEN, FEATURES), "bx": (1, HIDDEN), "by": (1, HIDDEN),
            "px": (dx, rank), "py": (dy, rank),
        }  # fmt: skip
        sizes = [rows * columns for rows, columns in shapes.values()]
        self.weights = torch.zeros(count, sum(sizes))
        # the scale must be free to grow where pairs are easily told apart
        self.free = torch.zeros(count, 2 + 2 * rank)
        self.weights_slope, self.free_slope = map(torch.zeros_like, (self.weights, self.free))

        def named(flat: torch.Tensor) -> dict[str, torch.Tensor]:
            parts = flat.split(sizes, 1)
            return {
                name: part.view(count, *shape)
                for part, (name, shape) in zip(parts, shapes.items(), strict=True)
            }

        self.value, self.slope = named(self.weights), named(self.weights_slope)
        for name in ("x1", "x2", "y1", "y2"):  # He's initialisation
            rows, columns = shapes[name]
            drawn = torch.randn(count, rows, columns, generator=generator)
            self.value[name].copy_(drawn * math.sqrt(2 / rows))
        drawn = torch.randn(count, dx, rank, generator=generator)
        self.value["px"].copy_(drawn * (INITIAL_LINE / math.sqrt(dx)))
        self.log_scale, self.offset = self.free[:, :1, None], self.free[:, 1:2, None]
        self.bend, self.bend_slope = (
            dict(zip("xy", flat[:, 2:, None].split([rank, rank], 1), strict=True))
            for flat in (self.free, self.free_slope)
        )
        self.log_scale.copy_(torch.tensor(scales).log()[:, None, None])

    def _side(self, side: str, samples: torch.Tensor, which: int | slice) -> _Features:
        first, second, bias = (self.value[name][which] for name in (f"{side}1", f"{side}2",
                                                                    f"b{side}"))  # fmt: skip
        hidden = (samples @ first).add_(bias).relu_()
        out = hidden @ second
        norms = torch.linalg.vector_norm(out, dim=-1, keepdim=True).clamp_min_(SMALLEST_NORM)
        line = samples @ self.value[f"p{side}"][which]
        lift = (line.square() @ self.bend[side][which]).mul_(-0.5)
        return _Features(samples, hidden, norms, out.div_(norms), line, lift)

    def features(
        self, x: torch.Tensor, y: torch.Tensor, which: int | slice = _ALL
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Left and right features: (C, n, dx) and (C, m, dy) to (C, n, r) and (C, m, r)."""
        f, g = self._side("x", x, which), self._side("y", y, which)
        one, other = torch.ones_like(f.lift), torch.ones_like(g.lift)
        scaled = self.log_scale[which].exp() * f.unit
        left = torch.cat([scaled, f.line, f.lift + self.offset[which], one], -1)
        return left, torch.cat([g.unit, g.line, other, g.lift], -1)

    def descend(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        base: torch.Tensor,
        objective: Objective,
        average: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """Put the gradient of each critic's loss on a batch into the slopes.

        Parameters
        ----------
        x, y : Tensor, shape (C, n, dx) and (C, n, dy)
            A batch for each critic.
        base : Tensor, shape (C, n, n)
            Scores of what the networks are added to.
        objective, average
            As of `loss_slope`.

        Returns
        -------
        Tensor, shape (C,), or None
            The new moving average.
        """
        left, right = self._side("x", x, _ALL), self._side("y", y, _ALL)
        scale = self.log_scale.exp()
        ours = torch.cat([scale * left.unit, left.line], -1)
        theirs = torch.cat([right.unit, right.line], -1)
        scores = torch.baddbmm(base, ours, theirs.mT)
        scores.add_(left.lift + self.offset).add_(right.lift.mT)
        slope, average = loss_slope(scores, objective, average)
        on_left, on_right = slope @ theirs, slope.mT @ ours
        rows, columns = slope.sum(2, keepdim=True), slope.sum(1).unsqueeze(2)
        on_scaled = on_left[..., :FEATURES]
        self.free_slope[:, 0] = (on_scaled * ours[..., :FEATURES]).sum((1, 2))
        self.free_slope[:, 1] = rows.sum((1, 2))
        self._back("x", left, on_scaled * scale)
        self._back("y", right, on_right[..., :FEATURES])
        self._back_quadratic("x", left, on_left[..., FEATURES:], rows)
        self._back_quadratic("y", right, on_right[..., FEATURES:], columns)
        return average

    def _back(self, side: str, found: _Features, on_unit: torch.Tensor) -> None:
        along = (found.unit * on_unit).sum(-1, keepdim=True)
        on_out = on_unit.sub(found.unit * along).div_(found.norms)
        torch.matmul(found.hidden.mT, on_out, out=self.slope[f"{side}2"])
        on_hidden = (on_out @ self.value[f"{side}2"].mT).mul_(found.hidden.sign())
        torch.matmul(found.inputs.mT, on_hidden, out=self.slope[f"{side}1"])
        torch.sum(on_hidden, 1, keepdim=True, out=self.slope[f"b{side}"])

    def _back_quadratic(
        self, side: str, found: _Features, on_line: torch.Tensor, on_lift: torch.Tensor
    ) -> None:
        lifted = found.line * on_lift
        self.bend_slope[side][..., 0] = (lifted * found.line).sum(1).mul_(-0.5)
        on_line = on_line - lifted * self.bend[side].mT
        torch.matmul(found.inputs.mT, on_line, out=self.slope[f"p{side}"])


def train_networks(
    x: np.ndarray,
    y: np.ndarray,
    fit: list[np.ndarray],
    validate: list[np.ndarray],
    seed: int,
    *,
    base: list[Critic | None],
    families: int = 1,
    objective: Objective = "mine",
    training: Training = MANY_GROUPS,
) -> list[Critic]:
    """Train a network for each (fit, validate) pair of index arrays; keep its best checkpoint.

    Gradient descent on the objective (`loss_slope`), with all pairs of a batch.

    Parameters
    ----------
    x, y : ndarray of float32, shape (N, dx) and (N, dy)
        The samples.
    fit, validate : list of ndarray of int
        Sample indices that each critic trains on, and is chosen on.
    seed : int
        Of the initial weights, the batches and the noise.
    base : list of Critic or None
        What the output of each network is added to, or None.
    families : int
        The networks are so many families of equal size, one after the other: training ends when
        the family that leads on validation no longer improves.
    objective : {"mine", "nwj", "infonce", "smile"}
        Belghazi et al. (2018); Nguyen, Wainwright & Jordan (2010); van den Oord et al. (2018);
        Song & Ermon (2020).
    training : Training
        Steps, batch size, weight decay, noise and so on.

    Returns
    -------
    list of Critic
        Base and network together.
    """
    generator = torch.Generator().manual_seed(seed)
    samples = torch.from_numpy(x), torch.from_numpy(y)
    scales = [training.scale if b is None else INITIAL_SCALE_ON_BASE for b in base]
    networks = Networks(x.shape[-1], y.shape[-1], scales, training.rank, generator)
    bases = _as_tensors(base, len(x))
    weights = AdamW.of([networks.weights], training.weight_decay, fused=True)
    free = AdamW.of([networks.free], 0.0, fused=True)
    drawn_from = [torch.from_numpy(indices) for indices in fit]
    batch = min(training.batch, *(len(indices) for indices in fit))
    base_scores = torch.zeros(len(fit), batch, batch)
    judge = info_nce if objective == "infonce" else donsker_varadhan
    judged_on = [torch.from_numpy(v[:JUDGED_ON]) for v in validate]

    def judged() -> torch.Tensor:
        values = []
        for c, v in enumerate(judged_on):
            f, g = networks.features(samples[0][v], samples[1][v], c)
            values.append(judge(f @ g.mT + bases[c][0][v] @ bases[c][1][v].T))
        return torch.stack(values)

    best = judged()
    kept = networks.weights.clone(), networks.free.clone()
    stale = torch.zeros(len(fit), dtype=torch.long)
    average = None
    for step in range(1, training.steps + 1):
        rows = [r[torch.randperm(len(r), generator=generator)[:batch]] for r in drawn_from]
        bx, by = _noisy(samples, torch.stack(rows), training.input_noise, generator)
        for c, (left, right) in enumerate(bases):
            if base[c] is not None:
                torch.matmul(left[rows[c]], right[rows[c]].T, out=base_scores[c])
        average = networks.descend(bx, by, base_scores, objective, average)
        share = _annealed(training, step - 1)
        weights.step([networks.weights_slope], training.learning_rate * share)
        free.step([networks.free_slope], training.scale_rate * share)
        if step % training.check_every:
            continue
        value = judged()
        better = value > best + 1e-3
        best = torch.where(better, value, best)
        stale = torch.where(better, 0, stale + 1)
        for keep, now in zip(kept, (networks.weights, networks.free), strict=True):
            keep[better] = now[better]
        leader = best.view(families, -1).mean(1).argmax()
        if (stale.view(families, -1)[leader] >= training.patience).all():
            break
    networks.weights.copy_(kept[0])
    networks.free.copy_(kept[1])
    return _critics(networks, samples, bases)


def _as_tensors(base: list[Critic | None], samples: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Features of what each network is added to, without columns where that is nothing."""
    nothing = Critic(np.zeros((samples, 0)), np.zeros((samples, 0)))
    return [
        (torch.from_numpy(np.asarray(b.left, np.float32)),
         torch.from_numpy(np.asarray(b.right, np.float32)))
        for b in (b or nothing for b in base)
    ]  # fmt: skip


def _annealed(training: Training, done: int) -> float:
    """What learning rates are multiplied by after so many steps."""
    if not training.annealed:
        return 1.0
    return (1 + math.cos(math.pi * done / training.steps)) / 2


def _noisy(
    samples: tuple[torch.Tensor, torch.Tensor],
    rows: torch.Tensor,
    noise: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Batches of x and y, with noise on both where the training asks for it."""
    x, y = samples[0][rows], samples[1][rows]
    if noise:
        x = x + noise * torch.randn(x.shape, generator=generator)
        y = y + noise * torch.randn(y.shape, generator=generator)
    return x, y


def _critics(
    networks: Networks,
    samples: tuple[torch.Tensor, torch.Tensor],
    bases: list[tuple[torch.Tensor, torch.Tensor]],
) -> list[Critic]:
    """Base and network together, on all samples."""
    count = len(bases)
    x, y = (side.expand(count, -1, -1) for side in samples)
    f, g = networks.features(x, y)
    return [
        Critic(
            torch.cat([f[c], bases[c][0]], -1).numpy(), torch.cat([g[c], bases[c][1]], -1).numpy()
        )
        for c in range(count)
    ]
