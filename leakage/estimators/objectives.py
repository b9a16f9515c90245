"""What networks are trained on and judged by: bounds of batches of scores, and their slopes."""

import math
from typing import Literal

import torch

#: Weight of the newest batch in the moving average of the partition function.
EMA_RATE = 0.1

Objective = Literal["mine", "nwj", "infonce", "smile"]


def log_mean_exp_off_diagonal(scores: torch.Tensor) -> torch.Tensor:
    """ln of the mean of e^T over the pairs i != j: (..., n, n) to (...)."""
    n = scores.shape[-1]
    off = scores.clone()
    off.diagonal(dim1=-2, dim2=-1).fill_(-torch.inf)
    return torch.logsumexp(off.flatten(-2), -1) - math.log(n * (n - 1))


def _on_pairs(scores: torch.Tensor) -> torch.Tensor:
    return scores.diagonal(dim1=-2, dim2=-1).mean(-1)


def donsker_varadhan(scores: torch.Tensor) -> torch.Tensor:
    """Mean of T over the pairs minus ln mean e^T over all others, in nats: (..., n, n) to (...).

    Belghazi et al. (2018), equation 5, with every i != j as a sample of the product of marginals.

    Examples
    --------
    >>> donsker_varadhan(torch.zeros(3, 3)).item()
    0.0
    """
    return _on_pairs(scores) - log_mean_exp_off_diagonal(scores)


def info_nce(scores: torch.Tensor) -> torch.Tensor:
    n = scores.shape[-1]
    return _on_pairs(scores) - (torch.logsumexp(scores, -1) - math.log(n)).mean(-1)


def loss_slope(
    scores: torch.Tensor, objective: Objective, average: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Derivative of each critic's loss on a batch by its scores.

    Parameters
    ----------
    scores : Tensor, shape (C, n, n)
        Of all pairs of a batch.
    objective : {"mine", "nwj", "infonce", "smile"}
        For ``"mine"`` the gradient of the second term of the Donsker-Varadhan bound is divided by a
        moving average of the partition function (Belghazi et al., 2018, section 3.2, equation
        12); SMILE's critic is trained on the Jensen-Shannon bound (Song & Ermon, 2020).
    average : Tensor, shape (C,), or None
        Moving average of ln the partition function, None at first.

    Returns
    -------
    Tensor, shape (C, n, n), and the new average
    """
    n = scores.shape[-1]
    pairs = n * (n - 1)
    if objective == "infonce":
        slope = scores.softmax(-1).div_(n)
        slope.diagonal(dim1=-2, dim2=-1).sub_(1 / n)
        return slope, None
    if objective == "smile":
        on = torch.sigmoid(-scores.diagonal(dim1=-2, dim2=-1)).div_(-n)
        slope = torch.sigmoid(scores).div_(pairs)
        slope.diagonal(dim1=-2, dim2=-1).copy_(on)
        return slope, None
    off = scores.clone()
    off.diagonal(dim1=-2, dim2=-1).fill_(-torch.inf)
    top = off.amax((-2, -1))
    weights = off.sub_(top[:, None, None]).exp_()
    if objective == "nwj":
        level = torch.ones_like(top)
    else:
        now = top + weights.sum((-2, -1)).log() - math.log(pairs)
        level = average = (
            now
            if average is None
            else torch.logaddexp(average + math.log(1 - EMA_RATE), now + math.log(EMA_RATE))
        )
    slope = weights.mul_(((top - level).exp() / pairs)[:, None, None])
    slope.diagonal(dim1=-2, dim2=-1).fill_(-1 / n)
    return slope, average
