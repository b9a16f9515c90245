"""Training of critics for the Donsker-Varadhan bound: all folds and all repetitions at once.

A critic scores a pair by the scaled cosine between two small networks' outputs,
``T(x, y) = s cos(f(x), g(y))``. It is bounded by s, so that a test image unlike all training
images cannot throw the bound to minus infinity, as an unbounded critic does. Every critic is a
slice of tensors with a leading dimension, so one matrix product serves them all.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

# Chosen on the bundled photographs at one encrypted plane, last layer, over three keys: a small
# initial scale and a strong weight decay mattered most, the sizes little.
HIDDEN, FEATURES = 64, 32
BATCH, STEPS, CHECK_EVERY, PATIENCE = 128, 300, 10, 8
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 1.0
INPUT_NOISE = 0.25  # added to whitened coordinates, against learning training images by heart
INITIAL_SCALE = 1.5
#: Weight of the newest batch in the moving average of the partition function.
EMA_RATE = 0.1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside, as many as before outside.

    These products are small: a second thread brings little when the machine is idle, and when two
    processes share its cores their threads wait for each other, which costs up to fifty times the
    time. The values also no longer depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class Critics:
    """`count` critics side by side; every tensor has the critic as its first dimension."""

    parameters: dict[str, torch.Tensor]

    @classmethod
    def initial(cls, count: int, dx: int, dy: int, generator: torch.Generator) -> "Critics":
        def he(rows, columns):
            values = torch.randn(count, rows, columns, generator=generator)
            return values * math.sqrt(2 / rows)

        shapes = {
            "x1": he(dx, HIDDEN), "x2": he(HIDDEN, FEATURES),
            "y1": he(dy, HIDDEN), "y2": he(HIDDEN, FEATURES),
            "bx": torch.zeros(count, 1, HIDDEN), "by": torch.zeros(count, 1, HIDDEN),
            "log_scale": torch.full((count, 1, 1), math.log(INITIAL_SCALE)),
        }  # fmt: skip
        return cls({name: value.requires_grad_() for name, value in shapes.items()})

    def scores(self, x: torch.Tensor, y: torch.Tensor, which=slice(None)) -> torch.Tensor:
        """T(x_i, y_j) of every pair: (C, n, dx), (C, m, dy) to (C, n, m)."""
        p = {name: value[which] for name, value in self.parameters.items()}
        f = F.normalize(torch.relu(x @ p["x1"] + p["bx"]) @ p["x2"], dim=-1)
        g = F.normalize(torch.relu(y @ p["y1"] + p["by"]) @ p["y2"], dim=-1)
        return p["log_scale"].exp() * (f @ g.mT)


def log_mean_exp_off_diagonal(scores: torch.Tensor) -> torch.Tensor:
    """ln of the mean of e^T over the pairs i != j: (..., n, n) to (...)."""
    n = scores.shape[-1]
    off = scores.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    return torch.logsumexp(off.flatten(-2), -1) - math.log(n * (n - 1))


def donsker_varadhan(scores: torch.Tensor) -> torch.Tensor:
    """Mean of T over the pairs minus ln mean e^T over all others, in nats: (..., n, n) to (...).

    Belghazi et al. (2018), equation 5, with every i != j as a sample of the product of marginals.

    Examples
    --------
    >>> donsker_varadhan(torch.zeros(3, 3)).item()
    0.0
    """
    return scores.diagonal(dim1=-2, dim2=-1).mean(-1) - log_mean_exp_off_diagonal(scores)


def train(
    x: np.ndarray,
    y: np.ndarray,
    fit: list[np.ndarray],
    validate: list[np.ndarray],
    seed: int,
) -> Critics:
    """Train one critic for each (fit, validate) pair of index arrays; keep its best checkpoint.

    Gradient ascent on the Donsker-Varadhan bound, the gradient of its second term divided by a
    moving average of the partition function (Belghazi et al., 2018, section 3.2, equation 12).

    Parameters
    ----------
    x, y : ndarray of float32, shape (C, N, dx) and (C, N, dy)
        The samples as each of the C critics sees them.
    fit, validate : list of ndarray of int
        Sample indices that each critic trains on, and is chosen on.
    seed : int
        Of the initial weights, the batches and the noise.
    """
    count = len(fit)
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    critics = Critics.initial(count, x.shape[-1], y.shape[-1], generator)
    weights = [value for name, value in critics.parameters.items() if name != "log_scale"]
    optimizer = torch.optim.AdamW(
        # the scale must be free to grow where pairs are easily told apart
        [
            {"params": weights, "weight_decay": WEIGHT_DECAY},
            {"params": [critics.parameters["log_scale"]], "weight_decay": 0.0},
        ],
        lr=LEARNING_RATE,
    )
    sizes = [len(indices) for indices in fit]
    batch = min(BATCH, *sizes)
    rows = torch.arange(count)[:, None]

    best = torch.full((count,), -torch.inf)
    kept = {name: value.detach().clone() for name, value in critics.parameters.items()}
    stale = torch.zeros(count, dtype=torch.long)
    average = None
    for step in range(1, STEPS + 1):
        drawn = torch.stack([
            torch.from_numpy(indices)[torch.randperm(size, generator=generator)[:batch]]
            for indices, size in zip(fit, sizes, strict=True)
        ])
        bx, by = x[rows, drawn], y[rows, drawn]
        bx = bx + INPUT_NOISE * torch.randn(bx.shape, generator=generator)
        by = by + INPUT_NOISE * torch.randn(by.shape, generator=generator)
        scores = critics.scores(bx, by)
        log_partition = log_mean_exp_off_diagonal(scores)
        now = log_partition.detach()
        average = now if average is None else torch.logaddexp(
            average + math.log(1 - EMA_RATE), now + math.log(EMA_RATE)
        )
        on_pairs = scores.diagonal(dim1=-2, dim2=-1).mean(-1)
        loss = (torch.exp(log_partition - average) - on_pairs).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % CHECK_EVERY:
            continue
        with torch.no_grad():
            value = torch.stack([
                donsker_varadhan(critics.scores(x[c, v], y[c, v], c))
                for c, v in enumerate(map(torch.from_numpy, validate))
            ])
        better = value > best + 1e-3
        best = torch.where(better, value, best)
        stale = torch.where(better, 0, stale + 1)
        for name, parameter in critics.parameters.items():
            kept[name][better] = parameter.detach()[better]
        if (stale >= PATIENCE).all():
            break
    return Critics(kept)
