"""Cases of the chapter on the paper's claims."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from sentence_cases.values import NO, YES, e


def naive(bits, last):
    return {"naive": {"stem": e(bits), "head": e(bits)}, "last": last, "images": range(500)}


def detection(deepest, unseen=(), alarms=0):
    return {
        "deepest": {("MINE", "stem"): deepest, ("MINE", "head"): 0},
        "reach": deepest, "unseen": list(unseen), "alarms": alarms,
        "exact": {3: e(4.9), 5: e(2.9)},
    }  # fmt: skip


def space(counted, neighbours, seers=(), kept=()):
    return {"counted": counted, "neighbours": neighbours, "seers": seers, "kept": dict(kept)}


KEPT = {"MINE on the stem at one plane": (1.4, 1.2)}


HIDDEN = np.array([[True, False], [True, True]])


def mapped(box, marked):
    """Maps of which one finds the box or not, and the last has so much of it marked."""
    maps = {"clear box": SimpleNamespace(mask=np.array(box), marked=np.array(box))}
    for name in ("JPEG signs", "thumbnail kept"):
        maps[name] = SimpleNamespace(marked=np.ones((2, 2)))
    maps["all encrypted"] = SimpleNamespace(marked=np.full((2, 2), marked))
    return {"maps": maps, "hidden_part": HIDDEN, "sources": 19}


def by_critic(lowest, blind):
    """Two levels and two schemes, of which those in `blind` are not seen."""
    planes = {"what": ["1 planes", "8 planes"], "inputs": "bits", "bits": [lowest, 0.0]}
    zoo = pd.DataFrame({"what": ["public-keystream", "skk"]})
    return {
        "by_patch": pd.DataFrame({"ceiling": [9.6]}), "planes_told": pd.DataFrame(planes),
        "zoo_told": zoo.assign(p=[0.9 if name in blind else 0.0 for name in zoo["what"]]),
    }  # fmt: skip


def controlled(blind, heads=(1.2, 0.1), apart=1.3, many=1.1):
    """Two networks, of which so many are blinder at the end; and filters."""
    of_lite = [f"efficientnet_lite0, {depth}, " for depth in ("stem", "head")]
    bits = {f"{n} random 3x3 filters, rectified, mean": b for n, b in ((32, 1.0), (1280, many))}
    bits |= {name + how: 1.2 for name in of_lite for how in ("mean", "std")}
    bits |= {name + "grid": apart for name in of_lite}
    bits |= dict(zip(("trained", "untrained"), heads, strict=True))
    column = pd.Series(bits)
    return {
        "blinder": {"a": blind > 0, "a untrained": blind > 1, "b": blind > 2},
        "networks": {"efficientnet_a": ["trained"], "efficientnet_a untrained": ["untrained"]},
        "depths": ["stem", "head"], "clearly": lambda less, more: bits[more] - bits[less] > 0.2,
        "control": {"bits": {1: column, 2: column}}, "controls": pd.DataFrame({"seed": [0, 1, 2]}),
    }  # fmt: skip


def written(bits, gray, most=9.0, nothing=True, seven=7):
    given = {"bits": bits, "gray": gray} if seven else {}
    return {"seven": seven, "given": given, "ceiling": {("bits", 7): most}, "nothing": nothing}


def verdict(reach, unseen=(), seers=(), kept=(), bits=8.0, gray=0.0, seven=7):
    return detection(reach, unseen) | space(NO, YES, seers, kept) | written(
        bits, gray, seven=seven
    )  # fmt: skip


CLAIMS = {
    "claims-12": [
        ("which gives away nothing.*They count chance", naive(0.5, 8)),
        ("which gives away nothing.*How much of that", naive(0.0, 8)),
        ("with 3 encrypted planes.*How much of that", naive(0.5, 3)),
    ],
    "claims-16-says": [
        ("stem up to 2 planes; .* on the head at no level.*With 3 planes.*neither reports",
         detection(2, [3])),
        ("up to one plane.*At each level below eight.*reported 1 times", detection(1, alarms=1)),
        ("With 3 planes", detection(0, [3])),
    ],
    "claims-26-says": [
        ("finds nothing, and counting neighbours finds 1.0.*found by MINE, stem.*1.40 bit",
         space(NO, YES, ["MINE, stem"], KEPT)),
        ("reports a leak.*finds nothing on these pictures.*neither estimator.*enough to be parted",
         space(YES, NO)),
    ],
    "claims-maps-says": [
        ("box is found: 100%.*JPEG signs, 100%.*no place is marked", mapped(~HIDDEN, 0)),
        ("box is not found.*: 0%.*100% of the places are marked", mapped(HIDDEN, 1)),
        ("needs 10 source images or more, and there are 7", {"maps": {}, "sources": 7}),
    ],
    "claims-patches-says": [
        ("tells nearly all.*9.50 of 9.60.*opens without a key",
         by_critic(9.5, ["public-keystream"])),
        ("does not tell all.*3.00 of 9.60.*nothing in these: skk", by_critic(3.0, ["skk"])),
        ("nothing in these: none", by_critic(9.5, [])),
    ],
    "claims-controls-says": [
        ("Depth\\.\\*\\* In 3 of 3.*softens the fall.*Hardly pooling.*Not dimension.*of 3 keys",
         controlled(3)),
        ("Depth does not decide.* In 1 of 3.*does not soften.*Pooling too.*Dimension too",
         controlled(1, heads=(0.1, 1.2), apart=0.5, many=2.0)),
    ],
    "claims-33-says": [
        ("nearly every patch.*depends on how samples.*finds nothing", written(8.9, 0.0)),
        ("can tell\\. .*hardly matters.*reports a leak", written(2.0, 1.9, nothing=False)),
        ("^For full", written(0, 0, seven=0)),
        ("depends on how", written(8.9, 0.0, nothing=None)),
    ],
    "claims-43": [
        ("says how it reads", {"rows": {3: {"exact, bit a sample": 2.9}}}),
        ("little is left", {"rows": {3: {"exact, bit a sample": 0.1}}}),
    ],
    "claims-51": [
        ("for the first planes.*not found.*holds in part.*found by MINE, stem; .*86% stays",
         verdict(2, [3], ["MINE, stem"], KEPT)),
        ("holds at each level.*\\*\\*holds\\*\\*.*written as bits", verdict(2, (), ["MINE, stem"])),
        ("not seen on these.*not found in embedding space.*makes no difference",
         verdict(0, gray=8.0)),
        ("no level below 8", verdict(0, seven=0)),
    ],
}  # fmt: skip
