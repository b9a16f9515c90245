"""Layers of convolutional networks: their names, weights, and what they make of images.

On the processor or on a GPU, in single precision or in bfloat16, compiled or not.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args
from urllib.error import URLError

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from leakage.arguments import check_one_of
from leakage.vectors.efficientnet_lite import SIZES, build_network, lite_layers

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

BUNDLED = "efficientnet_lite0"
#: Cells of a grid along each side.
GRID = 4
Pooling = Literal["mean", "std", "grid"]
Precision = Literal["float32", "bfloat16"]
#: Pixels that pass through a network at once: more are no faster on a CPU, fewer leave a GPU idle.
BATCH_PIXELS = {"cpu": 128 * 64 * 64, "cuda": 64 * 512 * 512}
#: Through the bundled network's first blocks on a CPU, whose cache does not hold the maps of more.
EARLY_PIXELS = 16 * 64 * 64
#: Vectors of each layer of a batch; None is what the final classifier is given.
Forward = Callable[[torch.Tensor], dict[str | None, torch.Tensor]]
_SETTINGS = threading.Lock()  # torch's settings belong to the whole process


class Run(NamedTuple):
    """Which vectors to compute, and where; see `leakage.embed`. Part of the cache's key."""

    model: Any  # a name, or an encoder of the reader's own
    layers: tuple[str | None, ...]
    weights: str | None
    seed: int
    pooling: Pooling
    device: str
    precision: Precision
    compiled: bool


def check_run(run: Run) -> None:
    """Refuse what no network can be run with."""
    if run.weights not in ("default", None):
        raise ValueError(f"weights must be 'default' or None, not {run.weights!r}")
    check_one_of("pooling", run.pooling, get_args(Pooling))
    check_one_of("precision", run.precision, get_args(Precision))
    if run.compiled not in (False, True):
        raise ValueError(f"compiled must be False or True, not {run.compiled!r}")


def layer_names(model: str = BUNDLED) -> tuple[str, ...]:
    """Names of the layers of `model`, from the input to the output.

    Examples
    --------
    >>> layer_names()[0], layer_names()[-2]
    ('stem', 'head')
    """
    if model in SIZES:
        return lite_layers(model)
    from torchvision.models.feature_extraction import get_graph_node_names

    return tuple(get_graph_node_names(_torchvision_model(model, None, 0))[1])


def check_layers(layers: Sequence[str], known: Sequence[str], model: str) -> None:
    """Refuse layers that are not among those `known` of `model`."""
    for layer in layers:
        # torchvision takes the name of a block for that of its last layer
        if layer not in known and not any(name.startswith(f"{layer}.") for name in known):
            shown = ", ".join(known) if len(known) <= 24 else ", ".join(known[:24]) + ", ..."
            raise ValueError(f"{model} has no layer {layer!r}; it has {shown}")


def _torchvision_weights(model: str) -> "WeightsEnum":
    from torchvision import models

    known = models.list_models(module=models)
    if model not in known:
        raise ValueError(
            f"no model {model!r}; there are {', '.join(SIZES)}, histogram, and torchvision's "
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


def pooled(output: torch.Tensor, pooling: Pooling, layer: str | None) -> torch.Tensor:
    """(N, C, H, W) or (N, tokens, C) to (N, d), anything else to (N, everything); float32.

    Raises
    ------
    ValueError
        A grid of tokens.

    Examples
    --------
    >>> pooled(torch.zeros(2, 8, 5, 5), "grid", "stem").shape
    torch.Size([2, 128])
    """
    if output.ndim not in (3, 4):
        return output.flatten(1).float()
    if pooling == "grid" and output.ndim == 4:
        return F.adaptive_avg_pool2d(output.float(), GRID).flatten(1)
    if pooling == "grid":
        raise ValueError(
            f"layer {layer!r} gives {output.shape[1]} tokens and no map that a grid could divide; "
            "pool it by 'mean' or 'std', or name a layer that gives a map"
        )
    space = (2, 3) if output.ndim == 4 else (1,)
    if pooling == "std":
        return output.float().std(space)
    return output.mean(space, dtype=torch.float32)


def _lite_forward(run: Run) -> Forward:
    network = build_network(run.model, run.weights, run.seed)
    network.to(run.device).reduce(getattr(torch, run.precision))
    # what pays on a CPU and is not for the compiler: packed weights, first blocks in parts
    by_hand = run.device == "cpu" and not run.compiled
    if by_hand:
        network.pack()
    wanted = [layer for layer in run.layers if layer is not None]
    deepest = max(wanted, key=lite_layers(run.model).index)

    def passed(
        outputs: Iterable[tuple[str, torch.Tensor]],
    ) -> tuple[dict[str | None, torch.Tensor], torch.Tensor]:
        """Vectors of the wanted layers among `outputs`, and the last output."""
        found: dict[str | None, torch.Tensor] = {}
        for name, output in outputs:
            if name in wanted:
                found[name] = pooled(output, run.pooling, name)
            if name == deepest:
                break
        return found, output

    def forward(batch: torch.Tensor) -> dict[str | None, torch.Tensor]:
        step = images_in(EARLY_PIXELS, batch) if by_hand else len(batch)
        passes = [passed(network.early(part)) for part in batch.split(step)]
        found = {name: torch.cat([vectors[name] for vectors, _ in passes]) for name in passes[0][0]}
        if deepest not in found:
            found |= passed(network.late(torch.cat([output for _, output in passes])))[0]
        return found

    return forward


def three_channels(batch: torch.Tensor) -> torch.Tensor:
    """Images (n, H, W) or (n, H, W, 3) as (n, 3, H, W); of a gray one three equal channels.

    Examples
    --------
    >>> three_channels(torch.zeros(2, 8, 9)).shape
    torch.Size([2, 3, 8, 9])
    """
    return batch[:, None].expand(-1, 3, -1, -1) if batch.ndim == 3 else batch.movedim(-1, 1)


def _torchvision_forward(run: Run) -> Forward:
    network = _torchvision_model(run.model, run.weights, run.seed)
    network = network.to(run.device, getattr(torch, run.precision))
    network = network.to(memory_format=torch.channels_last)
    preprocess = _torchvision_weights(run.model).transforms()
    named = [layer for layer in run.layers if layer is not None]
    if named:
        from torchvision.models.feature_extraction import create_feature_extractor

        extractor = create_feature_extractor(network, named)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if None in run.layers and not linear:
        raise ValueError(
            f"{run.model} ends in no linear layer; name one of layer_names({run.model!r})"
        )

    def forward(batch: torch.Tensor) -> dict[str | None, torch.Tensor]:
        x = preprocess(three_channels(batch)).to(
            getattr(torch, run.precision), memory_format=torch.channels_last
        )
        found: dict[str | None, torch.Tensor] = {}
        if named:
            found |= {k: pooled(v, run.pooling, k) for k, v in extractor(x).items()}
        if None in run.layers:  # what the last linear layer, the classifier, is given
            hook = linear[-1].register_forward_pre_hook(
                lambda _, given: found.__setitem__(None, pooled(given[0], run.pooling, None))
            )
            network(x)
            hook.remove()
        return found

    return forward


@lru_cache(maxsize=2)  # whoever embeds a large set in batches asks again and again
def _forward(run: Run) -> Forward:
    """Function of a batch of images on the run's device."""
    forward = (_lite_forward if run.model in SIZES else _torchvision_forward)(run)
    # with sizes left open the compiler has not ended after ten minutes
    return torch.compile(forward, dynamic=False) if run.compiled else forward


def images_in(pixels: int, images: np.ndarray | torch.Tensor) -> int:
    """How many of the images have so many pixels: one at least."""
    return max(1, pixels // (images.shape[1] * images.shape[2]))


def _on_device(images: np.ndarray, step: int, device: str) -> Iterator[torch.Tensor]:
    """Batches of images; on their way to a GPU while it computes on the one before."""
    for start in range(0, len(images), step):
        batch = torch.from_numpy(np.array(images[start : start + step]))
        if device != "cpu":
            batch = batch.pin_memory().to(device, non_blocking=True)
        yield batch


def _tf32_switches() -> list[tuple[object, str, object]]:
    """Where torch keeps whether matrices and convolutions may be TensorFloat-32, and its "no"."""
    matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(convolutions, "conv"):  # since torch 2.9, which warns of the older switches
        newer = (matrices, convolutions.conv)
        return [(where, "fp32_precision", "ieee") for where in newer]
    return [(where, "allow_tf32", False) for where in (matrices, convolutions)]


@contextmanager
def _whole_float32() -> Iterator[None]:
    """No TensorFloat-32 meanwhile: a GPU would round float32 to 10 of its 23 bits, and not say so.

    The caller's settings come back, also after an error.
    """
    with _SETTINGS:
        allowing = [
            (where, name, off, setting)
            for where, name, off in _tf32_switches()
            if (setting := getattr(where, name)) not in (off, "none")
        ]
        try:
            for where, name, off, _ in allowing:
                setattr(where, name, off)
            yield
        finally:
            for where, name, _, setting in allowing:
                setattr(where, name, setting)


def pooled_layers(images: np.ndarray, run: Run) -> dict[str | None, np.ndarray]:
    """Vectors of each of the layers.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Not checked.
    run : Run
        With a device of `found_device`.

    Returns
    -------
    dict of str or None to ndarray of float32, shape (N, d)

    Examples
    --------
    >>> run = Run(BUNDLED, ("stem",), "default", 0, "mean", "cpu", "float32", False)
    >>> pooled_layers(np.zeros((2, 32, 32), np.uint8), run)["stem"].shape
    (2, 32)
    """
    forward = _forward(run)
    most = BATCH_PIXELS["cpu" if run.device == "cpu" else "cuda"]
    step = images_in(most, images)
    parts = []
    gpu_float32 = run.device != "cpu" and run.precision == "float32"
    with torch.inference_mode(), _whole_float32() if gpu_float32 else nullcontext():
        for batch in _on_device(images, step, run.device):
            parts.append(forward(batch))
        return {
            layer: torch.cat([part[layer] for part in parts]).cpu().numpy() for layer in run.layers
        }
