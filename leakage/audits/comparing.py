"""Which of two leaks more, of the same images, where that can be said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leakage.arguments import check_images, check_seed
from leakage.audits.findings import Findings
from leakage.audits.pairs import Pairs, from_arrays, from_folders, groups_of
from leakage.audits.per_image import VIEWS, ImageScores, image_scores
from leakage.audits.reports import read_report, scores_of
from leakage.audits.schemes import encrypted, scheme_from, scheme_key
from leakage.audits.structure import Structure
from leakage.estimate import p_text
from leakage.evidence.p_values import holm_p_values, sign_flip_p_value
from leakage.evidence.samples import merged
from leakage.pictures.image_sets import ImageSet, load_images
from leakage.schemes.base import Keying

#: Error of the first kind of all views together: an order that is wrong is worse than none.
ALPHA = 0.001

_PERMUTATIONS = 9999
_FEWEST = 14  # independent couples: with fewer no exchange of labels is rare enough
_SIDES = ("A", "B")
_BY_PLANES = ("clear bit planes", "images in the clear")


@dataclass(frozen=True, repr=False)
class Comparison:
    """The answer of `leakage.compare`.

    Attributes
    ----------
    more : {"A", "B"} or None
        Which leaks more, the first or the second; None where it cannot be said.
    verdict : str
        The answer in words.
    views : DataFrame
        Indexed by view: mean score of both (``A``, ``B``), what it counts (``unit``), ``p`` of an
        exchange of A and B, corrected for all views, and in which it is ``more``: further from 0,
        which ciphertexts that know nothing have in the mean.
    clear_planes : {"A", "B"} or None
        Whose clear bit planes contain those of the other in every image, and are more in some.
    facts : dict of str to list of str
        What exact checks found in one alone, ``{"A": [...], "B": [...]}``: a keystream that is
        used twice, for instance.
    images, units : int
        How many images both had, and how many independent sets of them.

    Examples
    --------
    >>> Comparison(None, "Cannot be said.", pd.DataFrame(), None, {"A": [], "B": []}, 0, 0)
    Cannot be said.
    """

    more: str | None
    verdict: str
    views: pd.DataFrame
    clear_planes: str | None
    facts: dict[str, list[str]]
    images: int
    units: int

    def __repr__(self) -> str:
        return self.verdict

    def to_dict(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        return {
            "more": self.more, "verdict": self.verdict, "clear_planes": self.clear_planes,
            "facts": self.facts,
            "images": self.images, "units": self.units,
            "views": [{"view": name, **row} for name, row in
                      self.views.astype(object).where(self.views.notna(), None)
                      .to_dict("index").items()],
        }  # fmt: skip


def compare(
    first: object,
    second: object,
    images: np.ndarray | ImageSet | str | Path | None = None,
    *,
    groups: np.ndarray | str | Path | None = None,
    keying: Keying = "fresh",
    mode: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Ask which of two leaks more of the same images, A (the first) or B.

    Each image has scores: what its ciphertext has in common with it, less what another image's
    ciphertext has, in bit planes, half bytes, neighbourhoods and histograms. Nothing is learnt for
    them. Ciphertexts that know nothing of their images have 0 in the mean; what is further from it,
    above or below, leaks more. If both leak the same, A and B may be exchanged image by image, and
    groups whole; that is the test, two-sided, and corrected for all views (Holm, 1979) at a level
    of 0.001. Where in every image the clear bit planes of one contain those of the other, that is a
    fact and needs no test. What exact checks of structure find in one alone, such as a keystream
    that is used twice, weighs more or less than any score: it is told, and where it is of the other
    side there is no order. An answer is given only if no view and no fact says the opposite.

    The order is one in what is looked at. Another adversary may see the opposite.

    Parameters
    ----------
    first, second : Audit, str, Path, ndarray or Scheme
        Two audits, or their files ``report.json``. With `images`: two sets of ciphertexts, or
        folders of them; or two schemes, as `leakage.audit` takes them.
    images : ndarray of uint8, ImageSet, str or Path, optional
        Images of which the two are, or their folder.
    groups : ndarray of shape (N,), str or Path, optional
        Source of each image, see `leakage.audit`. Audits have their own.
    keying : {"fresh", "fixed"}
        How schemes use nonces.
    mode : {None, "gray", "rgb"}
        How files are read.
    seed : int
        Of the exchanges, and of the keys of schemes.

    Returns
    -------
    Comparison
        Which leaks more, or that it cannot be said.

    Raises
    ------
    ValueError, TypeError
        Reports without scores, or of other images; images and ciphertexts that are no pairs.

    References
    ----------
    Berger (1982), Multiparameter hypothesis testing and acceptance sampling.
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> images = load_images(count=60).images
    >>> compare(get_scheme("bitplane", bits=2), get_scheme("bitplane", bits=3), images).more
    'A'
    """
    check_seed(seed)
    if images is None:
        if groups is not None:
            raise TypeError("groups belong to images; reports have their own")
        (one, of_one), (other, of_other) = (_of_report(side) for side in (first, second))
    else:
        if groups is None and isinstance(images, ImageSet):
            groups = images.groups
        asked = []
        for i, side in enumerate((first, second)):
            pairs = _pairs(side, images, keying, mode, seed, i)
            scores = image_scores(pairs, groups_of(pairs.names, pairs.same, groups))
            asked.append((scores, _facts_of(pairs, seed)))
        (one, of_one), (other, of_other) = asked
    return compared(one, other, seed, of_one, of_other)


def _facts_of(pairs: Pairs, seed: int) -> frozenset[str]:
    """Names of what exact checks find in these pairs."""
    structure = Structure(pairs, seed=seed)
    for plain, cipher in pairs:
        structure.add(plain, cipher)
    return _facts((f.name, f.leaks, f.p_value) for f in structure.findings())


def _facts(findings: Iterable[tuple[str, bool | None, float | None]]) -> frozenset[str]:
    # what clear planes say is compared image by image
    return frozenset(
        name for name, leaks, p in findings if leaks and p is None and name not in _BY_PLANES
    )


def _of_report(report: object) -> tuple[ImageScores, frozenset[str]]:
    if isinstance(report, str | Path):
        read = read_report(report)
        told = [(f["name"], f["leaks"], f["p_value"]) for f in read["findings"]
                if f["level"] == "structure"]  # fmt: skip
        return scores_of(read, str(report)), _facts(told)
    if not isinstance(report, Findings):
        raise TypeError(
            f"give two audits or their report.json, or images as well, not {type(report).__name__}"
        )
    if report.scores is None:
        raise ValueError("an audit has no scores of its images: give images as well")
    exact = [f for f in report.findings if f.level == "structure"]
    return report.scores, _facts((f.name, f.leaks, f.p_value) for f in exact)


def _pairs(
    side: object, images: object, keying: Keying, mode: str | None, seed: int, number: int
) -> Pairs:
    folder = isinstance(images, str | Path)
    if isinstance(side, str | Path) and Path(side).is_dir():
        if not folder:
            raise TypeError("ciphertexts are in a folder; name the folder of the images too")
        return from_folders(str(images), side, mode)
    if isinstance(side, np.ndarray | list | tuple):
        return from_arrays(images, side)
    plain = load_images(str(images), size=None, mode=mode).images if folder else images
    plain = check_images(plain)
    # two keys: ciphertexts of one scheme under one key would be the same ones
    cipher = encrypted(scheme_from(side), plain, scheme_key(seed, 1 + number), keying)
    return from_arrays(plain, cipher)


def compared(
    first: ImageScores,
    second: ImageScores,
    seed: int,
    of_first: frozenset[str] = frozenset(),
    of_second: frozenset[str] = frozenset(),
) -> Comparison:
    """The comparison of two sets of scores, and of what exact checks found in each."""
    rows, units = _shared(first, second)
    signs = np.random.default_rng(seed)
    table, raw = [], []
    for view, unit in VIEWS.items():
        a, b = (np.array(of.views[view])[i] for of, i in zip((first, second), rows, strict=True))
        one, other = (np.bincount(units, weights=of) for of in (a, b))
        further, p = _further(one, other, signs)
        raw.append(p)
        table.append({"A": a.mean(), "B": b.mean(), "unit": unit, "more": further})
    views = pd.DataFrame(table, index=pd.Index(VIEWS, name="view"))
    views["p"] = holm_p_values(raw)
    more_in = [
        side if p <= ALPHA else None for side, p in zip(views.pop("more"), views["p"], strict=True)
    ]
    views["more"] = pd.Series(more_in, views.index, dtype=object)
    clear = _more_planes(*(np.array(of.clear)[i] for of, i in
                           zip((first, second), rows, strict=True)))  # fmt: skip
    count = len(np.unique(units))
    facts = {"A": sorted(of_first - of_second), "B": sorted(of_second - of_first)}
    sides = {side for side in (*views["more"], clear) if side is not None}
    more = sides.pop() if len(sides) == 1 else None
    if more and facts[_SIDES[more == "A"]]:
        more = None  # of what kind is worse nobody can say
    words = _verdict(more, views, clear, facts, len(units), count)
    return Comparison(more, words, views, clear, facts, len(units), count)


def _further(one: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> tuple[str, float]:
    """Whose scores are further from 0 in the mean, and a p-value, two-sided.

    A ciphertext that is *less* like its image than like others tells of it as well. A is further
    where difference and sum have one sign, B where they have two; so both are tested, and the
    larger p-value counts (Berger, 1982).
    """
    p_values = [
        2 * min(sign_flip_p_value(s * scores, _PERMUTATIONS, rng) for s in (1, -1))
        for scores in (one - other, one + other)
    ]
    alike = (one.sum() - other.sum()) * (one.sum() + other.sum()) >= 0
    return _SIDES[not alike], min(1.0, max(p_values))


def _shared(first: ImageScores, second: ImageScores) -> tuple[list[np.ndarray], np.ndarray]:
    """Which rows of both are the same images, and which of these belong together."""
    if not first.images or not second.images:
        raise ValueError(
            "no image has one of another source and of its size beside it to be compared with; "
            "give at least two"
        )
    places = [_by_image(scores) for scores in (first, second)]
    both = sorted(set(places[0]) & set(places[1]))
    if not both:
        raise ValueError(
            "the two have no image in common: only audits of the same images can be compared"
        )
    rows = [np.array([of[image] for image in both]) for of in places]
    one, other = (np.array(of.units)[i] for of, i in zip((first, second), rows, strict=True))
    return rows, np.unique(merged(one, other), return_inverse=True)[1]


def _by_image(scores: ImageScores) -> dict[tuple[str, int], int]:
    """Row of each image; of equal ones, by how many came before."""
    seen: dict[str, int] = {}
    rows = {}
    for row, image in enumerate(scores.images):
        rows[image, seen.setdefault(image, 0)] = row
        seen[image] += 1
    return rows


def _more_planes(one: np.ndarray, other: np.ndarray) -> str | None:
    if np.array_equal(one, other):
        return None
    if np.array_equal(one | other, one):
        return "A"
    return "B" if np.array_equal(one | other, other) else None


def _verdict(
    more: str | None,
    views: pd.DataFrame,
    clear: str | None,
    facts: dict[str, list[str]],
    n: int,
    units: int,
) -> str:
    seen = {side: list(views.index[views["more"] == side]) for side in _SIDES}
    if more is not None:
        other = _SIDES[more == "A"]
        why = [f"the clear bit planes of {other} are some of its own"] if clear else []
        if facts[more]:
            why.append(f"exact checks find in it alone: {', '.join(facts[more])}")
        if seen[more]:
            largest = p_text(float(views.loc[seen[more], "p"].max()))
            p = largest if largest.startswith("<") else f"= {largest}"
            why.append(f"{', '.join(seen[more])} show more in {n} images (p {p}, corrected)")
        return f"{more} leaks more: {'; '.join(why)}."
    alone = [
        f"exact checks find in {side} alone: {', '.join(names)}"
        for side, names in facts.items()
        if names
    ]
    told = [f"{', '.join(names)} show more in {side}" for side, names in seen.items() if names]
    told += [f"more bit planes of {clear} are in the clear"] if clear else []
    reason = ", but ".join([*told, *alone])
    if not told and units < _FEWEST:
        reason = f"{units} independent sets of images are too few, it takes {_FEWEST} at least"
    elif not told:
        reason = f"no view tells them apart in {n} images"
    more_facts = "" if told or not alone else f"; {'; '.join(alone)}"
    return f"It cannot be said which leaks more: {reason}{more_facts}."
