"""Tables of what views of images show, what they say of images they did not see, and the choice."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from leakage.estimators.counting import SAMPLES_PER_CELL
from leakage.estimators.pixels import reduced
from leakage.estimators.views import View, through
from leakage.evidence.splits import split_by_group

#: A view of more than samples must tell this much more than samples do, or samples are reported.
MORE = 1.05
#: Standard errors over validation folds by which a view must tell more than nothing.
CAUTION = 2.0
#: Strength of the pull towards independence, in samples for each code.
PULL = 4.0
#: Images of other groups that each image is paired with: as many as make so many pairs of samples.
FEWEST_TURNS, MOST_TURNS, PAIRED = 3, 11, 3_000_000
#: Such pairs for each cell of a table that are worth as much as the product of the two laws.
TRUSTED = 20


class Tables(NamedTuple):
    """Counts of pairs of codes, one table a fold: of own ciphertexts, and of others' by chance."""

    own: np.ndarray
    chance: np.ndarray

    def of(self, folds: list[int]) -> "Tables":
        """The sums over some folds."""
        return Tables(self.own[folds].sum(0), self.chance[folds].sum(0))


class Candidate(NamedTuple):
    """A view, perhaps through some planes, with its tables."""

    view: View
    planes: str  # empty: as it is
    tables: Tables

    @property
    def name(self) -> str:
        return f"{self.view.name}, {self.planes}" if self.planes else self.view.name

    def codes(self, plain: np.ndarray, cipher: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = self.view.codes(plain, cipher)
        return (through(self.planes, a), through(self.planes, b)) if self.planes else (a, b)


def _product(table: np.ndarray) -> np.ndarray:
    """The law of codes that have nothing to do with each other."""
    rows, columns = table.sum(1) + 0.5, table.sum(0) + 0.5
    return np.outer(rows / rows.sum(), columns / columns.sum())


def ratios_of(tables: Tables) -> np.ndarray:
    """log2 of how much likelier each pair of codes is than by chance, drawn towards 0.

    Chance is what other images' ciphertexts give at the same places, so that what places have in
    common is no information; of a large table, for which these are too few, nearly the product.
    """
    own, chance = tables
    product = _product(own)
    alike = TRUSTED * own.size
    expected = (chance + alike * product) / (chance.sum() + alike)
    pull = PULL * len(own)
    return np.log2((own / expected + pull) / (own.sum() + pull))


class Said(NamedTuple):
    """What ratios say of a fold, in bits: mean of own pairs, less log2 of the mean by chance."""

    bits: float
    chance: float
    noise: float  # standard deviation of the latter in bits, from pairs alone


def said_of(ratios: np.ndarray, tables: Tables) -> Said:
    own, others = tables
    if not own.any():
        return Said(0.0, 1.0, 0.0)
    if not others.any():
        others = _product(own)
    likely = np.exp2(ratios)
    chance = float((others * likely).sum() / others.sum())
    bits = float((own * ratios).sum() / own.sum()) - math.log2(chance)
    # within a fold of two groups both share every pair, and the spread over groups shows nothing
    spread = math.sqrt(float((others * (likely - chance) ** 2).sum())) / others.sum()
    return Said(bits, chance, spread / chance / math.log(2))


class Dealt(NamedTuple):
    """Folds of the images of a batch, and images of other groups of the same fold, in turns."""

    fold: np.ndarray
    partners: np.ndarray  # (turns, images); -1 for none

    @classmethod
    def of(cls, groups: np.ndarray, folds: int, samples: int, rng: np.random.Generator) -> "Dealt":
        fold = split_by_group(groups, folds, rng)
        turns = min(max(PAIRED // samples, FEWEST_TURNS), MOST_TURNS)
        partners = np.full((turns, len(groups)), -1)
        for held in range(folds):
            own = np.flatnonzero(fold == held)
            own = own[np.argsort(groups[own], kind="stable")]
            ends = len(own) / (turns + 1)
            shifts = np.unique(np.linspace(ends, len(own) - ends, turns).round())
            for turn, shift in enumerate(shifts.astype(int)):
                others = np.roll(own, -shift)
                partners[turn, own] = np.where(groups[others] != groups[own], others, -1)
        return cls(fold, partners)


def tables_of(
    view: View, plain: np.ndarray, cipher: np.ndarray, dealt: Dealt, folds: int
) -> Tables:
    a, b = view.codes(plain, cipher)
    cells = view.levels**2
    left = a.astype(np.intp) * view.levels + (dealt.fold * cells)[:, None]

    def counted(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        found = np.bincount((left[rows] + b[others]).ravel(), minlength=folds * cells)
        return found.reshape(folds, view.levels, view.levels)

    every = np.arange(len(a))
    chance = np.zeros((folds, view.levels, view.levels), np.intp)
    for others in dealt.partners:
        rows = np.flatnonzero(others >= 0)
        chance += counted(rows, others[rows])
    return Tables(counted(every, every), chance)


def candidates_of(tables: dict[str, tuple[View, Tables]]) -> Iterator[Candidate]:
    """Every view that has samples for its table, bytes through fewer planes too."""
    for view, of_view in tables.values():
        if view.levels < 256:
            yield Candidate(view, "", of_view)
            continue
        own, chance = ([dict(reduced(one)) for one in of] for of in of_view)
        for planes in own[0]:
            small = Tables(*(np.stack([one[planes] for one in of]) for of in (own, chance)))
            total = small.own.sum(0)
            if total.sum() >= SAMPLES_PER_CELL * np.count_nonzero(total):
                yield Candidate(view, planes, small)


class Choices:
    """Scores of all candidates, each pair of folds judged by all others, looked up as needed."""

    def __init__(self, candidates: list[Candidate]):
        self.candidates = candidates
        self._scores: dict[tuple[frozenset[int], int], np.ndarray] = {}
        self._ratios: dict[frozenset[int], list[np.ndarray]] = {}

    def _judged(self, teach: frozenset[int], held: int) -> np.ndarray:
        if (teach, held) not in self._scores:
            if teach not in self._ratios:
                self._ratios[teach] = [
                    ratios_of(c.tables.of(sorted(teach))) for c in self.candidates
                ]
            found = [
                said_of(ratios, c.tables.of([held])).bits
                for c, ratios in zip(self.candidates, self._ratios[teach], strict=True)
            ]
            self._scores[teach, held] = np.array(found)
        return self._scores[teach, held]

    def chosen(self, teach: frozenset[int]) -> tuple[Candidate, float]:
        """What tells most when folds of `teach` are judged by the rest of these, and how much."""
        of_folds = np.array([self._judged(teach - {held}, held) for held in sorted(teach)])
        error = of_folds.std(0, ddof=1) / math.sqrt(len(of_folds))
        scores = of_folds.mean(0) - CAUTION * error
        alone = np.array([c.view.name == "samples" for c in self.candidates])
        best = int(scores.argmax())
        if alone.any():
            sample = int(np.where(alone, scores, -np.inf).argmax())
            if scores[sample] > 0 and scores[best] < MORE * scores[sample]:
                best = sample
        return self.candidates[best], float(scores[best])
