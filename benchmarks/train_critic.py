"""Train the critic that `leakage.patch_mi(critic="pretrained")` asks, from a seed.

    python benchmarks/train_critic.py [FOLDER] [--seed 0] [--steps 4000] [--leave-out FAMILY ...]

It sees generated scenes and simulated ciphers alone, and no photograph. FOLDER gets the weights,
their SHA-256, a log and a model card; what the package carries lies in `leakage/estimators`. The
same seed gives the same weights on the same machine. A step takes 0.15 s on an idle core. A family
that is left out is so with all that is composed of others.
"""

import argparse
import csv
import hashlib
import io
import os
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from provenance import stamp
from torch.nn import functional

import leakage
from leakage.estimators.pair_critic import PairCritic, histograms, weights_of
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


class Lesson(NamedTuple):
    """One cipher's share of a step."""

    family: str
    own: torch.Tensor  # uint8 (n, P, P), three sides of as many pairs
    cipher: torch.Tensor
    other: torch.Tensor
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
        torch.from_numpy(v[k[:, None, None], down, right])
        for v, k in ((x1, one), (c1, one), (c1, two))
    )
    return Lesson(family, own, key, other, (histograms(x), histograms(c)))


def losses(critic: PairCritic, lessons: list[Lesson]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of patches and of images, in nats."""
    own, cipher, other = (torch.cat(side) for side in list(zip(*lessons, strict=True))[1:4])
    count = len(lessons[0].own)
    scores = critic.network(torch.cat([own, own]), torch.cat([cipher, other]))
    right, wrong = scores.reshape(2, len(lessons), count, -1)
    nats = functional.softplus(-right) + functional.softplus(wrong)
    counted = torch.zeros(len(lessons), len(critic.heads))
    for i, one in enumerate(lessons):
        for h, name in enumerate(critic.heads):
            counted[i, h] = name == "all" or one.family in HEADS[name] or one.family in SOUND
    patches = (nats.mean(1) * counted).sum() / counted.sum()
    images = []
    for one in lessons:
        table = critic.towers(*one.images)
        target = torch.arange(TOGETHER)
        images += [
            functional.cross_entropy(table[:, :, h], target)
            + functional.cross_entropy(table[:, :, h].T, target)
            for h in range(table.shape[2])
        ]
    return patches, torch.stack(images).mean() / 2


def pictures(seed: int) -> dict[str, np.ndarray]:
    """Scenes that teach, gray and in colour; their series is used nowhere else."""
    return {
        mode: leakage.load_images(
            "scenes", size=SIDE, count=count, seed=SERIES + seed, mode=mode
        ).images
        for mode, count in (("gray", SCENES), ("rgb", SCENES // 4))
    }


def train(
    families: Sequence[str], seed: int, steps: int, log: list[dict[str, float]]
) -> PairCritic:
    """A critic that so many steps taught; rows of the log are appended as they come."""
    start, scenes = time.time(), pictures(seed)
    heads = ["all", *(h for h, some in HEADS.items() if set(some) & set(families))]
    critic = PairCritic.untrained(heads, families, seed)
    learned = [*critic.network.parameters(), *critic.towers.parameters()]
    optimizer = torch.optim.AdamW(learned, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    rng, sums = np.random.default_rng([seed, 2_121]), np.zeros(2)
    for step in range(1, steps + 1):
        rate = min(1.0, step / WARM_UP) * (0.501 + 0.499 * np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate
        patch = int(rng.choice(SIDES, p=CHOSEN))
        names = [family_drawn(families, rng) for _ in range(CIPHERS)]
        patches, images = losses(critic, [lesson(f, scenes, patch, rng) for f in names])
        optimizer.zero_grad()
        (patches + IMAGES_COUNT * images).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        sums += patches.item(), images.item()
        if step % LOG_EVERY == 0:
            mean = (sums / LOG_EVERY).round(4).tolist()
            log.append({"step": step, "seconds": round(time.time() - start),
                        "nats of patches": mean[0], "nats of images": mean[1]})  # fmt: skip
            print(*log[-1].values(), flush=True)
            sums[:] = 0
    return critic


CARD = """# The pretrained critic

What `leakage.patch_mi(critic="pretrained")` and `leakage.leak_map(critic="pretrained")` ask. It scores how well a patch and a ciphertext's, or two images' histograms, belong together. Its scores prove nothing by themselves: the test exchanges whole ciphertexts between pictures. It says nothing about security.

Made by `python {command}`, with {versions}, in {minutes:.0f} minutes on one core of a busy machine: {ciphers} ciphers in {steps} steps. SHA-256 of the weights: `{digest}`.

It saw {scenes} generated scenes of {side} x {side} pixels, a fifth of the time in colour, whose channels it reads one by one; crops of 8, 16 and 32 pixels; and the simulated ciphers of `leakage.estimators.simulated_ciphers`, of these families: {families}.

It did not see any photograph, nor any program of `leakage.schemes`. Families that were left out: {left_out}.

Blind spots that are known: permutation followed by diffusion, and keystreams that begin anew after hundreds of samples, mostly; a keystream that is public, or one for all pictures, for no single pair shows either; what a block cipher does to equal blocks, of which photographs have few; what relates the channels of a colour image; what lies between places far apart; pictures that change places within a set. What it does not find may be there.

`python benchmarks/pretrained.py` measures what it finds, also where it never saw the kind. Licence: BSD 3-Clause, as the code.
"""  # noqa: E501


def card(
    critic: PairCritic,
    log: list[dict[str, float]],
    digest: str,
    steps: int,
    command: str,
    left_out: Sequence[str],
) -> str:
    """What it is, what it saw and what it did not."""
    text = CARD.format(
        command=command, steps=steps, ciphers=CIPHERS * steps, digest=digest, side=SIDE,
        versions=stamp("", ["numpy", "torch"])[2:].split(";")[0],
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
    told = card(critic, log, digest, args.steps, command, args.leave_out)
    (folder / f"{NAME}.md").write_text(told, encoding="utf8")
    with (folder / f"{NAME}.csv").open("w", newline="", encoding="utf8") as file:
        rows = csv.DictWriter(file, log[0] if log else ["step"], lineterminator="\n")
        rows.writeheader()
        rows.writerows(log)
    return digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    own = Path(leakage.__file__).parent / "estimators"
    parser.add_argument("folder", nargs="?", type=Path, default=own)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(FAMILIES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    gone = {*args.leave_out, *(["composition"] if args.leave_out else [])}
    log: list[dict[str, float]] = []
    critic = train([f for f in FAMILIES if f not in gone], args.seed, args.steps, log)
    print("SHA-256", write(args.folder, critic, log, args))


if __name__ == "__main__":
    main()
