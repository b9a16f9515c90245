"""The written-out gradient against automatic differentiation of the losses as published."""

import math

import pytest
import torch
import torch.nn.functional as F

from leakage.estimators.networks import Networks
from leakage.estimators.objectives import EMA_RATE, donsker_varadhan, loss_slope

COUNT, BATCH, DX, DY, RANK = 3, 20, 4, 6, 5


def loss(scores, objective, average):
    """Each critic's loss (C,) and the new average, one pair at a time as in the papers."""
    n = scores.shape[-1]
    on = scores.diagonal(dim1=-2, dim2=-1)
    others = scores[:, ~torch.eye(n, dtype=torch.bool)]
    if objective == "infonce":  # van den Oord et al. (2018), equation 4
        return -(on - scores.exp().sum(-1).log() + math.log(n)).mean(-1), None
    if objective == "smile":  # the Jensen-Shannon bound
        return F.softplus(-on).mean(-1) + F.softplus(others).mean(-1), None
    if objective == "nwj":
        return (others - 1).exp().mean(-1) - on.mean(-1), None
    partition = others.exp().mean(-1)
    average = (
        partition.detach()
        if average is None
        else ((1 - EMA_RATE) * average + EMA_RATE * partition.detach())
    )
    return partition / average - on.mean(-1), average


def scores_of(weights, free, shapes, x, y, base):
    parts, at = {}, 0
    for name, (rows, columns) in shapes.items():
        parts[name] = weights[:, at : at + rows * columns].reshape(len(weights), rows, columns)
        at += rows * columns
    f, g = (
        F.normalize(torch.relu(v @ parts[f"{s}1"] + parts[f"b{s}"]) @ parts[f"{s}2"], dim=-1)
        for s, v in (("x", x), ("y", y))
    )
    cosine = free[:, :1, None].exp() * f @ g.mT + free[:, 1:2, None]
    p, q = x @ parts["px"], y @ parts["py"]
    a, b = free[:, None, 2:].chunk(2, -1)
    own, other = (a * p**2).sum(-1) / 2, (b * q**2).sum(-1) / 2
    return cosine + p @ q.mT - own[:, :, None] - other[:, None, :] + base


@pytest.fixture(params=[0, RANK], ids=["cosine", "and quadratic"])
def batch(request):
    generator = torch.Generator().manual_seed(0)
    networks = Networks(DX, DY, [0.2, 1.5, 4.0], request.param, generator)
    networks.weights.add_(0.1 * torch.randn(networks.weights.shape, generator=generator))
    networks.free.add_(0.3)
    shapes = ((COUNT, BATCH, DX), (COUNT, BATCH, DY), (COUNT, BATCH, BATCH))
    return networks, [torch.randn(s, generator=generator) for s in shapes]


@pytest.mark.parametrize("objective", ["mine", "nwj", "infonce", "smile"])
def test_gradient(batch, objective):
    networks, (x, y, base) = batch
    shapes = {name: value.shape[1:] for name, value in networks.value.items()}
    weights, free = (v.clone().requires_grad_() for v in (networks.weights, networks.free))
    average = None if objective != "mine" else torch.tensor([0.5, 1.0, 2.0])
    losses, expected = loss(scores_of(weights, free, shapes, x, y, base), objective, average)
    losses.sum().backward()
    found = networks.descend(x, y, base, objective, None if average is None else average.log())
    torch.testing.assert_close(networks.weights_slope, weights.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(networks.free_slope, free.grad, rtol=1e-4, atol=1e-6)
    if objective == "mine":
        torch.testing.assert_close(found, expected.log())


def test_first_average_is_the_batch_s_own():
    scores = torch.randn(2, 9, 9, generator=torch.Generator().manual_seed(1))
    _, average = loss_slope(scores, "mine", None)
    on = scores.diagonal(dim1=-2, dim2=-1).mean(-1)
    torch.testing.assert_close(on - average, donsker_varadhan(scores))


def test_scores_far_apart_do_not_overflow():
    scores = 1000 * torch.randn(1, 9, 9, generator=torch.Generator().manual_seed(1))
    for objective in ("mine", "infonce", "smile"):
        slope, _ = loss_slope(scores, objective, None)
        assert torch.isfinite(slope).all()


def test_features_are_the_scores(batch):
    networks, (x, y, _) = batch
    shapes = {name: value.shape[1:] for name, value in networks.value.items()}
    left, right = networks.features(x, y)
    expected = scores_of(networks.weights, networks.free, shapes, x, y, 0)
    torch.testing.assert_close(left @ right.mT, expected)
