"""Cases of the chapters on estimators and embeddings."""

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from sentence_cases.values import NO, NOISE, YES, e, frame

# What a network sees of an encrypted image


def five(level, folds=3, different=40):
    """Five patches of forty; a refusal goes on, so that what it leads to can be seen."""
    images = np.arange(40, dtype=np.uint8)[:, None, None] % different
    return {
        "images": images, "groups": np.arange(40) // 4, "folds": folds,
        "encrypted": {level: images}, "refuse": lambda problems: None,
    }  # fmt: skip


LEVELS = (1, 2, 3, 4, 5, 6, 8)
LADDER = ("histogram", "stem", "head")


def ladder_z(histogram, stem, head, *, levels=LEVELS, at_eight=0.0, untested=0):
    deepest = dict(zip(LADDER, (histogram, stem, head), strict=True))
    z = pd.DataFrame({k: [9.0 if k <= d else 0.0 for d in deepest.values()] for k in levels})
    z.index = list(LADDER)
    if 8 in levels:
        z[8] = at_eight
    return {
        "z": z, "deepest": deepest, "limit": 3.5, "norm": norm, "untested": untested,
        "encrypted": dict.fromkeys(levels),
    }  # fmt: skip


EMBEDDINGS = {
    "emb-sources": [
        ("40 patches from 10 source pictures.* with 1 plane encrypted", five(1)),
        ("with 2 planes encrypted", five(2)),
        ("40 patches", five(1, folds=20)),
        ("40 patches", five(1, different=2)),
    ],
    "50418218": [
        ("sees up to 1 encrypted plane, .* up to 3 .* up to 6 .*nothing is seen", ladder_z(
            6, 3, 1)),
        ("sees none, the first convolution none, and the histogram none.*so this is chance",
         ladder_z(-1, -1, -1, at_eight=4.0)),
        ("In 2 of the 21 cells", ladder_z(2, 3, 1, untested=2)),
        ("of the levels 1, the last layer sees none", ladder_z(1, 1, -1, levels=(1,))),
    ],
    "emb-why": [
        ("^Why do", {"head": 1, "stem": 3, "bars": 6}),
        ("does not show", {"head": 3, "stem": 3, "bars": 6}),
    ],
    "emb-keep": [
        ("sees more than either", {"ordered": True, "head": 1, "stem": 3, "bars": 6}),
        ("sees none, .* up to 1 encrypted plane,", {
            "ordered": False, "head": -1, "stem": 1, "bars": 0}),
    ],
}  # fmt: skip


# Counting bits: the empirical estimator


def errors(ours, other):
    rows = ["plane reduction", "plug-in", "jackknife"]
    worst = frame(rows, **{c: [ours, 5.0, other] for c in ("one patch", "all patches")})
    return {"worst": worst, "images": NOISE[None]}


def shuffled(bits, low, clear=7.0):
    return {
        "blind": e(bits, low), "exact": lambda images, planes: clear, "images": NOISE[None]
    }  # fmt: skip


EMPIRICAL = {
    "06bc12a3": [
        ("nearly the same wrong answer", {"full_draws": [5.6, 5.61, 5.62]}),
        ("cannot be told apart", {"full_draws": [0.1, 0.2, 0.05]}),
    ],
    "04dc57ea": [
        ("1.00 times the prediction\\.", {
            "measured": [(0.2, 0.1, 0.3)], "predicted": [0.2], "sizes": [4096]}),
        ("too few samples for the formula", {
            "measured": [(0.2, 0.1, 0.3)], "predicted": [0.9], "sizes": [4096]}),
        ("more than the formula allows", {
            "measured": [(0.2, 0.1, 0.3)], "predicted": [0.1], "sizes": [4096]}),
    ],
    "32b854f1": [
        ("In both columns", errors(0.01, 0.3)),
        ("does not err least everywhere: on one patch, jackknife", errors(0.2, 0.1)),
    ],
    "emi-19b": [
        ("are none of them, and chance may well", {
            "null_p": [0.2, 0.3], "draws": 2, "binom": binom}),
        ("are 9 of them, more than the 3 that chance", {
            "null_p": [0.01] * 9, "draws": 9, "binom": binom}),
    ],
    "ecd0f29a": [
        ("Nothing stands out", shuffled(0.0, -0.1)),
        ("only says that patches differ", shuffled(1.0, 0.9)),
        ("that is a good part of everything", shuffled(6.0, 5.9)),
    ],
}  # fmt: skip


# MINE, held out


def judged(inside, outside):
    return {
        "in_sample": inside, "held_out": outside, "train": np.arange(80), "test": np.arange(80)
    }  # fmt: skip


def photographs(early, late, early_8=NO, late_8=NO, *full):
    layers = ["stem", "head"]
    values = {
        1: (early, late),
        8: (early_8, late_8),
        0: (e(4.0, None, None, None, *full, top1=1.0),) * 2,
    }
    results = {(n, k): v for k, both in values.items() for n, v in zip(layers, both, strict=True)}
    return {
        "results": results, "layers": layers, "layer": "stem",
        "saturated": dict.fromkeys(layers, bool(full)),
    }  # fmt: skip


def splits(by_photograph, by_patch, null=NO, null_by_patch=NO, sources=40, patches=160):
    return {
        "one_late": by_photograph, "by_patch": by_patch, "at_eight": {"head": null},
        "null_by_patch": null_by_patch, "sources": sources, "images": range(patches),
    }  # fmt: skip


def kept_of_mine(null):
    return {
        "at_eight": {"stem": NO, "head": null}, "in_sample": 2.0, "layer": "stem", "one_early": YES
    }  # fmt: skip


BARELY = e(0.05, -0.05, 0.15, 0.0001)
MINE = {
    "mine-04c": [
        ("160 gray patches", {"images": range(160), "mode": "gray", "sources": 40}),
        ("160 colour patches", {"images": range(160), "mode": "rgb", "sources": 40}),
    ],
    "03d5c182": [
        ("learnt its training pairs by heart.*a useless one", judged(2.0, -1.0)),
        ("wrong in the other direction.*not below zero", judged(-0.5, 0.1)),
        ("no more than one bit.*a useless one", judged(0.5, -1.0)),
    ],
    "e9780d7b": [
        ("errs on the low side", {"known": {0: NO, 1: e(0.7), 2: e(1.4)}}),
        ("At least one of them is above", {"known": {0: YES, 1: e(1.3), 2: e(2.4)}}),
    ],
    "8563d520": [
        ("whole interval is above 0.*both intervals contain 0", photographs(
            YES, YES, NO, NO, "saturated")),
        ("does not exclude 0: the size of the leak is not known", photographs(BARELY, BARELY)),
        ("do not tell the pairs.*of `head` does not contain 0: 1.00.*in twenty", photographs(
            NO, NO, NO, YES)),
        ("of `stem` does not contain 0: -0.30.*mislead the critics", photographs(
            YES, YES, e(-0.3), NO)),
    ],
    "fee9dfb5": [
        ("recognise so many .*100% at `stem` and 100% at `head`", photographs(
            YES, YES, NO, NO, "saturated")),
        ("no estimate is flagged so", photographs(YES, YES)),
    ],
    "7170e133": [
        ("raises the value.*both intervals contain 0", splits(e(1.0), e(2.0))),
        ("does not raise.*one of the two intervals", splits(e(1.0), e(0.9), NO, YES)),
        ("neither split.*each of the two intervals", splits(NO, NO, YES, YES)),
        ("^Each photograph gave one patch", splits(e(1.0), e(2.0), sources=160)),
    ],
    "e1d0dd50": [
        ("it finds nothing there", kept_of_mine(NO)),
        ("an interval excludes 0 there", kept_of_mine(YES)),
    ],
}  # fmt: skip
