"""Cases of the chapter on the critic that the package carries."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from sentence_cases.values import NO, YES, e

BOX = np.array([[True, False], [True, False]])
LEAKY = ["JPEG signs", "blocks shuffled"]


def table(first):
    """Scores of two pictures with two ciphertexts; the first fits its own so well."""
    return {"table": np.array([[first, 1.0], [0.0, 2.0]])}


def asked(missed, whole):
    return {
        "asked": {"all encrypted": whole}, "pictures": 8, "leaky": LEAKY, "missed": missed,
        "seen_here": [name for name in LEAKY if name not in missed],
        "counted_here": [], "ceiling": 3.0, "reach": 2.5e-5,
    }  # fmt: skip


def mapped(clear, low, marks):
    def one(mask):
        return SimpleNamespace(mask=np.array([mask]), marked=np.array([mask]))

    return {
        "box": BOX,
        "maps": {
            "box in the clear": one(clear), "two lowest planes": one(low),
            "all encrypted": one(np.full((2, 2), marks)),
        },
    }  # fmt: skip


def power(mine, other):
    return {
        "needed": {"pretrained critic": mine, "neighbourhoods counted": other},
        "numbers_of": [2, 4, 16],
    }


def enough(*pretrained):
    columns = {"pretrained": pretrained, "counting": 20.0, "trained": np.nan, "embedding": np.inf}
    return {
        "ways": list(columns),
        "enough": pd.DataFrame(columns, index=["skk", "tpe-sum"]),
    }


def adapted(before, after, bound):
    ways = {"pretrained": e(before, certified=bound), "adapted": e(after)}
    return {"both": ways}


def certified(rate):
    rows = {"pictures": [48], "sets": [200], "rate": [rate]}
    return {"runs_certified": pd.DataFrame(rows)}


def blind(*p):
    kinds = [f"kind {n}" for n in range(len(p))]
    left_out = pd.DataFrame({"p": p}, index=kinds)
    record = pd.concat([
        left_out.assign(part="left-out", pictures=6), left_out.assign(part="zoo", pictures=8),
        left_out[:1].assign(part="retrained", pictures=8),
    ])  # fmt: skip
    return {"left_out": left_out, "record": record, "taught": left_out["p"] / 10}


def kept(seen_here):
    return {
        "pictures": 8, "seen_here": seen_here, "leaky": LEAKY, "told_eight": 3,
        "left_out": range(4),
    }  # fmt: skip


HANDFULS = {
    "pretrained-12": [
        ("p-value of 0.500.*that is no evidence", {"trained": NO, "pictures": 8}),
        ("p-value of 0.000.*that is found", {"trained": YES, "pictures": 8}),
    ],
    "pretrained-23": [
        ("Each picture fits", table(3.0)),
        ("1 of 2 pictures fit", table(0.5)),
    ],
    "pretrained-28": [
        ("finds each of the 2 leaks.*finds nothing.*down to 2.5e-05", asked([], NO)),
        ("finds 1 of the 2 leaks; it misses JPEG signs.*reports a leak",
         asked(["JPEG signs"], YES)),
    ],
    "pretrained-35": [
        ("found from this one pair.*by 1.00.*found as well.*no place is marked",
         mapped(BOX, BOX, False)),
        ("not found in this pair.*by 0.00.*is not found.*4 places are marked",
         mapped(~BOX, ~BOX, True)),
    ],
    "pretrained-45": [
        ("in each set from 4 pictures on; counting from 16 on", power(4, 16)),
        ("only from 16 pictures on; counting misses it in some sets even with 16",
         power(16, None)),
        ("misses it in some sets, however many", power(None, None)),
    ],
    "pretrained-48": [
        ("which is most of them.*No other way.*enough for it with each", enough(4.0, 6.0)),
        ("In 0 of the 2.*not most.*fewer for skk; tpe-sum.*not enough for it with tpe-sum",
         enough(40.0, np.inf)),
    ],
    "pretrained-52": [
        ("taught it more.*0.20 bit are certified", adapted(0.7, 1.2, 0.2)),
        ("nothing that lasts.*certify nothing", adapted(0.7, 0.7, 0.0)),
    ],
    "pretrained-55": [
        ("In 1 of 200 sets.*as was promised", certified(0.005)),
        ("In 20 of 200 sets.*more than was promised", certified(0.1)),
    ],
    "pretrained-62": [
        ("2 of 2 kinds, nine of ten.*it is 2.*2 kinds that sixty.*2 are found so.*each is found.*"
         "of the 2 kinds of ciphers it finds 1 with eight.*carried 2", blind(0.0001, 0.0001)),
        ("1 of 2 kinds, fewer than nine.*Not found: kind 1", blind(0.0001, 0.5)),
    ],
    "pretrained-73": [
        ("public-keystream, skk\\..*opens without a key",
         {"unheard": {"public-keystream": NO, "skk": NO}}),
        ("none\\..*chance or an error", {"unheard": {"public-keystream": YES, "skk": YES}}),
    ],
    "pretrained-81": [
        ("each of 2 leaks is found", kept(LEAKY)),
        ("1 of 2 leaks are found", kept(LEAKY[:1])),
    ],
}  # fmt: skip
