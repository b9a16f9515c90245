"""Cases of the chapters on pictures, schemes and metrics."""

from types import SimpleNamespace as Obj

import numpy as np
import pandas as pd

from leakage.metrics import adjacent_correlation
from sentence_cases.values import CHECKS, FLAT, NOISE, RAMP, frame

# Encrypting bit planes


def enc_eye(image, at_four):
    return {"image": image, "encrypted": {4: at_four}, "adjacent_correlation": adjacent_correlation}


def enc_leaks(uniform, nonzero, changed=NOISE ^ 1):
    leaks = pd.DataFrame({"uniform keystream": uniform, "non-zero key": nonzero})
    leaks["excess"] = leaks["non-zero key"] - leaks["uniform keystream"]
    shown, encrypted = {8: changed}, {8: np.where(NOISE > 9, NOISE ^ 1, NOISE)}
    return {
        "leaks": leaks, "exact": uniform, "image": NOISE, "shown": shown, "encrypted": encrypted
    }  # fmt: skip


FALLS = [7.0, 6, 5, 4, 3, 2, 1, 0.5, 0]
ENCRYPTION = {
    "enc-eye": [
        ("as in noise: for the eye the picture is gone", enc_eye(RAMP, NOISE)),
        ("it is still", enc_eye(RAMP, RAMP)),
        ("have a correlation of -1.00", enc_eye(CHECKS, NOISE)),
        ("All samples of this picture are equal", enc_eye(FLAT, NOISE)),
        ("hardly correlated", enc_eye(NOISE, NOISE)),
    ],
    "65b97e4f": [
        (r"give away 3.00 bit, which is 43%", {"exact": FALLS}),
        ("no level gives anything away", {"exact": [0.0] * 9}),
    ],
    "enc-back": [
        (r"9 of the 9 .* 0 of the 8 .*different", {
            "right": [True] * 9, "wrong": [False] * 8, "twice": (NOISE, RAMP)}),
        (r"8 of the 9 .* 1 of the 8 .*equal", {
            "right": [True] * 8 + [False], "wrong": [True] + [False] * 7, "twice": (NOISE, NOISE)}),
    ],
    "e68335e0": [
        ("The excess is 1.00 bit .*prefers the flawed scheme", enc_leaks(
            FALLS, [7.0, 7, 5.5, 4.2, 3.1, 2.1, 1.1, 0.6, 0.1])),
        ("does not leak more at every level here.*does not tell the two apart", enc_leaks(
            FALLS, [7.0, 6.5, 5, 4.2, 3.1, 2.1, 1.1, 0.6, 0.1], NOISE)),
        ("Neither kind of key gives anything away", enc_leaks([0.0] * 9, [0.0] * 9)),
    ],
}  # fmt: skip


# Schemes as they are really used


def closed(high_public, logistic, low=0.0):
    rows = ["skk", "logistic-xor", "public-keystream"]
    table = frame(rows, exact=[6.5, logistic, 7.0], low=low, high=[7.0, 7.0, high_public])
    return {
        "table": table.assign(capacity=7.5, maximal=8.0), "gray": NOISE, "entropy": Obj(bits=7.0)
    }  # fmt: skip


def sketches(plain, drawn):
    return {"file": b"", "sketch": lambda data: plain, "drawn": drawn}


def kept_of_schemes(varies):
    return {
        "varies": varies, "schemes": {}, "of_skk": "90%", "of_etc": 0.01, "hides": {"le": 150.0}
    }  # fmt: skip


SCHEMES = {
    "cb0b0f93": [
        ("2 of 2 of these.*sees nothing of it: .*below 0.001 bit.*let", closed(0.0, 0.3)),
        ("sees nothing of it: its interval ends at 0.005", closed(0.005, 0.3)),
        ("does not know that: its interval ends at 0.500 bit.*lets 0 bit through\\.", closed(
            0.5, 0.0)),
        ("1 of 2 of these", closed(0.0, 0.3, low=1.0)),
        ("sees nothing", closed(0.0, 7.8)),
    ],
    "schemes-29": [
        ("have a correlation of 1.000", sketches(RAMP, RAMP)),
        ("have a correlation of -1.000", sketches(RAMP, 255 - RAMP)),
        ("the sketch shows nothing", sketches(FLAT, RAMP)),
    ],
    "3b1a5d32": [
        ("draw a sketch", kept_of_schemes(True)),
        ("the same in all blocks", kept_of_schemes(False)),
    ],
}  # fmt: skip


# Classical metrics, done right


def flips(changed, *p):
    rows = ["NPCR, pixel changed, %", *(f"NPCR, key bit flipped, {i}" for i, _ in enumerate(p))]
    battery = frame(rows, value=changed, p_value=[0.0, *p])
    return {"battery": battery, "images": NOISE[None], "npcr_fresh": 99.6}


STATISTICS = {"PSNR": 8.0, "SSIM": 0.01, "entropy": 8.0, "corr.": 0.0, "chi²": 255.0, "NPCR": 99.6}


def gallery(**others):
    """Ciphertexts like those of AES but for what is given."""
    names = ("AES-CTR", "public-keystream", "reused-keystream", "bitplane, 4", "permute-diffuse")
    table = pd.DataFrame({n: STATISTICS | others.get(n.split(",")[0], {}) for n in names}).T
    battery = frame([], null_sd=[])
    gaps = {"PSNR": 0.2, "SSIM": 0.01, "entropy": 0.001, "corr.": 0.01, "chi²": 40.0}
    return {
        "table": table, "battery": battery, "size": 256, "gaps": gaps, "noise": table.iloc[0],
        "exact_bits": lambda scheme: 4.0, "whole": 7.0,
    }  # fmt: skip


def arrival(at_four, half, left=()):
    blind, words = ("PSNR", "SSIM", "corr."), {"corr.": "correlation"}
    seen = {n: [0.0, 0, 0, 0, v, 1, 1, 1, 1] for n, v in zip(blind, at_four, strict=True)}
    found = dict.fromkeys([*blind, "entropy"])
    seen = {n: v for n, v in (seen | {"entropy": [0.0] * 9}).items() if n not in left}
    return {"blind": blind, "words": words, "seen": seen, "found": found, "hidden": [half] * 9}


def kept_of_metrics(told, arrived, share):
    return {"told": {"public-keystream": told}, "arrived": arrived, "share": share}


DARK = {"PSNR": 5.0}
METRICS = {
    "80fdadd7": [
        ("too few samples for p-values", flips(100 / 4096)),
        (": it passes", flips(100 / 4096, 0.5, 0.02)),
        ("comes by chance", flips(50.0, 0.5, 0.0002)),
    ],
    "6dc36905": [
        ("every statistic of its.*passes even that", gallery()),
        ("differs by chance in PSNR.*`reused-keystream` differs in PSNR here", gallery(
            **{"public-keystream": DARK, "reused-keystream": DARK})),
    ],
    "b1e18d75": [
        ("do not tell them.*does not notice either.*does not notice `perm", gallery()),
        ("By PSNR they can be told.*does notice, 999.*also notices `permute", gallery(
            bitplane=DARK | {"chi²": 999}, **{"permute-diffuse": {"chi²": 999}})),
    ],
    "c4b537fb": [
        ("PSNR, SSIM, correlation have arrived at noise, within 3 %, and 50%", arrival(
            (1, 0.99, 1.01), 0.5)),
        ("Left out: SSIM, correlation\\..*PSNR has arrived .* 90%", arrival(
            (1, 0.9, 0.9), 0.9, ("SSIM", "corr."))),
        ("none of PSNR, SSIM, correlation has arrived", arrival((0.5, 0.9, 0.9), 0.5)),
    ],
    "a0720361": [
        ("passes every.*PSNR reports noise while 40%", kept_of_metrics([], ["PSNR"], 0.4)),
        ("passes most.*PSNR, SSIM report noise", kept_of_metrics(
            ["PSNR"], ["PSNR", "SSIM"], 0.4)),
        ("At four planes 40% of what", kept_of_metrics([], [], 0.4)),
        ("nearly nothing", kept_of_metrics([], ["PSNR"], 0.0)),
    ],
}  # fmt: skip


# Explore one picture


def explored(marked=NOISE > 9, **pictures):
    view = Obj(pictures={"plain": NOISE, "ciphertext": RAMP, **pictures}, marked=marked)
    return {"view": view, "names": ["moon"], "picture": 0, "scheme": "bitplane"}


def leaks(exact, sampled, shuffled, p):
    rows = ["bit a sample, exact", "bit a sample, estimated", "bit a patch, stem"]
    columns = {"bits": [exact, sampled, 0.5], "shuffled": [0, shuffled, 0], "p": [0, 0, p]}
    return {"view": Obj(leaks=frame(rows, **columns)), "layer": "stem"}


EXPLORER = {
    "explorer-said": [
        ("guessed gives the picture back", explored(guessed=NOISE, replaced=RAMP)),
        ("guessed, folded give the picture back", explored(guessed=NOISE, folded=NOISE)),
        ("None gives the picture back", explored(guessed=RAMP)),
        ("No attack of less than a second.*marks 9.*of the picture", explored()),
        ("marks no place, which does not show", explored(NOISE > 255)),
    ],
    "d75bed3c": [
        ("is above what.*dependent at 5 %", leaks(5.0, 4.9, 0.2, 0.01)),
        ("sees nothing here.*cannot be told from nothing", leaks(5.0, 0.1, 0.2, 0.5)),
        ("sees nothing here", leaks(0.0, 0.0, 0.0, 0.5)),
    ],
}  # fmt: skip
