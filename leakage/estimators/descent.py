"""Gradient descent of small networks, without what torch's classes of optimizers bring along."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.optim.adamw import adamw


class AdamW(NamedTuple):
    """Loshchilov & Hutter (2019), torch's own function.

    Its class does the same, but imports torch's compiler at first use: a second and 150 MB of
    whoever asks for one small estimate.
    """

    values: Sequence[torch.Tensor]
    decay: float
    fused: bool | None
    means: list[torch.Tensor]
    squares: list[torch.Tensor]
    steps: list[torch.Tensor]

    @classmethod
    def of(cls, values: Sequence[torch.Tensor], decay: float, fused: bool | None = None) -> "AdamW":
        """Before the first step.

        Examples
        --------
        >>> value = torch.ones(1, requires_grad=True)
        >>> AdamW.of([value], decay=0.0).step([torch.ones(1)], rate=0.1)
        >>> value.detach().round(decimals=3)
        tensor([0.9000])
        """
        means, squares = ([torch.zeros_like(v) for v in values] for _ in range(2))
        steps = [torch.zeros((), device=v.device if fused else None) for v in values]
        return cls(values, decay, fused, means, squares, steps)

    @torch.no_grad()
    def step(self, gradients: Sequence[torch.Tensor], rate: float) -> None:
        """One step, in place, by the gradient of each value."""
        adamw(
            list(self.values), list(gradients), self.means, self.squares, [], self.steps,
            fused=self.fused, amsgrad=False, beta1=0.9, beta2=0.999, lr=rate,
            weight_decay=self.decay, eps=1e-8, maximize=False,
        )  # fmt: skip
