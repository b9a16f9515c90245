"""Cases of the chapters on channels, and of measures side by side."""

from types import SimpleNamespace as Obj

import numpy as np
import pandas as pd

from sentence_cases.values import LOST, NO, YES, e, frame

# Where the truth is known

CHANNELS = ("Gaussian", "sparse, 2 of 128", "XOR of signs", "independent")


def on_clusters(gauss, clusters):
    return {
        "on_gauss": Obj(bits=gauss), "gauss": Obj(exact=Obj(bits=2.0)),
        "on_clusters": Obj(bits=clusters), "groups_apart": Obj(exact=Obj(bits=3.3)),
    }  # fmt: skip


def channels(estimates, low, p, network, canonical):
    table = frame(CHANNELS, exact=[2.0, 1.5, 1.0, 0.0], network=network, canonical=canonical)
    return {"table": table.assign(estimate_mi=estimates, low=low, high=low + 2, p=p)}


def bar_scenes(low, p):
    table = frame(range(1, 6), exact=[8.0, 5, 2, 1, 0], bars=[4.0, 2, 1, 0.1, 0], CNN=0.0, p=p)
    return {"scene_table": table.assign(**{"low, CNN": -0.1, "low": low}), "scenes": 150}


def adversaries(recovered, exact, low=0.0):
    """Three of them, each with so much at each level."""
    names = ("pixels", "patch statistics", "stem:grid")
    return {
        "adversaries": list(names), "levels": list(range(len(exact))), "templates": 16,
        "scenes": 1000, "drawn": [Obj(exact=e(v)) for v in exact],
        "recovered": {(n, k): (v, low, v) for n in names for k, v in enumerate(recovered)},
    }  # fmt: skip


def kept_of_truth(excess, shortfall, low, outlives):
    return on_clusters(2.0, 7.0) | {
        "excess": excess, "shortfall": pd.Series([shortfall]), "outlives": outlives,
        "independent": {"low": low, "high": 0.2},
    }  # fmt: skip


FULL = (4.0, 4.0, 4.0, 3.9, 3.5, 2.0, 1.5, 0.5, 0.0)
TRUTH = {
    "fce7796d": [
        ("far more than can be", on_clusters(2.1, 7.0)),
        ("less than twice the truth", on_clusters(1.0, 5.0)),
    ],
    "01d724e4": [
        ("next to nothing of two.*sees nothing of the XOR.*nowhere above .* at worst 0.50 bit"
         ".*detects every dependence", channels(
            [1.5, 1.2, 1.0, 0.0], -0.1, [0, 0, 0, 0.5], 0.1, 0.0)),
        ("finds 0.50 bit of the 1.50.*0.50 bit for the XOR.*in 3 of 4 channels, and nowhere "
         "below it.*does not detect, .*: XOR of signs\\. More", channels(
            [2.5, 2.5, 1.0, 1.0], 1.9, [0, 0, 0.2, 0.5], 0.5, 0.5)),
    ],
    "c902bce4": [
        ("Both are right.*detects every leak", bar_scenes(-0.1, [0, 0, 0, 0, 0.5])),
        ("an interval lies above.*detects 3 of 4 leaks from 150", bar_scenes(
            6.0, [0, 0, 0, 0.5, 0.0])),
    ],
    "a381172a": [
        ("index up to 6 planes.* Many pixels.*up to 3 planes by the adversary with pixels.*"
         "The gap is not an error", adversaries([4.0, 4, 4, 3, 0, 0, 0, 0, 0], FULL)),
        ("index up to 6 planes.*no gap shows", adversaries(FULL, FULL, low=1.0)),
        ("index only with no plane encrypted\\..*at no level by", adversaries([0.0], [4.0])),
        ("index at no level.*up to 1 plane by", adversaries([0.5, 0.4], [0.5, 0.4])),
    ],
    "22207a15": [
        ("or below it, at worst by 0.50.*contains 0.*leakage of a scene outlives",
         kept_of_truth(-0.1, 0.5, -0.1, True)),
        ("above the truth by more.*interval in one channel or more of this draw\\. .*excludes 0"
         ".*some adversary recovers", kept_of_truth(0.1, -0.5, 0.1, False)),
    ],
}  # fmt: skip


# How good are these estimators?


def methods_found(auto, infonce=1.0, truths=(0, 2), *flags):
    methods = {"auto": "estimate_mi", "infonce": "InfoNCE", "smile": "SMILE"}
    values = {"auto": auto, "infonce": infonce, "smile": 1.5}
    details = {"ceiling": 5.0, "donsker-varadhan": 1.0}
    found = {
        (m, b): e(values[m] if b else 0.0, None, None, None, *flags, **details)
        for m in methods for b in truths
    }  # fmt: skip
    return {"found": found, "methods": methods, "truths": list(truths)}


def certificates(*bits, truths=(0, 1, 2)):
    return {
        "certified": {t: Obj(bits=b) for t, b in zip(truths, bits, strict=True)},
        "truths": list(truths),
    }


ESTIMATORS = {
    "est-training": [
        ("here, and lies between", {"one": e(1.9, training=2.4), "truths": [0, 2]}),
        ("here, and does not lie between", {"one": e(1.0, training=1.5), "truths": [0, 2]}),
    ],
    "ee415272": [
        ("Nearest to the truth there is `estimate_mi`", methods_found(1.9)),
        ("is SMILE, off by 0.50 bit.*6 of the 6 estimates lie above", methods_found(
            3.0, 6.0, (0, 2), "above the exact value")),
        ("At 0 bit", methods_found(0.0, 0.0, (0,))),
    ],
    "est-15b": [
        ("No certified bound.*Every leak", certificates(0.0, 0.5, 1.5)),
        ("above the exact value at 0 bit.*Of 2 leaks of a bit or more, 1 are", certificates(
            0.1, 0.0, 1.5)),
        ("No certified bound is above the exact value\\.$", certificates(0.0, truths=(0,))),
    ],
    "a13020ea": [
        ("It is nearer", {"exact": Obj(bits=3.0), "rising": e(2.0, half=1.5, extrapolated=2.5)}),
        ("it is not nearer", {
            "exact": Obj(bits=3.0), "rising": e(2.9, half=1.5, extrapolated=4.5)}),
    ],
}  # fmt: skip


# What each measure sees, and where it is blind


def recorded_ladder(name):
    rows = [
        (r, k, z)
        for r, d in (("histogram", 7), ("head", 2))
        for k in range(1, 9)
        for z in [9.0 * (k <= d)]
    ]
    return pd.DataFrame(rows, columns=["rung", "planes", "z"]), ""


def seen_views(*levels):
    views = ["histogram", "head"]
    return {
        "ladder": {(v, k): YES if k in levels else NO for v in views for k in range(1, 9)},
        "views": views, "encrypted_levels": list(range(1, 9)), "recorded": recorded_ladder,
    }  # fmt: skip


def visual(levels, psnr=0.0, ssim=0.0, entropy=0.0, clear=None):
    """Levels whose metrics are so far from those of an unrelated ciphertext."""
    metrics = ("PSNR, dB", "SSIM", "entropy, bit")
    null = pd.Series([8.0, 0.0, 7.9], metrics)
    table = pd.DataFrame([null + np.array([psnr, ssim, -entropy])] * len(levels), index=levels)
    bits = {k: 7.0 * (8 - k) / 8 if clear is None else clear(k) for k in levels}
    return {
        "visual": table, "null": null, "levels": levels,
        "encrypted_levels": [k for k in levels if k], "exact": {k: e(v) for k, v in bits.items()},
    }  # fmt: skip


ALL = list(range(9))


def measured(levels, error, pixel, early, last, *flags, layer="stem"):
    """What the pixel estimate and MINE on both layers detect."""
    names = ("pixel plug-in", f"MINE, {layer}", "MINE, head")
    layers = list(dict.fromkeys([layer, "head"]))
    return {
        "levels": levels, "early": layer, "layers": layers,
        "seen": dict(zip(names, (pixel, early, last), strict=layer != "head")),
        "exact": {k: e(8.0 - k) for k in levels},
        "pixel": {k: e(8.0 - k + error) for k in levels},
        "held_out": {n: {0: e(4.0, None, None, None, *flags)} for n in layers},
    }  # fmt: skip


def kept_of_comparison(psnr, clear, middle=4):
    gap = pd.DataFrame({"PSNR, dB": [psnr], "SSIM": 0.0}, index=[middle])
    return {
        "gap": gap, "middle": middle, "middle_planes": f"{middle} planes", "even": True,
        "clear": clear, "first": "early", "last": "late", "shown_error": "0.001",
        "up_to": lambda name: "at no level",
        "deepest": {"histogram": 7, "stem": 5, "head": 2},
    }  # fmt: skip


COMPARISON = {
    "comparison-count": [
        ("1 source image\\.", {"images": range(9), "size": 32, "sources": 1}),
        ("2 source images\\.", {"images": range(9), "size": 32, "sources": 2}),
    ],
    "comparison-table-say": [
        ("^$", {"held_out": {"stem": {1: YES}}, "layers": ["stem"], "levels": [1]}),
        ("stem at 1 planes", {"held_out": {"stem": {1: LOST}}, "layers": ["stem"], "levels": [1]}),
    ],
    "ladder-say": [
        ("numbers of planes: 1, 2\\. .* goes further: to 7", seen_views(1, 2)),
        ("numbers of planes: 7, 8\\. .* goes to 7", seen_views(7, 8)),
        ("No view detects", seen_views()),
    ],
    "297234d1": [
        ("answer it after one plane.*close to the .*Yet 3.50 bit", visual(ALL)),
        ("still tell some levels.*does see a difference.*There 3.50 bit", visual(
            ALL, 3.0, 0.5, 2.0)),
        ("With all planes encrypted", visual([0, 8])),
        ("after 2 planes.*With 2 planes .*Yet", visual([0, 2, 8])),
        ("With one plane .*nothing to leak at this level", visual(
            [0, 1, 8], clear=lambda k: 3.0 * (k == 0))),
    ],
    "9bd94767": [
        ("to within 0.001 bit and detects a leak up to 7 planes.*up to 2 planes on the early .* "
         "up to 1 plane on the last", measured(
            ALL, 0.0005, list(range(8)), [0, 1, 2], [0, 1], "saturated")),
        ("up to 0.50 bit off.*only without encryption on the early .* at no level on the last",
         measured(ALL, 0.5, list(range(9)), [0], [])),
        ("at no level on the early", measured([1, 8], 0.001, [1], [], [1])),
        ("up to 1 plane on the last", measured([1, 8], 0.001, [1], [1], [1], layer="head")),
    ],
    "eef7dd9e": [
        ("are near their values", kept_of_comparison(0.5, 3.5)),
        ("still differ", kept_of_comparison(2.0, 3.5)),
        ("nothing left to leak", kept_of_comparison(0.5, 0.0)),
    ],
}  # fmt: skip
