"""Vectors that represent images: grey-level histograms, and what the layers of a CNN compute.

A layer's output is pooled over space, so every layer gives one vector an image. Results are
cached on disk by content, in ``$LEAKAGE_CACHE`` or ``~/.cache/leakage``.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, get_args
from urllib.error import URLError

import joblib
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from leakage import efficientnet_lite
from leakage.images import check_images

BUNDLED = "efficientnet_lite0"
HISTOGRAM, PATCH_STATISTICS = "histogram", "patch statistics"
#: Cells of a grid along each side.
GRID = 4
#: Rungs of `representations`, from the pixels to the last layer.
LADDER = (
    HISTOGRAM, PATCH_STATISTICS, "stem", "blocks.0", "blocks.2", "blocks.4", "blocks.7",
    "blocks.11", "head",
)  # fmt: skip
Pooling = Literal["mean", "std", "grid"]
#: Pixels that pass through a network at once: larger batches fall out of the CPU's cache.
BATCH_PIXELS = 64 * 64 * 64


def cache_folder() -> Path:
    """Where results are cached: ``$LEAKAGE_CACHE`` or ``~/.cache/leakage``."""
    return Path(os.environ.get("LEAKAGE_CACHE", Path.home() / ".cache" / "leakage"))


@cache
def _code_digest() -> str:
    """Changes with this module, the network's, and torch's version, as the vectors may."""
    digest = hashlib.sha256(torch.__version__.encode())
    for file in (__file__, efficientnet_lite.__file__):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _unknown_layer(layer: str, known: Sequence[str], model: str) -> ValueError:
    shown = ", ".join(known) if len(known) <= 24 else ", ".join(known[:24]) + ", ..."
    return ValueError(f"{model} has no layer {layer!r}; it has {shown}")


def layer_names(model: str = BUNDLED) -> tuple[str, ...]:
    """Names of the layers of `model`, from the input to the output.

    Examples
    --------
    >>> layer_names()[0], layer_names()[-2]
    ('stem', 'head')
    """
    if model == BUNDLED:
        return efficientnet_lite.LAYERS
    if model == HISTOGRAM:
        return (HISTOGRAM,)
    from torchvision.models.feature_extraction import get_graph_node_names

    return tuple(get_graph_node_names(_torchvision_model(model, None, 0))[1])


def _torchvision_weights(model: str):
    from torchvision import models

    known = models.list_models(module=models)
    if model not in known:
        raise ValueError(
            f"no model {model!r}; there are {BUNDLED}, {HISTOGRAM}, and torchvision's "
            f"classification models: {', '.join(known)}"
        )
    return models.get_model_weights(model).DEFAULT


def _torchvision_model(model: str, weights: str | None, seed: int) -> nn.Module:
    from torchvision import models

    default = _torchvision_weights(model)
    try:
        # a model draws its initial weights from the global generator: put that back afterwards
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = models.get_model(model, weights=default if weights == "default" else None)
    except (URLError, ConnectionError, TimeoutError) as error:
        raise ValueError(
            f"the weights of {model} could not be downloaded ({error}); check the network "
            f"connection, or put {default.url.rsplit('/', 1)[-1]} into "
            f"{Path(torch.hub.get_dir(), 'checkpoints')}, or use model={BUNDLED!r}, which needs "
            "no download, or weights=None for an untrained control"
        ) from error
    return network.eval().requires_grad_(False)


def _pooled(output: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """(N, C, H, W) or (N, tokens, C) to (N, d); anything else to (N, everything)."""
    if output.ndim == 4:
        if pooling == "grid":
            return F.adaptive_avg_pool2d(output, GRID).flatten(1)
        return output.std((2, 3)) if pooling == "std" else output.mean((2, 3))
    if output.ndim == 3:
        return output.std(1) if pooling == "std" else output.mean(1)
    return output.flatten(1)


def _bundled_forward(
    layers: Sequence[str], weights: str | None, seed: int, pooling: Pooling
) -> Callable:
    network = efficientnet_lite.efficientnet_lite0(weights, seed)
    mean = 255 * torch.tensor(efficientnet_lite.MEAN)
    scale = 1 / (255 * torch.tensor(efficientnet_lite.STD))
    wanted = set(layers)

    def forward(batch):
        x = batch.to(memory_format=torch.channels_last)
        x = (x - mean[:, None, None]) * scale[:, None, None]
        found = {}
        for name, output in network.layers(x):
            if name in wanted:
                found[name] = _pooled(output, pooling)
            if len(found) == len(wanted):
                return found

    return forward


def _torchvision_forward(
    model: str, layers: Sequence[str | None], weights: str | None, seed: int, pooling: Pooling
) -> Callable:
    network = _torchvision_model(model, weights, seed)
    preprocess = _torchvision_weights(model).transforms()
    named = [layer for layer in layers if layer is not None]
    if named:
        from torchvision.models.feature_extraction import create_feature_extractor

        extractor = create_feature_extractor(network, named)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if None in layers and not linear:
        raise ValueError(f"{model} ends in no linear layer; name one of layer_names({model!r})")

    def forward(batch):
        x = preprocess(batch)
        found = {k: _pooled(v, pooling) for k, v in extractor(x).items()} if named else {}
        if None in layers:  # what the last linear layer, the classifier, is given
            hook = linear[-1].register_forward_pre_hook(
                lambda _, given: found.__setitem__(None, _pooled(given[0], pooling))
            )
            network(x)
            hook.remove()
        return found

    return forward


def _compute(
    images: np.ndarray, model: str, layers: tuple, weights: str | None, seed: int,
    pooling: Pooling, content: str, code: str,
) -> dict:
    """The vectors themselves; `content` and `code` are only there for the cache's key."""
    forward = (
        _bundled_forward(layers, weights, seed, pooling) if model == BUNDLED
        else _torchvision_forward(model, layers, weights, seed, pooling)
    )
    step = max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), step):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + step]))
            if batch.ndim == 3:  # gray: three equal channels
                batch = batch[:, None].expand(-1, 3, -1, -1)
            else:
                batch = batch.permute(0, 3, 1, 2)
            parts.append(forward(batch if model != BUNDLED else batch.float()))
    return {
        layer: torch.cat([part[layer] for part in parts]).float().numpy() for layer in layers
    }


def _histograms(images: np.ndarray) -> np.ndarray:
    """Relative frequency of each of the 256 values, channel after channel: (N, 256) or (N, 768)."""
    samples = images.reshape(len(images), -1, images.shape[-1] if images.ndim == 4 else 1)
    n, pixels, channels = samples.shape
    cell = (np.arange(n)[:, None, None] * channels + np.arange(channels)) * 256 + samples
    counts = np.bincount(cell.ravel(), minlength=n * channels * 256)
    return (counts.reshape(n, -1) / pixels).astype(np.float32)


def embed_layers(
    images: np.ndarray,
    layers: Sequence[str],
    model: str = BUNDLED,
    *,
    weights: str | None = "default",
    seed: int = 0,
    pooling: Pooling = "mean",
    cache: bool = True,
) -> dict[str, np.ndarray]:
    """Vectors of several layers in one pass.

    Parameters
    ----------
    images, model, weights, seed
        As of `embed`.
    layers : sequence of str
        As `layer` of `embed`.
    pooling : {"mean", "std", "grid"}
        What remains of a layer's map: its mean, its standard deviation, or the means over a 4x4
        grid, each of every channel.
    cache : bool
        Keep the result on disk, and take it from there if it is.

    Returns
    -------
    dict of str to ndarray of float32, shape (N, d)

    Examples
    --------
    >>> found = embed_layers(np.zeros((2, 32, 32), np.uint8), ["stem", "head"])
    >>> found["stem"].shape, found["head"].shape
    ((2, 32), (2, 1280))
    """
    layers = tuple(layers)
    known = layer_names(model)
    for layer in layers:
        # torchvision takes the name of a block for that of its last layer
        if layer not in known and not any(name.startswith(f"{layer}.") for name in known):
            raise _unknown_layer(layer, known, model)
    if pooling not in get_args(Pooling):
        raise ValueError(f"pooling must be one of {', '.join(get_args(Pooling))}, not {pooling!r}")
    return _embed(images, model, layers, weights, seed, pooling, cache)


def embed(
    images: np.ndarray,
    model: str = BUNDLED,
    *,
    layer: str | None = None,
    weights: str | None = "default",
    seed: int = 0,
) -> np.ndarray:
    """Represent each image by a vector.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Gray images enter a network as three equal channels.
    model : str
        ``"efficientnet_lite0"``: bundled, needs no download, images keep their size.
        ``"histogram"``: relative frequencies of the 256 values.
        Otherwise the name of a torchvision classification model, which downloads its weights and
        applies its own preprocessing, resizing included.
    layer : str or None
        One of `layer_names`, or a block of torchvision's, averaged over space. None: what the
        final classifier is given.
    weights : {"default", None}
        None: an untrained network with weights drawn from `seed`, as a control.
    seed : int
        Of untrained weights.

    Returns
    -------
    ndarray of float32, shape (N, d)

    Raises
    ------
    ValueError
        Bad images, unknown model or layer, or weights that cannot be downloaded.

    Examples
    --------
    >>> embed(np.zeros((2, 32, 32), np.uint8)).shape
    (2, 1280)
    """
    if layer is not None:
        return embed_layers(images, [layer], model, weights=weights, seed=seed)[layer]
    key = "head" if model == BUNDLED else None
    return _embed(images, model, (key,), weights, seed, "mean")[key]


def patch_statistics(images: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each cell of a 4x4 grid, channel after channel.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        At least 4 pixels high and wide.

    Returns
    -------
    ndarray of float32, shape (N, 32) or (N, 96)

    Examples
    --------
    >>> patch_statistics(np.zeros((2, 8, 8), np.uint8)).shape
    (2, 32)
    """
    rows, columns = (np.array_split(np.arange(side), GRID) for side in images.shape[1:3])
    cells = [
        images[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].reshape(len(images), len(r) * len(c), -1)
        for r in rows for c in columns
    ]  # fmt: skip
    means, spreads = ([f(cell, axis=1) for cell in cells] for f in (np.mean, np.std))
    return np.concatenate(means + spreads, axis=1).astype(np.float32)


def representations(
    images: np.ndarray, rungs: Sequence[str] | None = None, *, model: str = BUNDLED,
    cache: bool = True,
) -> dict[str, np.ndarray]:
    """The ladder of representations, from counts of grey levels to a network's last layer.

    Each rung is computed from the image alone, so by the data-processing inequality none of them
    can carry more information on the plain image than the ciphertext itself.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Plain or encrypted.
    rungs : sequence of str, optional
        ``"histogram"``, ``"patch statistics"`` (`patch_statistics`), or layers of `model`, pooled
        by the mean or as named after a colon: ``"stem"``, ``"stem:std"``, ``"stem:grid"``. Default:
        the histogram, the patch statistics and seven layers of the bundled network.
    model : str
        As of `embed`; any other than the bundled one needs `rungs`.
    cache : bool
        As of `embed_layers`.

    Returns
    -------
    dict of str to ndarray of float32, shape (N, d)
        In the order of `rungs`.

    Raises
    ------
    ValueError
        Bad images, an unknown rung, or no rungs for another model.

    Examples
    --------
    >>> found = representations(np.zeros((2, 32, 32), np.uint8), ["histogram", "stem", "stem:grid"])
    >>> {rung: vectors.shape for rung, vectors in found.items()}
    {'histogram': (2, 256), 'stem': (2, 32), 'stem:grid': (2, 512)}
    """
    check_images(images)
    if rungs is None:
        if model != BUNDLED:
            raise ValueError(f"name the rungs: layers of layer_names({model!r})")
        rungs = LADDER
    direct = {HISTOGRAM: _histograms, PATCH_STATISTICS: patch_statistics}
    split = {rung: [*rung.split(":"), "mean"][:2] for rung in rungs if rung not in direct}
    found = {rung: direct[rung](images) for rung in rungs if rung in direct}
    for pooling in dict.fromkeys(p for _, p in split.values()):
        layers = [layer for layer, p in split.values() if p == pooling]
        vectors = embed_layers(images, layers, model, pooling=pooling, cache=cache)
        found |= {r: vectors[layer] for r, (layer, p) in split.items() if p == pooling}
    return {rung: found[rung] for rung in rungs}


def _embed(images, model, layers, weights, seed, pooling, cache=True):
    check_images(images)
    if weights not in ("default", None):
        raise ValueError(f"weights must be 'default' or None, not {weights!r}")
    if model == HISTOGRAM:
        return {layer: _histograms(images) for layer in layers}
    if not cache:
        return _compute(images, model, layers, weights, seed, pooling, "", "")
    memory = joblib.Memory(cache_folder(), verbose=0)
    # the images are hashed once, here, rather than stored beside every result
    cached = memory.cache(_compute, ignore=["images"])
    content = joblib.hash(images)
    return cached(images, model, layers, weights, seed, pooling, content, _code_digest())
