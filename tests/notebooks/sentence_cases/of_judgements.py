"""Cases of the chapters on attacks, audits and studies."""

from pathlib import Path
from types import SimpleNamespace as Obj

import numpy as np
import pandas as pd

from sentence_cases.values import LOST, NOISE, RAMP, YES, frame

# Attacks


def guesses(median, mean):
    return {
        "unwrapped": pd.DataFrame({"median, %": [median, 0], "mean, %": [0, mean]}, index=[1, 2])
    }


def rate(value, low, chance=0.05):
    return Obj(rate=value, low=low, high=1.0, chance=chance)


def identified(aes, etc_low, estimate=YES):
    table = pd.DataFrame({"first": [aes, 0.3], "low": [0.0, etc_low]}, index=["bitplane, 8", "etc"])
    return {
        "shuffled": [0.02, 0.04],
        "found_table": table, "images": range(60), "chance": 0.05, "candidates": 20,
        "results": {"etc": (None, None, estimate)},
    }  # fmt: skip


def needed(bits, rows=1, silent=()):
    kept = frame([f"scheme {i}" for i in range(rows)], **{"bits needed": bits, "upper end": 1.0})
    return {"kept": kept, "silent": list(silent)}


PAIR = np.stack([NOISE, RAMP])
ATTACKS = {
    "fc67909c": [
        ("99.0 % of all top bits.*spreads further, and 60 %", guesses(99.0, 60.0)),
        ("no more than 50.0 %.*about the 25 %", guesses(50.0, 25.0)),
    ],
    "attacks-12-say": [
        ("2 patches 2 are", {"images": PAIR, "shown": [0, 1], "solved": PAIR}),
        ("2 patches 1 is", {"images": PAIR, "shown": [0, 1], "solved": PAIR[[0, 0]]}),
        ("2 patches none is", {"images": PAIR, "shown": [0, 1], "solved": PAIR[::-1]}),
    ],
    "attacks-16": [
        ("learns to undo SKK.*it learns nothing", {
            "learned": {"skk": rate(0.9, 0.8), "bitplane": rate(0.05, 0.0)}, "steps": 300}),
        ("cannot be shown.*more than chance too", {
            "learned": {"skk": rate(0.1, 0.0), "bitplane": rate(0.5, 0.3)}, "steps": 300}),
    ],
    "bb185a9a": [
        ("folds of all estimates agree", identified(0.05, 0.2)),
        ("gives no number: etc", identified(0.9, 0.0, LOST)),
    ],
    "6593eba9": [
        ("success of 1 of 1 attacks.*No attack is left out", needed(0.5)),
        ("success of 0 of 2 attacks.*too low for scheme 0, scheme 1.*Left out.*: etc", needed(
            2.0, 2, ["etc"])),
        ("no estimate can be relied on", needed(0.5, 0)),
    ],
    "3685edac": [
        ("hides little from", {"falls": True, "median": 99.0}),
        ("only where pictures are smooth.* 50.2 % .* chance gives 50 %", {
            "falls": False, "median": 50.2}),
    ],
}  # fmt: skip


# Audit your own scheme


def audited(cipher, images=9, shapes=((64, 64),)):
    return {
        "found": Obj(settings={"pairs": 60, "size": "64x64"}, verdict="Undecided."),
        "cipher": cipher, "source": "photographs", "scheme": "etc", "images": range(images),
        "pairs": Obj(shapes=list(shapes)), "high": 64, "wide": 64,
    }  # fmt: skip


def answers(yes, unanswered, no, certified=0.0, cipher=""):
    leaks = ["yes"] * yes + ["open"] * unanswered + ["no"] * no
    return {
        "findings": pd.DataFrame({"leaks": leaks, "finding": "a question"}), "cipher": cipher,
        "found": Obj(certified_bits=certified), "of": {"pairs": 60},
    }  # fmt: skip


def finding(leaks, p=0.5, name="stem"):
    return Obj(leaks=leaks, p_value=p, name=name)


def cleared(leaks, certified=0.0, p=0.5):
    return {"clean": Obj(
        leaks=leaks, certified_bits=certified, verdict="So.",
        findings=[finding(bool(leaks), p)], settings={"independent images": 3},
    )}  # fmt: skip


def public(pairs, scheme):
    both = {
        k: Obj(leaks=v, findings=[finding(bool(v))])
        for k, v in (("from_pairs", pairs), ("from_scheme", scheme))
    }
    words = {True: "leak", False: "no leak detected", None: "undecided"}
    return {"answers": words, "few": range(60), **both}


def flawed(*names):
    return {"own": Obj(verdict="So.", findings=[finding(True, name=n) for n in names])}


AUDIT = {
    "audit-verdict": [
        ("the scheme `etc`", audited("")),
        ("the pairs in `photographs` and `folder`.*use the first 9.*upper left", audited(
            "folder", shapes=[(64, 64), (80, 80)])),
        ("the pairs in", audited("folder", 60)),
    ],
    "audit-forest-say": [
        ("A square is a leak", {"forest": lambda found: 1, "found": None}),
        ("There is no figure", {"forest": lambda found: None, "found": None}),
    ],
    "e7d306f1": [
        ("first 2 rows are.*answer 2 questions.*Left out are 5.*far below the truth", answers(
            2, 2, 5, 1.0)),
        ("The first row is a leak.*answer one question.*Each of your images", answers(
            1, 1, 5, cipher="folder")),
        ("No row is a leak.*No question was left open.*none follows.*Each patch", answers(
            0, 0, 5)),
        ("Every question that was answered found", answers(3, 0, 0)),
    ],
    "audit-13-say": [
        ("we plant a leak", cleared(False)),
        ("we plant a leak", cleared(False, p=None)),
        ("With 3 images that differ", cleared(None)),
        ("false alarm \\(stem\\)", cleared(True, 0.1)),
    ],
    "audit-17-say": [
        ("what its pairs cannot show", public(False, True)),
        ("the pairs are accused too", public(True, True)),
        ("the scheme is not accused either", public(None, False)),
    ],
    "217a9292": [
        ("The audit names it", flawed("stem", "missing differences")),
        ("finds something else of it: stem", flawed("stem")),
        ("does not find the flaw", flawed()),
    ],
}  # fmt: skip


# Studies: from a laptop to a cluster


class Saved:
    """Stands for pandas in the cell that reads a table back."""

    def __init__(self, table):
        self.table = table

    def read_parquet(self, path):
        return self.table


def studied(*pixels, stem=1.0, errors=("",), saved=None):
    table = pd.DataFrame({"error": errors})
    rungs = {"pixels": list(pixels), "stem": [stem] * 2, "head": [1.0] * 2}
    return {
        "table": table, "pd": Saved(table if saved is None else saved), "folder": Path(),
        "of_rung": rungs.get, "exact": [4.0, 0.0], "levels": [0, 8],
    }  # fmt: skip


def tables(same, *errors):
    table = pd.DataFrame(
        {"error": [""], "bits": 1.0, "seconds": 1, "shared_seconds": 1, "memory_mb": 1}
    )
    far = table.assign(bits=1.0 if same else 2.0, error=list(errors) or [""])
    return {"table": table, "far": far}


class Cell:
    """Stands for a file that was written at some time."""

    def __init__(self, now):
        self.now = now

    def stat(self):
        return Obj(st_mtime_ns=self.now)


def resumed(bits, *times):
    table = pd.DataFrame({"bits": [1.0], "seconds": 1})
    lost, others = Cell(9), [Cell(time) for time in times]
    return {
        "table": table, "again": table.assign(bits=bits), "varying": ["seconds"],
        "before": dict.fromkeys([lost, *others], 1), "lost": [lost],
    }  # fmt: skip


SCALE = {
    "5995cfa6": [
        ("within 0.001 bit of the exact", studied(4.0, 0.0)),
        ("up to 1.00 bit off.*No number to rely on: stem at 0, stem at 8 planes", studied(
            5.0, 0.0, stem=np.nan)),
        ("Some estimates of pixels failed.*2 cells failed. The first error: no memory", studied(
            np.nan, 0.0, errors=("no memory", "lost"), saved=pd.DataFrame())),
    ],
    "scale-12-say": [
        ("Only the columns", tables(True)),
        ("1 cell failed on the cluster. The first error: no memory", tables(False, "no memory")),
        ("more than the columns", tables(False)),
    ],
    "scale-13-say": [
        ("came back as they were, and none of the other 1 was", resumed(1.0, 1)),
        ("came back as they were, and 2 of the other 3 were", resumed(1.0, 1, 2, 2)),
        ("did not come back as they were, and none of", resumed(2.0, 1)),
    ],
}  # fmt: skip
