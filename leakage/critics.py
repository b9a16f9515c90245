"""Critics: functions T(x, y) that are larger on pairs than on shuffled pairs.

Every critic here is separable: T(x_i, y_j) is the inner product of a vector of features of x_i and
one of y_j. So a critic is two arrays of features, all its scores are one matrix product, adding
critics is joining their features, and a network can be trained on top of any other critic.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy.special import ndtri
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

#: Squared canonical correlations are taken as at most this: 8.3 bits each.
LARGEST_CORRELATION = 1 - 1e-5
#: Whitened coordinates are clipped here, so that no image unlike all others decides alone.
CLIP = 10.0


class Critic(NamedTuple):
    """Features of all N samples, shape (N, r) each: T(x_i, y_j) = left[i] @ right[j], in nats."""

    left: np.ndarray
    right: np.ndarray

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """T of all pairs of the samples `rows`: (n, n)."""
        return self.left[rows].astype(np.float64) @ self.right[rows].astype(np.float64).T


def mean_critic(critics: list[Critic]) -> Critic:
    """The critic whose scores are the mean of those of `critics`."""
    left = np.hstack([c.left for c in critics]) / len(critics)
    return Critic(left, np.hstack([c.right for c in critics]))


# Coordinates: what critics are built on. Nothing here sees which x belongs to which y.


def whitened(values: np.ndarray, fit: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Principal components of all samples, fitted and scaled on the samples `fit`, clipped."""
    components = min(components, values.shape[1], max(1, len(fit) // 10))
    # exact and deterministic; whichever of the two is cheap for this shape
    solver = "covariance_eigh" if len(fit) >= values.shape[1] else "arpack"
    pca = PCA(components, svd_solver=solver, random_state=seed).fit(values[fit])
    scale = np.sqrt(pca.explained_variance_)
    useful = scale > 1e-6 * scale[0]  # the rest is rounding noise: do not blow it up
    projected = pca.transform(values)[:, useful] / scale[useful]
    out = np.zeros((len(values), components), np.float32)
    out[:, : projected.shape[1]] = np.clip(projected, -CLIP, CLIP)
    return out


class Ranks:
    """Normal scores of each coordinate's rank among the samples of a fit, for many fits.

    The map is monotone in each coordinate, so that estimates do not depend on its scale or shape.
    Equal values get the mean of their ranks. Sorting is done once.
    """

    def __init__(self, values: np.ndarray):
        self.order = np.argsort(values, axis=0, kind="stable")
        ordered = np.take_along_axis(values, self.order, 0)
        n = len(values)
        index = np.arange(n)[:, None]
        first = np.vstack([np.ones((1, values.shape[1]), bool), np.diff(ordered, axis=0) > 0])
        last = np.vstack([first[1:], np.ones((1, values.shape[1]), bool)])
        self.start = np.maximum.accumulate(np.where(first, index, 0), axis=0)
        self.stop = np.minimum.accumulate(np.where(last, index, n)[::-1], axis=0)[::-1] + 1

    def normal_scores(self, fit: np.ndarray) -> np.ndarray:
        """Normal scores of all samples by their rank among `fit`: (N, d), float32."""
        chosen = np.zeros(len(self.order), np.int32)
        chosen[fit] = 1
        below = np.zeros((len(chosen) + 1, self.order.shape[1]), np.int32)
        np.cumsum(chosen[self.order], axis=0, out=below[1:])
        twice = np.take_along_axis(below, self.start, 0) + np.take_along_axis(below, self.stop, 0)
        score = ndtri((np.arange(2 * len(fit) + 1) + 1) / (2 * len(fit) + 2)).astype(np.float32)
        out = np.empty(twice.shape, np.float32)
        np.put_along_axis(out, self.order, score[twice], 0)
        return out


# Critics in closed form


def _decorrelated(values: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """All samples, centred and multiplied by the inverse root of the covariance on `fit`."""
    centred = values.astype(np.float64) - values[fit].mean(0)
    eigenvalues, axes = np.linalg.eigh(centred[fit].T @ centred[fit] / len(fit))
    useful = eigenvalues > 1e-6 * eigenvalues[-1]
    return centred @ (axes[:, useful] / np.sqrt(eigenvalues[useful]))


def canonical_correlations(squared: np.ndarray, dx: int, dy: int, n: int) -> np.ndarray:
    """Squared population correlations behind sample ones, 0 for those that chance explains.

    Sample canonical correlations of high-dimensional vectors are far too large. Those below the
    edge of the null distribution are cut, the others are mapped back by the limit of a finite
    number of correlations (Bao, Hu, Pan and Zhou, 2019, Annals of Statistics 47, theorem 1.9).

    Parameters
    ----------
    squared : ndarray of float
        Squared sample canonical correlations.
    dx, dy, n : int
        Dimensions, and samples that they were computed on.

    Examples
    --------
    >>> canonical_correlations(np.array([0.6, 0.1]), 100, 100, 1000).round(3)
    array([0.494, 0.   ])
    """
    c1, c2 = dx / n, dy / n
    if c1 + c2 >= 1:
        raise ValueError(f"{dx} + {dy} coordinates need more than {dx + dy} samples, not {n}")
    edge = (math.sqrt(c1 * (1 - c2)) + math.sqrt(c2 * (1 - c1))) ** 2
    squared = np.minimum(squared, LARGEST_CORRELATION)
    a, c = (1 - c1) * (1 - c2), c1 * c2
    b = c1 * (1 - c2) + c2 * (1 - c1) - squared
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    return np.where(squared > edge, np.clip((root - b) / (2 * a), 0, LARGEST_CORRELATION), 0.0)


def canonical_critic(
    x: np.ndarray, y: np.ndarray, fit: np.ndarray, shrinkage: Literal["spiked", "even"]
) -> Critic:
    """Log-likelihood ratio of a Gaussian with the canonical correlations of the samples `fit`.

    Noise in these is met in one of two ways: ``"spiked"`` for few strong correlations
    (`canonical_correlations`), ``"even"`` for many weak ones, which shrinks all alike so that
    their sum of squares is right on average.
    """
    a, b = _decorrelated(x, fit), _decorrelated(y, fit)
    u, s, vt = np.linalg.svd(a[fit].T @ b[fit] / len(fit), full_matrices=False)
    if shrinkage == "spiked":
        rho2 = canonical_correlations(s**2, a.shape[1], b.shape[1], len(fit))
    else:
        noise = a.shape[1] * b.shape[1] / len(fit) * (1 - np.mean(s**2))
        rho2 = np.minimum(s**2, LARGEST_CORRELATION) * max(0.0, 1 - noise / np.sum(s**2)) ** 2
    kept = rho2 > 0
    rho2 = rho2[kept]
    a, b = a @ u[:, kept], b @ vt[kept].T
    cross, square = np.sqrt(rho2) / (1 - rho2), rho2 / (2 * (1 - rho2))
    one = np.ones((len(x), 1))
    return Critic(
        np.hstack([a * cross, -(a**2) @ square[:, None], one]),
        np.hstack([b, one, -(b**2) @ square[:, None]]),
    )


def linear_critic(x: np.ndarray, y: np.ndarray, fit: np.ndarray) -> Critic:
    """Singular vectors of the cross-covariance of whitened coordinates on the samples `fit`.

    Weighted by the squared singular values in excess of what noise gives. No log-likelihood
    ratio, but the best known detector of a weak leak (`leakage.canonical_test`).
    """
    u, s, vt = np.linalg.svd(x[fit].T @ y[fit] / len(fit), full_matrices=False)
    weights = np.maximum(s**2 - len(s) / len(fit), 0)
    if not weights.any():
        weights = s**2
    return Critic(x @ (u * weights), y @ vt.T)


def cluster_critic(x: np.ndarray, y: np.ndarray, fit: np.ndarray, count: int, seed: int) -> Critic:
    """Log-ratio of joint and product frequencies of k-means clusters of the samples `fit`."""
    labels = []
    for values in (x, y):
        distinct = len(np.unique(values[fit], axis=0))
        k_means = KMeans(min(count, distinct), n_init=1, max_iter=50, random_state=seed)
        labels.append(k_means.fit(values[fit]).predict(values))
    a, b = labels
    table = np.zeros((count, count))
    np.add.at(table, (a[fit], b[fit]), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / len(fit)
    prior = 0.02  # share of the independent table mixed in, so that empty cells have a finite score
    ratio = np.log((table + prior * expected) / ((1 + prior) * np.maximum(expected, 1e-12)) + 1e-12)
    return Critic(ratio[a], np.eye(count)[b])


# Critics that are networks


class Training(NamedTuple):
    """How a network is trained, and kept from learning its training samples by heart."""

    steps: int
    batch: int
    weight_decay: float
    input_noise: float  # standard deviation, added to whitened coordinates
    scale_rate: float  # learning rate of the scale of the cosine
    patience: int  # checks without an improvement before training ends


#: Chosen on the bundled photographs at one encrypted plane, last layer, over three keys: a small
#: initial scale and a strong weight decay mattered most, the sizes little.
FEW_GROUPS = Training(
    steps=150, batch=128, weight_decay=1.0, input_noise=0.25, scale_rate=4e-3, patience=8
)
#: Chosen on the XOR of signs and on additive uniform noise.
MANY_GROUPS = Training(
    steps=300, batch=128, weight_decay=1e-2, input_noise=0.0, scale_rate=3e-2, patience=4
)
HIDDEN, FEATURES = 64, 32
CHECK_EVERY = 10
LEARNING_RATE = 4e-3
#: On top of another critic a network starts near 0, alone it needs something to work with.
INITIAL_SCALE, INITIAL_SCALE_ON_BASE = 1.5, 0.2
#: Validation samples that a checkpoint is judged on: all pairs of them.
JUDGED_ON = 400
#: Weight of the newest batch in the moving average of the partition function.
EMA_RATE = 0.1

Objective = Literal["mine", "nwj", "infonce", "smile"]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch and of numpy inside, as many as before outside.

    These products are small: a second thread brings little when the machine is idle, and when two
    processes share its cores their threads wait for each other, which costs up to fifty times the
    time. The values also no longer depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


class _Networks:
    """Critics side by side, one for each initial scale; they are every tensor's first dimension.

    A critic is the scaled cosine of two small networks' outputs. It is bounded by its scale, so
    that a test image unlike all training images cannot throw the bound to minus infinity, as an
    unbounded critic does.
    """

    def __init__(self, dx: int, dy: int, scales: list[float], generator: torch.Generator):
        count = len(scales)

        def he(rows, columns):
            values = torch.randn(count, rows, columns, generator=generator)
            return values * math.sqrt(2 / rows)

        self.weights = {
            "x1": he(dx, HIDDEN), "x2": he(HIDDEN, FEATURES),
            "y1": he(dy, HIDDEN), "y2": he(HIDDEN, FEATURES),
            "bx": torch.zeros(count, 1, HIDDEN), "by": torch.zeros(count, 1, HIDDEN),
        }  # fmt: skip
        # the scale must be free to grow where pairs are easily told apart
        self.free = {
            "log_scale": torch.tensor(scales).log()[:, None, None],
            "offset": torch.zeros(count, 1, 1),
        }
        for tensor in (self.weights | self.free).values():
            tensor.requires_grad_()

    def features(self, x: torch.Tensor, y: torch.Tensor, which=slice(None)):
        """Left and right features: (C, n, dx) and (C, m, dy) to (C, n, r) and (C, m, r)."""
        p = {name: value[which] for name, value in (self.weights | self.free).items()}
        f = F.normalize(torch.relu(x @ p["x1"] + p["bx"]) @ p["x2"], dim=-1)
        g = F.normalize(torch.relu(y @ p["y1"] + p["by"]) @ p["y2"], dim=-1)
        left = torch.cat([p["log_scale"].exp() * f, p["offset"].expand(*f.shape[:-1], 1)], -1)
        return left, torch.cat([g, torch.ones_like(g[..., :1])], -1)


def log_mean_exp_off_diagonal(scores: torch.Tensor) -> torch.Tensor:
    """ln of the mean of e^T over the pairs i != j: (..., n, n) to (...)."""
    n = scores.shape[-1]
    off = scores.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
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


def _info_nce(scores: torch.Tensor) -> torch.Tensor:
    n = scores.shape[-1]
    return _on_pairs(scores) - (torch.logsumexp(scores, -1) - math.log(n)).mean(-1)


def _loss(scores: torch.Tensor, objective: Objective, average: torch.Tensor | None):
    """Loss of each critic on a batch, and the moving average of ln the partition function."""
    if objective == "infonce":
        return -_info_nce(scores), None
    if objective == "smile":  # its critic is trained on the Jensen-Shannon bound
        n = scores.shape[-1]
        off = F.softplus(scores).sum((-2, -1)) - F.softplus(
            scores.diagonal(dim1=-2, dim2=-1)
        ).sum(-1)
        on = F.softplus(-scores.diagonal(dim1=-2, dim2=-1)).mean(-1)
        return on + off / (n * (n - 1)), None
    log_partition = log_mean_exp_off_diagonal(scores)
    if objective == "nwj":
        return torch.exp(log_partition - 1) - _on_pairs(scores), None
    now = log_partition.detach()
    average = now if average is None else torch.logaddexp(
        average + math.log(1 - EMA_RATE), now + math.log(EMA_RATE)
    )
    return torch.exp(log_partition - average) - _on_pairs(scores), average


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

    Gradient descent on the objective, with all pairs of a batch; for ``"mine"`` the gradient of
    the second term of the Donsker-Varadhan bound is divided by a moving average of the partition
    function (Belghazi et al., 2018, section 3.2, equation 12).

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
        Steps, batch size, weight decay, noise, learning rate of the scale, patience.

    Returns
    -------
    list of Critic
        Base and network together.
    """
    count = len(fit)
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    scales = [INITIAL_SCALE if b is None else INITIAL_SCALE_ON_BASE for b in base]
    networks = _Networks(x.shape[-1], y.shape[-1], scales, generator)
    nothing = Critic(np.zeros((len(x), 0)), np.zeros((len(y), 0)))
    left, right = (
        [torch.from_numpy(np.asarray(side, np.float32)) for side in sides]
        for sides in zip(*(b or nothing for b in base), strict=True)
    )
    optimizer = torch.optim.AdamW([
        {
            "params": list(networks.weights.values()), "lr": LEARNING_RATE,
            "weight_decay": training.weight_decay,
        },
        {
            "params": list(networks.free.values()), "lr": training.scale_rate,
            "weight_decay": 0.0,
        },
    ], fused=True)
    batch = min(training.batch, *(len(indices) for indices in fit))
    judge = _info_nce if objective == "infonce" else donsker_varadhan
    judged_on = [torch.from_numpy(v[:JUDGED_ON]) for v in validate]
    parameters = networks.weights | networks.free

    def base_scores(rows: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([a[r] @ b[r].T for a, b, r in zip(left, right, rows, strict=True)])

    def judged() -> torch.Tensor:
        with torch.no_grad():
            values = []
            for c, v in enumerate(judged_on):
                f, g = networks.features(x[v], y[v], c)
                values.append(judge(f @ g.mT + left[c][v] @ right[c][v].T))
            return torch.stack(values)

    best = judged()
    kept = {name: value.detach().clone() for name, value in parameters.items()}
    stale = torch.zeros(count, dtype=torch.long)
    average = None
    for step in range(1, training.steps + 1):
        drawn = torch.stack([
            torch.from_numpy(indices)[torch.randperm(len(indices), generator=generator)[:batch]]
            for indices in fit
        ])
        bx, by = x[drawn], y[drawn]
        if training.input_noise:
            bx = bx + training.input_noise * torch.randn(bx.shape, generator=generator)
            by = by + training.input_noise * torch.randn(by.shape, generator=generator)
        f, g = networks.features(bx, by)
        scores = f @ g.mT + base_scores(drawn)
        losses, average = _loss(scores, objective, average)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        if step % CHECK_EVERY:
            continue
        value = judged()
        better = value > best + 1e-3
        best = torch.where(better, value, best)
        stale = torch.where(better, 0, stale + 1)
        for name, parameter in parameters.items():
            kept[name][better] = parameter.detach()[better]
        leader = best.view(families, -1).mean(1).argmax()
        if (stale.view(families, -1)[leader] >= training.patience).all():
            break
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(kept[name])
        f, g = networks.features(x.expand(count, -1, -1), y.expand(count, -1, -1))
    return [
        Critic(torch.cat([f[c], left[c]], -1).numpy(), torch.cat([g[c], right[c]], -1).numpy())
        for c in range(count)
    ]
