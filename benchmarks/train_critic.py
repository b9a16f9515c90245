"""Train the critic that `leakage.patch_mi(critic="pretrained")` asks, from a seed.

    python benchmarks/train_critic.py [FOLDER] [--seed 0] [--steps 6000] [--device cpu] [--jobs 1]
        [--leave-out FAMILY ... | --critics 20]

It sees generated scenes and simulated ciphers alone, and no photograph. FOLDER gets the weights,
their SHA-256, a log and a model card; what the package carries lies in `leakage/estimators`. The
same seed gives the same weights on the same machine. A step takes 0.15 s on an idle core. A family
that is left out is so with all that is composed of others. `--critics` teaches so many side by
side, into FOLDER/0, FOLDER/1 and on: the kinds that `benchmarks/pretrained.py` asks about are dealt
among them, and each is taught by the same lessons but those of its kinds. `--jobs` processes
prepare the lessons, which changes nothing but the time. Stopped, it goes on where it was when it is
called again.
"""

import argparse
import csv
import hashlib
import io
import os
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # a GPU that repeats itself

import numpy as np
import torch
from provenance import stamp
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional

import leakage
from leakage.estimators.pair_critic import PairCritic, histograms, weights_of, with_weights
from leakage.estimators.simulated_ciphers import FAMILIES, SOUND, simulated_cipher

#: Families that share a head beside the one of all: a leak of one kind is not drowned by others.
HEADS = {
    "clear parts": ("XOR of planes", "regions", "sampled", "coarse"),
    "uneven keystreams": ("biased bits", "XOR of a law", "addition of a law"),
    "few keys": ("one element", "periodic keystream", "substitution", "plane places"),
    "arithmetic": ("addition to planes", "multiplication", "diffusion", "inversion"),
    "transform": ("DCT signs", "DCT amounts", "DCT means", "DCT means and amounts",
                  "DCT truncated"),
    "places": ("sample places", "block places", "inside blocks", "half bytes", "kept sums",
               "composition"),
}  # fmt: skip

SCENES, SIDE = 1200, 128
#: Of a step: ciphers, scenes that each encrypts, own pairs of patches of the usual side of each.
CIPHERS, TOGETHER, PATCHES = 4, 24, 64
#: Sides of patches, and how often each is chosen.
SIDES, CHOSEN = (8, 16, 32), (0.25, 0.5, 0.25)
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 1e-3, 100
#: Share of ciphers that leak nothing.
SOUND_SHARE = 0.08
#: Share of ciphers of colour images, whose channels are read one by one.
COLOUR_SHARE = 0.2
LOG_EVERY = 100
#: What the loss of images counts beside that of patches.
IMAGES_COUNT = 0.3
#: Series of scenes: none of the chapters or tests is near.
SERIES = 1_000_000
NAME = "pretrained_critic"


#: Parameters of a module by name, those of all critics stacked.
Stacked = dict[str, torch.Tensor]


class Weights(NamedTuple):
    """Of all critics, and what counts for each."""

    network: Stacked
    towers: Stacked
    counts: torch.Tensor  # (critics, lessons, heads)


class Lesson(NamedTuple):
    """One cipher's share of a step."""

    family: str
    own: np.ndarray  # uint8 (n, P, P), three sides of as many pairs
    cipher: np.ndarray
    other: np.ndarray
    images: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def family_drawn(families: Sequence[str], rng: np.random.Generator) -> str:
    sound = rng.random() < SOUND_SHARE
    return str(rng.choice([f for f in families if (f in SOUND) == sound]))


def lesson(
    family: str, scenes: dict[str, np.ndarray], patch: int, rng: np.random.Generator
) -> Lesson:
    """Own pairs, and the same patches with the ciphertexts of other scenes at the same place."""
    mode = "rgb" if rng.random() < COLOUR_SHARE else "gray"
    rows = rng.choice(len(scenes[mode]), TOGETHER, replace=False)
    x = scenes[mode][rows]
    cipher = simulated_cipher(family, int(rng.integers(2**32)))
    c = cipher.encrypt(x, int(rng.integers(2**32)))
    x1, c1 = x, c
    if mode == "rgb":
        channel = int(rng.integers(3))
        x1, c1 = x[..., channel], c[..., channel]
    count = max(8, PATCHES * 16**2 // patch**2)
    one = rng.integers(0, TOGETHER, count)
    two = (one + rng.integers(1, TOGETHER, count)) % TOGETHER
    top, left = rng.integers(0, SIDE - patch + 1, (2, count))
    if rng.random() < 0.6:
        top, left = top // 8 * 8, left // 8 * 8
    cut = np.arange(patch)
    down, right = top[:, None, None] + cut[:, None], left[:, None, None] + cut
    own, key, other = (
        v[k[:, None, None], down, right] for v, k in ((x1, one), (c1, one), (c1, two))
    )
    return Lesson(family, own, key, other, (histograms(x), histograms(c)))


@cache
def pictures(seed: int) -> dict[str, np.ndarray]:
    """Scenes that teach, gray and in colour; their series is used nowhere else."""
    return {
        mode: leakage.load_images(
            "scenes", size=SIDE, count=count, seed=SERIES + seed, mode=mode
        ).images
        for mode, count in (("gray", SCENES), ("rgb", SCENES // 4))
    }


def lessons_of(step: int, families: Sequence[str], seed: int) -> list[Lesson]:
    """What a step teaches: a matter of the seed and the step, whichever process prepares it."""
    rng = np.random.default_rng([seed, 2_121, step])
    patch = int(rng.choice(SIDES, p=CHOSEN))
    names = [family_drawn(families, rng) for _ in range(CIPHERS)]
    return [lesson(name, pictures(seed), patch, rng) for name in names]


@contextmanager
def prepared(
    families: Sequence[str], seed: int, steps: Sequence[int], jobs: int
) -> Iterator[Iterator[list[Lesson]]]:
    """The lessons of steps, in order."""
    one = partial(lessons_of, families=families, seed=seed)
    if jobs == 1:
        yield map(one, steps)
        return
    pictures(seed)  # the processes inherit them
    with get_context("fork").Pool(jobs, torch.set_num_threads, (1,)) as pool:
        yield pool.imap(one, steps, chunksize=4)


def stack(modules: Sequence[nn.Module]) -> Stacked:
    """Parameters of modules alike, the first axis numbers the modules."""
    named = [dict(module.named_parameters()) for module in modules]
    return {name: torch.stack([one[name] for one in named]) for name in named[0]}


def counted(critics: Sequence[PairCritic], lessons: list[Lesson], device: str) -> torch.Tensor:
    """Which lessons count for which head of which critic, (critics, lessons, heads)."""
    heads = critics[0].heads
    table = [
        [
            [
                one.family in critic.families
                and (name == "all" or one.family in HEADS[name] or one.family in SOUND)
                for name in heads
            ]
            for one in lessons
        ]
        for critic in critics
    ]
    return torch.tensor(table, dtype=torch.float32, device=device)


class Losses(NamedTuple):
    """Of patches and of images, in nats, of each critic."""

    patches: torch.Tensor
    images: torch.Tensor


def losses(critic: PairCritic, weights: Weights, lessons: list[Lesson], device: str) -> Losses:
    """Of critics whose weights are stacked; `critic` is any of them."""
    own, cipher, other = (
        torch.from_numpy(np.concatenate(side)).to(device)
        for side in list(zip(*lessons, strict=True))[1:4]
    )
    count, shown = len(lessons[0].own), (torch.cat([own, own]), torch.cat([cipher, other]))
    target = torch.arange(TOGETHER, device=device)

    def of_one(network: Stacked, towers: Stacked, counts: torch.Tensor) -> Losses:
        scores = functional_call(critic.network, network, shown)
        right, wrong = scores.reshape(2, len(lessons), count, -1)
        nats = (functional.softplus(-right) + functional.softplus(wrong)).mean(1)
        images = []
        for one in lessons:
            table = functional_call(critic.towers, towers, one.images).permute(2, 0, 1)
            both = (table.flatten(0, 1), table.mT.flatten(0, 1))
            targets = target.repeat(len(table))
            images.append(sum(functional.cross_entropy(side, targets) for side in both) / 2)
        seen = counts[:, 0]  # the head of all
        return Losses(
            (nats * counts).sum() / counts.sum().clamp(min=1),
            (torch.stack(images) * seen).sum() / seen.sum().clamp(min=1),
        )

    return Losses(*vmap(of_one)(weights.network, weights.towers, weights.counts))


def clip(gradients: Sequence[torch.Tensor], most: float) -> None:
    """Scale the gradients of each critic to a length of at most so much."""
    length = sum((g**2).flatten(1).sum(1) for g in gradients).sqrt()
    scale = (most / length.clamp(min=most)).detach()
    for g in gradients:
        g.mul_(scale.reshape(-1, *[1] * (g.dim() - 1)))


class Course:
    """Critics on their way, side by side: weights, optimizer, log; kept in a file between calls."""

    def __init__(self, critics: Sequence[PairCritic], args: argparse.Namespace):
        self.critics, self.args, self.step = critics, args, 0
        self.log: list[dict[str, float]] = []
        self.parts = [
            {k: v.detach().to(args.device).requires_grad_() for k, v in stack(modules).items()}
            for modules in ([c.network for c in critics], [c.towers for c in critics])
        ]
        self.model = critics[0].on(args.device)
        self.learned = [v for part in self.parts for v in part.values()]
        self.optimizer = torch.optim.AdamW(
            self.learned, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        self.file = args.folder / "unfinished.pt"
        self.what = [args.seed, args.steps, [list(c.families) for c in critics]]

    def save(self) -> None:
        """So that a call that is stopped loses little."""
        self.args.folder.mkdir(parents=True, exist_ok=True)
        kept = {"what": self.what, "step": self.step, "log": self.log,
                "learned": [v.detach() for v in self.learned],
                "optimizer": self.optimizer.state_dict()}  # fmt: skip
        partly = self.file.with_suffix(".part")
        torch.save(kept, partly)
        partly.replace(self.file)

    def resume(self) -> None:
        """Go on from the file, where it is of the same training."""
        if not self.file.is_file():
            return
        kept = torch.load(self.file, map_location=self.args.device, weights_only=True)
        if kept["what"] != self.what:
            raise SystemExit(f"{self.file} is of another training: remove it, or name a new folder")
        self.step, self.log = kept["step"], kept["log"]
        self.optimizer.load_state_dict(kept["optimizer"])
        with torch.no_grad():
            for value, before in zip(self.learned, kept["learned"], strict=True):
                value.copy_(before)

    def teach(self, lessons: list[Lesson]) -> Losses:
        """One step."""
        self.step += 1
        share = self.step / self.args.steps
        rate = min(1.0, self.step / WARM_UP) * (0.501 + 0.499 * np.cos(np.pi * share))
        for group in self.optimizer.param_groups:
            group["lr"] = float(LEARNING_RATE * rate)
        counts = counted(self.critics, lessons, self.args.device)
        found = losses(self.model, Weights(*self.parts, counts), lessons, self.args.device)
        self.optimizer.zero_grad()
        (found.patches + IMAGES_COUNT * found.images).sum().backward()
        clip([v.grad for v in self.learned], 1.0)
        self.optimizer.step()
        return found

    @property
    def taught(self) -> list[PairCritic]:
        """What the critics have become."""
        return [
            with_weights(c.heads, c.families, {
                f"{part}.{name}": value[i].detach().cpu().numpy()
                for part, values in zip(("network", "towers"), self.parts, strict=True)
                for name, value in values.items()
            }.__getitem__)
            for i, c in enumerate(self.critics)
        ]  # fmt: skip


def train(critics: Sequence[PairCritic], args: argparse.Namespace) -> Course:
    """The whole course; its log is printed as it comes."""
    families = [f for f in FAMILIES if any(f in c.families for c in critics)]
    course = Course(critics, args)
    course.resume()
    before = course.log[-1]["seconds"] if course.log else 0
    start, sums = time.time() - before, np.zeros(2)
    with prepared(families, args.seed, range(course.step, args.steps), args.jobs) as every_lesson:
        for lessons in every_lesson:
            found = course.teach(lessons)
            sums += [value.mean().item() for value in found]
            if course.step % LOG_EVERY == 0:
                mean = (sums / LOG_EVERY).round(4).tolist()
                course.log.append(
                    {"step": course.step, "seconds": round(time.time() - start),
                     "nats of patches": mean[0], "nats of images": mean[1]}
                )  # fmt: skip
                print(*course.log[-1].values(), flush=True)
                sums[:] = 0
                course.save()
    return course


CARD = """# The pretrained critic

What `leakage.patch_mi(critic="pretrained")` and `leakage.leak_map(critic="pretrained")` ask. It scores how well a patch and a ciphertext's, or two images' histograms, belong together. Its scores prove nothing by themselves: the test exchanges whole ciphertexts between pictures. It says nothing about security.

Made by `python {command}`, with {versions}, in {minutes:.0f} minutes on {where}: {ciphers} ciphers in {steps} steps. SHA-256 of the weights: `{digest}`.

It saw {scenes} generated scenes of {side} x {side} pixels, a fifth of the time in colour, whose channels it reads one by one; crops of 8, 16 and 32 pixels; and the simulated ciphers of `leakage.estimators.simulated_ciphers`, of these families: {families}.

It did not see any photograph, nor any program of `leakage.schemes`. Families that were left out: {left_out}.

Blind spots that are known: keystreams that begin anew after hundreds of samples, mostly; permutation followed by diffusion, in fewer than eight pictures; a keystream that is public, or one for all pictures, for no single pair shows either, though ciphertexts that are compared with each other show the second; what a block cipher does to equal blocks, of which photographs have few; what relates the channels of a colour image; what lies between places far apart; pictures that change places within a set. What it does not find may be there.

`python benchmarks/pretrained.py` measures what it finds, also where it never saw the kind. Licence: BSD 3-Clause, as the code.
"""  # noqa: E501


def card(
    critic: PairCritic,
    log: list[dict[str, float]],
    digest: str,
    args: argparse.Namespace,
    command: str,
    left_out: Sequence[str],
) -> str:
    """What it is, what it saw and what it did not."""
    text = CARD.format(
        command=command, steps=args.steps, ciphers=CIPHERS * args.steps, digest=digest, side=SIDE,
        versions=stamp("", ["numpy", "torch"])[2:].split(";")[0],
        where="a GPU" if args.device.startswith("cuda") else "one core of a busy machine",
        minutes=log[-1]["seconds"] / 60 if log else 0, scenes=SCENES + SCENES // 4,
        families=", ".join(critic.families), left_out=", ".join(left_out) or "none",
    )  # fmt: skip
    return "\n\n".join(textwrap.fill(part, 100) for part in text.split("\n\n")) + "\n"


def write(folder: Path, critic: PairCritic, log: list[dict[str, float]], args) -> str:
    """Weights, log and card; the weights' SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    np.savez(packed, heads=critic.heads, families=critic.families, **weights_of(critic))
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    (folder / f"{NAME}.npz").write_bytes(packed.getvalue())
    command = f"benchmarks/train_critic.py --seed {args.seed} --steps {args.steps}"
    left_out = [family for family in FAMILIES if family not in critic.families]
    told = card(critic, log, digest, args, command, left_out)
    (folder / f"{NAME}.md").write_text(told, encoding="utf8")
    with (folder / f"{NAME}.csv").open("w", newline="", encoding="utf8") as file:
        rows = csv.DictWriter(file, log[0] if log else ["step"], lineterminator="\n")
        rows.writeheader()
        rows.writerows(log)
    return digest


def kinds_asked() -> list[tuple[str, ...]]:
    """Families that are like one another, of each kind that the benchmark asks about."""
    from pretrained import ASKED  # which needs more than training does

    return sorted({like for _, like in ASKED.values() if like})


def without(gone: Sequence[str], seed: int) -> PairCritic:
    """An untrained critic of all families but these, and their compositions."""
    hidden = {*gone, "composition"} if gone else set()
    return PairCritic.untrained(["all", *HEADS], [f for f in FAMILIES if f not in hidden], seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    own = Path(leakage.__file__).parent / "estimators"
    parser.add_argument("folder", nargs="?", type=Path, default=own)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(FAMILIES))
    parser.add_argument("--critics", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    kinds = [tuple(args.leave_out)]
    if args.critics:
        asked = kinds_asked()
        kinds = [tuple(f for kind in asked[i :: args.critics] for f in kind)
                 for i in range(args.critics)]  # fmt: skip
    course = train([without(gone, args.seed) for gone in kinds], args)
    for i, critic in enumerate(course.taught):
        folder = args.folder / str(i) if args.critics else args.folder
        print("SHA-256", write(folder, critic, course.log, args), *kinds[i])
    course.file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
