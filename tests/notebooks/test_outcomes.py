"""What the chapters say of pictures that nobody has seen: sentences have a form for each outcome.

Cells that say something are run alone, on values from `sentence_cases.py` that lie on either side
of their conditions. A cell fails here if a condition in it is never met, or always; if a claim may
fail and the words beside it stay the same; or if it compares a number in a sentence that is
printed whatever comes out. Such sentences are listed in `ALWAYS`, each for a reason: they are true
by construction, are about a recorded run, or say a number and leave it at that.

What this cannot see: a comparison in none of the words of `COMPARES`, without a number, in a
Markdown cell, or in a sentence that has forms for something else; a claim that fails in no case
alone; and whether both forms are right. The patterns of the cases are for that.
"""

import ast
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from sentence_cases import CASES

import leakage
from leakage.estimate import FOLDS_DISAGREE, p_text

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

COMPARES = re.compile(
    r"\b(more|less|most|least|fewer|few|nearly|near|close|far|above|below|beyond|exceeds?|larger?"
    r"|largest|smaller|smallest|higher|highest|lower|lowest|better|best|worse|worst|as much|twice"
    r"|never|nothing|none|no|not|cannot|every|each|all|only|alone|yet|too)\b",
    re.IGNORECASE,
)
#: Cells about recorded runs and published figures, which are what they are on any pictures: the
#: build of the book fails if a claim about them does.
RECORDED = {
    ("encryption", "23a82faa"),
    ("comparison", "ladder-claims"),
    ("audit", "audit-23"),
    ("audit", "audit-26"),
    ("scale", "a28e3e27"),
    ("scale", "2c6d250e"),
    ("estimators", "estimators-06"),
    ("estimators", "b1126374"),
    ("estimators", "088d07f6"),
    ("estimators", "board-scores"),
    ("estimators", "board-losses"),
    ("estimators", "board-says-more"),
    ("estimators", "promises-leaks"),
    ("estimators", "promises-says"),
    ("ground-truth", "generated-table"),
    ("ground-truth", "generated-says"),
    ("estimators", "43bd8d45"),
}
#: Claims that no sentence repeats, or one that gives their number and leaves it at that.
TOLD_AS_NUMBERS = (
    "intervals hold the exact value",  # "2 of 5"
    "no exact value is above its capacity",  # an inequality of information theory
)
#: Sentences that compare and are printed whatever comes out, without their numbers.
ALWAYS = {
    # true by construction, of the chapter or of what it names
    "A level counts as seen when $z$ exceeds #.",
    "If nothing leaked anywhere, that would happen by chance in about one of # such tables.",
    "Put every pair of a sample and its ciphertext into a table of # by # counts.",
    "The plug-in estimator reports # of leakage for full AES encryption of one patch, where "
    "nothing leaks.",
    "Judged on its training pairs, MINE reports # bit for full AES encryption, where nothing "
    "leaks.",
    "The corrected pixel estimate is within # bit of the truth at every level.",
    "Each ciphertext meets about # suspects, from photographs that trained nothing, and other "
    "patches of its own photograph are not among them; guessing finds # %.",
    "Block scrambling, `etc`, hides at most # bit a sample.",
    "it hides at most # bits of this picture of # samples, and no more of a larger one.",
    "Scrambling blocks hides at most # bit a sample of this picture, LE at most # bits whatever "
    "its size.",
    "With all patches clear, # bit are there.",
    "SMILE reports # bit; the Donsker-Varadhan bound of the very same critics is # bit, and only "
    "this second number is a bound.",
    # of a recorded run
    "Its numbers are distances from the null in standard deviations, medians over five keys and "
    "splits; beyond about # the leak is beyond doubt.",
    # numbers, and no more
    "The bottom row shows what the last layer takes each encrypted patch for, with # encrypted:",
    "Encrypted twice with fresh nonces, not even a sample of the picture changed, the NPCR is # %.",
    "On all # samples the plug-in is wrong by up to # bit, the jackknife on all planes by # bit, "
    "and the plane reduction by # bit.",
    "On a single patch the best correction, jackknife, errs by up to # bit, and the plane "
    "reduction by # bit.",
    "The largest error is #, at level #.",
    "With fewer planes and a jackknife the largest error on # samples is #.",
    "Half of the pairs of vectors give # bit, all of them # bit, and the extrapolation # bit.",
    "On # pairs of photographs that it has not seen, the very same critic gives # bit.",
}


def saying_cells(path):
    """Code cells that say something, but for the list of claims."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and re.search(r"^ *say\(", cell.source, re.MULTILINE):
            yield cell


CELLS = [(path.stem, cell.id, cell.source) for path in NOTEBOOKS for cell in saying_cells(path)]
each = pytest.mark.parametrize(
    ("chapter", "name", "source"), CELLS, ids=[f"{chapter}-{name}" for chapter, name, _ in CELLS]
)


@cache
def definitions(chapter):
    """The functions that a chapter defines, compiled."""
    cells = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4).cells
    sources = [c.source for c in cells if c.cell_type == "code" and "%pip" not in c.source]
    found = [node for source in sources for node in ast.parse(source).body]
    found = [node for node in found if isinstance(node, ast.FunctionDef)]
    for node in found:
        node.decorator_list = []
    return [compile(ast.Module([node], []), chapter, "exec") for node in found]


def names_of(chapter, case):
    """What a cell finds when it runs: imports, the chapter's functions, and the case."""
    names = {"np": np, "pd": pd, "leakage": leakage, "p_text": p_text}
    names |= {"FOLDS_DISAGREE": FOLDS_DISAGREE} | case
    for code in definitions(chapter):
        with suppress(NameError):  # a default that only the whole chapter has
            exec(code, names)
    return names | case


class Watch(ast.NodeTransformer):
    """Conditions report how they come out, claims say where they stand."""

    def __init__(self):
        self.conditions = {}  # how each is written

    def _watched(self, node):
        self.generic_visit(node)
        place = (node.test.lineno, node.test.col_offset)
        self.conditions[place] = ast.unparse(node.test)
        call = ast.Call(ast.Name("met", ast.Load()), [ast.Constant(place), node.test], [])
        node.test = ast.copy_location(call, node.test)
        return node

    visit_If = visit_IfExp = _watched

    def visit_Call(self, node):
        self.generic_visit(node)
        if getattr(node.func, "id", "") == "claim":
            node.args.insert(0, ast.Constant(node.lineno))
        return node


def run(chapter, source, case, outcomes):
    """Text that a cell says on the values of a case, and whether each of its claims holds."""
    tree = ast.parse(source)
    watch = Watch()
    code = compile(ast.fix_missing_locations(watch.visit(tree)), chapter, "exec")
    for place, condition in watch.conditions.items():
        outcomes.setdefault((place, condition), set())
    said, claims = [], {}

    def met(place, value):
        outcomes[place, watch.conditions[place]].add(bool(value))
        return value

    def claim(line, text, holds):
        claims.setdefault(line, []).append((text, bool(holds)))

    names = names_of(chapter, case) | {"met": met, "claim": claim, "say": said.append}
    exec(code, names)
    text = "\n".join(re.sub(r"^ +", "", part.strip(), flags=re.MULTILINE) for part in said)
    return text, {
        line: (found[0][0], all(holds for _, holds in found)) for line, found in claims.items()
    }


def skeleton(text):
    """The words of a text, without its numbers."""
    return re.sub(r"(< )?[+-]?\d[\d,.]*(?<![.,])", "#", text)


def sentences(text):
    """Sentences and lines of a text, without their numbers."""
    return {s.strip(" -") for s in re.split(r"(?<=[.:])\s+|\n", skeleton(text)) if s.strip(" -")}


def written(source):
    """The text that a cell without conditions says, # in place of what it computes."""
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    said = [n.args[0] for n in calls if getattr(n.func, "id", "") == "say" and n.args]
    constants = [
        "".join(v.value if isinstance(v, ast.Constant) else "#" for v in getattr(n, "values", [n]))
        for n in said
    ]
    return "\n".join(constants)


def test_cases_are_of_cells_that_there_are():
    there = {(chapter, name) for chapter, name, _ in CELLS}
    assert {(chapter, name) for chapter in CASES for name in CASES[chapter]} <= there


@each
def test_sentences_have_a_form_for_each_outcome(chapter, name, source):
    if (chapter, name) in RECORDED:
        return
    cases = CASES.get(chapter, {}).get(name, [])
    outcomes, runs = {}, []
    for pattern, case in cases:
        text, claims = run(chapter, source, case, outcomes)
        assert re.search(pattern, text, re.DOTALL), text
        assert not re.search(
            r"\b(nan|None(?! gives)|inf)\b|[^\S\n]{2}|\s[,.;:]\s|\(\)|\.\.", text
        ), text
        runs.append((skeleton(text), claims, text))
    if not cases:
        conditions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.If | ast.IfExp)]
        assert not conditions, "no values for the conditions of this cell in sentence_cases.py"
    one_way = {condition: met for (_, condition), met in outcomes.items() if len(met) < 2}
    assert not one_way, "these conditions come out one way only"

    lines = {line: text for _, claims, _ in runs for line, (text, _) in claims.items()}
    for line, text in lines.items():
        if any(told in text for told in TOLD_AS_NUMBERS):
            continue
        holds, fails = (
            {words for words, claims, _ in runs if claims.get(line, ("", None))[1] is outcome}
            for outcome in (True, False)
        )
        assert holds, f"no case where this claim holds: {text}"
        assert fails, f"no case where this claim fails: {text}"
        assert not holds & fails, f"the words are the same whether it holds or not: {text}"

    always = (
        set.intersection(*(sentences(t) for *_, t in runs)) if runs else sentences(written(source))
    )
    compare = {s for s in always if "#" in s and COMPARES.search(s)}
    assert compare <= ALWAYS, "these sentences compare, and are printed whatever comes out"
