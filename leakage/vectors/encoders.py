"""Encoders of the reader's own: a network of torch, or any function of uint8 images.

A network is given images as torchvision's transforms give them, float32 in [0, 1] of three
channels first; what else it expects, such as a normalisation, goes in front of it in an
`nn.Sequential`. A function is given the images as they are.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from leakage.vectors.layers import BATCH_PIXELS, Pooling, Run, images_in, pooled, three_channels

#: The layer that stands for what an encoder returns.
OUTPUT = "output"
Encoder = nn.Module | Callable[[np.ndarray], np.ndarray | torch.Tensor]
Model = str | Encoder
#: Packages whose networks do nothing that their parameters and attributes do not tell.
_KNOWN = ("torch", "torchvision")


def encoder_name(model: Encoder) -> str:
    """What messages call an encoder.

    Raises
    ------
    TypeError
        It is no encoder.

    Examples
    --------
    >>> encoder_name(nn.Flatten()), encoder_name(np.mean)
    ('Flatten', 'mean')
    """
    if isinstance(model, type) or not callable(model):
        raise TypeError(
            "model must be the name of a network, a torch.nn.Module or a function of uint8 images, "
            f"not {model!r}"[:300]
        )
    return str(getattr(model, "__name__", type(model).__name__))


def encoder_layers(model: Encoder) -> tuple[str, ...]:
    """Names of the modules of a network, and `OUTPUT`.

    Examples
    --------
    >>> encoder_layers(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))
    ('0', '1', 'output')
    """
    encoder_name(model)  # refuses what is none
    if not isinstance(model, nn.Module):
        return (OUTPUT,)
    return (*(name for name, _ in model.named_modules() if name), OUTPUT)


def check_encoder(run: Run) -> None:
    """Refuse what is only for networks that are named.

    Raises
    ------
    ValueError
        Weights, a precision, a device or compilation other than the encoder's own.
    """
    name = encoder_name(run.model)
    given = {"weights": run.weights != "default", "precision": run.precision != "float32",
             "compiled": bool(run.compiled)}  # fmt: skip
    for option, other in given.items():
        if other:
            raise ValueError(
                f"{option} is for networks that are named; give {name} as you want it to be"
            )


def encoder_digest(model: Encoder) -> str | None:
    """Of all that decides what a network computes, None where that cannot be told.

    Parameters and attributes of modules of torch and torchvision tell. What a class of the
    reader's own, a hook or a function does may change while its parameters do not.

    Examples
    --------
    >>> encoder_digest(nn.Flatten()) == encoder_digest(nn.Flatten())
    True
    >>> encoder_digest(np.mean) is None
    True
    """
    if not isinstance(model, nn.Module) or _is_hooked_everywhere():
        return None
    digest = hashlib.sha256()
    for name, module in model.named_modules():
        if not _tells_all(module):
            return None
        plain = {k: v for k, v in sorted(vars(module).items()) if _is_plain(v) and k != "training"}
        digest.update(f"{name} {type(module)!r} {module.extra_repr()} {plain!r}\0".encode())
        for label, tensor in (module._parameters | module._buffers).items():
            if tensor is not None:
                digest.update(f"{label} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
                digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tells_all(module: nn.Module) -> bool:
    """Whether nothing but a class of torch, its tensors and plain attributes decides an output."""
    kind = type(module)
    there = getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind
    return _of_torch(kind) and there and _of_torch(kind.forward) and not any(
        name == "forward"
        or (name.startswith("_forward") and name.endswith("_hooks") and len(value) > 0)
        or isinstance(value, torch.Tensor)
        or (callable(value) and not isinstance(value, nn.Module | type) and not _of_torch(value))
        for name, value in vars(module).items()
    )  # fmt: skip


def _is_hooked_everywhere() -> bool:
    """Whether torch was told to call something after or before each module of the process."""
    from torch.nn.modules import module

    return any(
        len(hooks) > 0 for name, hooks in vars(module).items()
        if name.startswith("_global_forward") and name.endswith("hooks")
    )  # fmt: skip


def _of_torch(value: object) -> bool:
    return (getattr(value, "__module__", None) or "").partition(".")[0] in _KNOWN


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def encode(images: np.ndarray, run: Run) -> dict[str | None, np.ndarray]:
    """Vectors of each of the layers of an encoder, pooled as those of a network that is named.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Not checked. They go through in batches, and an encoder is given a copy.
    run : Run
        Whose model is an encoder.

    Returns
    -------
    dict of str or None to ndarray of float32, shape (N, d)

    Raises
    ------
    ValueError
        The encoder fails, or returns no finite numbers, one row an image.

    Examples
    --------
    >>> run = Run(lambda x: x[:, :2, 0], (None,), "default", 0, "mean", "cpu", "float32", False)
    >>> encode(np.zeros((3, 32, 32), np.uint8), run)[None].shape
    (3, 2)
    """
    model, name = run.model, encoder_name(run.model)
    forward = _of_network(model, run) if isinstance(model, nn.Module) else _of_function(model, run)
    step = images_in(BATCH_PIXELS["cpu"], images)
    parts = []
    with _judging(model), torch.inference_mode():
        for start in range(0, len(images), step):
            batch = images[start : start + step].copy()
            try:
                parts.append(forward(batch))
            except (Exception, SystemExit) as error:
                raise ValueError(
                    f"the encoder {name} failed on uint8 images of shape {batch.shape}: "
                    f"{type(error).__name__}: {error}"[:600]
                ) from error
    return {layer: np.concatenate([part[layer] for part in parts]) for layer in run.layers}


@contextmanager
def _judging(model: Encoder) -> Iterator[None]:
    """A network in evaluation mode meanwhile, each part of it; its modes come back."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        if modules:
            modules[0].eval()
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _of_network(model: nn.Module, run: Run) -> Callable[[np.ndarray], dict]:
    weights = next((p for p in model.parameters() if p.is_floating_point()), None)
    device = weights.device if weights is not None else torch.device("cpu")
    dtype = weights.dtype if weights is not None else torch.float32
    modules = dict(model.named_modules())

    def forward(batch: np.ndarray) -> dict[str | None, np.ndarray]:
        given = three_channels(torch.tensor(batch, device=device))
        found: dict[str | None, np.ndarray] = {}

        def keep(layer: str) -> Callable:
            def hook(_module: nn.Module, _given: tuple, output: object) -> None:
                found[layer] = _vectors(output, len(batch), run.pooling, layer)

            return hook

        hooks = [
            modules[layer].register_forward_hook(keep(layer))
            for layer in run.layers if layer not in (None, OUTPUT)
        ]  # fmt: skip
        try:
            output = model(given.to(dtype) / 255)
        finally:
            for hook in hooks:
                hook.remove()
        for layer in run.layers:
            if layer in (None, OUTPUT):
                found[layer] = _vectors(output, len(batch), run.pooling, OUTPUT)
            elif layer not in found:
                raise ValueError(f"layer {layer!r} took no part")
        return found

    return forward


def _of_function(model: Callable, run: Run) -> Callable[[np.ndarray], dict]:
    return lambda batch: dict.fromkeys(
        run.layers, _vectors(model(batch), len(batch), run.pooling, OUTPUT)
    )


def _vectors(output: object, rows: int, pooling: Pooling, layer: str) -> np.ndarray:
    """What a layer gave of a batch, one row an image, float32."""
    if not isinstance(output, torch.Tensor):
        numbers = np.asarray(output)
        if numbers.dtype.kind not in "biuf":
            raise ValueError(f"{layer} gives {type(output).__name__}, not an array of numbers")
        output = torch.from_numpy(numbers.astype(np.float32))
    if output.ndim < 1 or len(output) != rows:
        shape = tuple(output.shape)
        raise ValueError(
            f"{layer} has shape {shape}; it must have one row for each of {rows} images"
        )
    if output.is_complex():
        raise ValueError(f"{layer} gives complex numbers")
    if output.numel() == 0:
        raise ValueError(f"{layer} has shape {tuple(output.shape)}, which holds no numbers")
    if not output.isfinite().all():
        raise ValueError(f"{layer} gives numbers that are not finite")
    return pooled(output.reshape(rows, -1) if output.ndim < 3 else output.float(), pooling,
                  layer).cpu().numpy()  # fmt: skip
