"""Mutual information between neighbourhoods of images and of their ciphertexts, by counting.

Views of images (`leakage.estimators.views`) are chosen on some images and judged on others. The
table of the images that taught says how much likelier each pair of codes is than chance; what that
is worth on images that it never saw is a lower bound but for noise, however few keys, scenes or
photographs there were: a table of the judged images themselves would take 60 keys for all keys.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from leakage.arguments import check_int, check_one_of, check_pairs, check_seed
from leakage.estimate import FOLDS_DISAGREE, Estimate
from leakage.estimators.corrections import plug_in_mi
from leakage.estimators.view_tables import (
    Candidate,
    Choices,
    Dealt,
    Said,
    Tables,
    candidates_of,
    ratios_of,
    said_of,
    tables_of,
)
from leakage.estimators.views import View, views_of
from leakage.evidence.exchange import Strata
from leakage.evidence.intervals import held_out_interval
from leakage.evidence.p_values import check_permutations, few_exchanges
from leakage.evidence.permutations import JudgedFold, sequential_test
from leakage.evidence.samples import EarlierImages, image_groups

#: Images and ciphertexts, and perhaps a group for each image.
Batch = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]
Batches = Callable[[], Iterable[Batch]]

#: What is looked at.
Views = Literal["all", "samples"]

#: The first folds only train for the test; each later one is judged by the folds before it.
FIRST_TESTED = 2
#: Pairs of codes that are looked up for the test of a fold; of more, places are drawn.
LOOKED_UP = 20_000_000


def neighbourhood_mi(
    plain: np.ndarray,
    cipher: np.ndarray,
    *,
    groups: ArrayLike | None = None,
    views: Views = "all",
    folds: int = 5,
    permutations: int = 999,
    seed: int = 0,
) -> Estimate:
    """Mutual information of small neighbourhoods of images and of the same places of ciphertexts.

    Looked at are samples, XORs, differences and signs of steps of neighbours, the order within
    squares of 2 x 2, a sample and the mean of the ciphertext around it, means and contrasts of
    blocks, and relations of colours; bytes through all groups of low and of high planes. Which of
    them tells most is chosen on some images; how much it tells is judged on others.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, of one shape, (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    groups : array_like, shape (N,), optional
        Photograph that each image comes from; without it every image is its own. Equal images are
        one group.
    views : {"all", "samples"}
        What is looked at; ``"samples"`` is pixel counting alone, held out, whose interval holds
        even where one key serves all samples of an image. Its p-value does not turn into one for
        samples alone: ciphertexts of whole images change places.
    folds : int
        At least 3, at most the number of groups.
    permutations : int
        Behind the p-value: whole ciphertexts change places between images. 0 gives none.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Estimate
        In bits a sample, a pair of neighbours, or a block: the method says which. The value is held
        out, a lower bound of the information of such a neighbourhood but for the noise that the
        interval, over groups, shows; ``details["views"]`` are those chosen for each fold,
        ``"units"`` their units, ``"folds"`` the bits of each, ``"plug-in"`` what the images say of
        themselves through the last view, ``"z"`` of the test, and ``"influence"`` what each image
        adds to the value of its fold, and ``"fold of each"``. A fold for which no view held on
        validation counts as 0.

    Raises
    ------
    ValueError, TypeError
        Images that are no pairs, constant, or of too few groups; fewer than 3 folds.

    Notes
    -----
    Blind to what needs more than a small neighbourhood at the same place: images whose pixels or
    blocks are put in a secret order keep nearly all of their information, and little of it is seen.
    Chance is judged by ciphertexts of other images of the fold, so that from few or small images
    it is known roughly: of 20 images of 16 x 16 to a tenth or two of a bit in 4, as the interval
    says.
    The p-value is exact: critics saw only earlier folds, whose ciphertexts are not exchanged.

    References
    ----------
    Donsker & Varadhan (1983); Belghazi et al. (2018), equation 5, for the bound.

    Examples
    --------
    >>> from leakage.truth.spatial import shared_key_images
    >>> pairs = shared_key_images(20, size=16, levels=16)
    >>> found = neighbourhood_mi(pairs.plain, pairs.cipher)
    >>> found.low < pairs.of_pair.bits < found.high, found.p_value < 0.01
    (True, True)
    >>> print(found.method.partition(" ")[0])
    XOR
    """
    batch = (plain, cipher) if groups is None else (plain, cipher, np.asarray(groups))
    return neighbourhood_mi_in_batches(
        lambda: iter([batch]), views=views, folds=folds, permutations=permutations, seed=seed
    )


def neighbourhood_mi_in_batches(
    batches: Batches,
    *,
    views: Views = "all",
    folds: int = 5,
    permutations: int = 999,
    seed: int = 0,
) -> Estimate:
    """The same as `neighbourhood_mi` of any number of images, in the memory that one batch needs.

    Parameters
    ----------
    batches : callable
        Gives pairs of images and their ciphertexts, or triples with the group of each image, anew
        at each call: tables are counted first, images are judged in a second pass. A group lies
        within one batch, and each batch has groups for all folds. Images that an earlier batch
        had are left out, and flagged.
    views : {"all", "samples"}
        As of `neighbourhood_mi`.
    folds : int
        At least 3; each batch is dealt out to them.
    permutations : int
        Ciphertexts change places within their batch and fold. 0 gives no p-value.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Estimate
        As of `neighbourhood_mi`, and equal to it where one batch holds all images.

    Raises
    ------
    ValueError, TypeError
        As `neighbourhood_mi`.

    Examples
    --------
    >>> from leakage.truth.spatial import shared_key_images
    >>> pairs = shared_key_images(20, size=16, levels=16)
    >>> x, y = pairs.plain, pairs.cipher
    >>> found = neighbourhood_mi_in_batches(lambda: ((x[i:i + 10], y[i:i + 10]) for i in (0, 10)))
    >>> found.low < pairs.of_pair.bits < found.high
    True
    """
    check_seed(seed)
    permutations = check_permutations(permutations)
    check_one_of("views", views, get_args(Views))
    _check_folds(folds)
    if not callable(batches):
        raise TypeError(
            "batches must be a function that gives the batches anew, for they are read twice, not "
            f"{type(batches).__name__}; for a list of them: lambda: iter(batches)"
        )
    rng = np.random.default_rng(seed)
    tables: dict[str, tuple[View, Tables]] = {}
    dealt, earlier = [], EarlierImages()
    for plain, cipher, groups in _new(batches(), folds, earlier):
        dealt.append(Dealt.of(groups, folds, plain.size, rng))
        for view in views_of(plain.shape):
            if views == "samples" and view.name != views:
                continue
            found = tables_of(view, plain, cipher, dealt[-1], folds)
            if view.name in tables:
                before = tables[view.name][1]
                found = Tables(before.own + found.own, before.chance + found.chance)
            tables[view.name] = (view, found)
    choices = Choices(list(candidates_of(_varying(tables))))
    every = frozenset(range(folds))
    plans = [_Plan.of(choices, every - {held}, held) for held in range(folds)]
    tests = [] if permutations == 0 else [
        _Plan.of(choices, frozenset(range(held)), held) for held in range(FIRST_TESTED, folds)
    ]  # fmt: skip
    judged = _second_pass(_new(batches(), folds, EarlierImages()), dealt, plans, tests, rng)
    estimate = _estimate(plans, judged, permutations, rng)
    return replace(estimate, flags=(*estimate.flags, *earlier.flags))


Checked = tuple[np.ndarray, np.ndarray, np.ndarray]


def _new(batches: Iterable[Batch], folds: int, earlier: EarlierImages) -> Iterator[Checked]:
    """Checked batches without the images of earlier ones, those that still fill the folds."""
    for plain, cipher, groups in map(_checked, batches):
        _check_groups(groups, folds)
        if rest := earlier.rest(plain, cipher, groups, fewest=folds):
            yield rest


def _checked(batch: Batch) -> Checked:
    """Images, ciphertexts, and groups as numbers; equal images are one group."""
    plain, cipher = check_pairs(batch[0], batch[1])
    return plain, cipher, image_groups(plain, None if len(batch) == 2 else batch[2])


def _check_folds(folds: int) -> None:
    check_int("folds", folds)
    if folds < 3:
        raise ValueError(f"folds must be at least 3, to teach, to choose and to judge, not {folds}")


def _check_groups(groups: np.ndarray, folds: int) -> None:
    if (count := len(np.unique(groups))) < folds:
        raise ValueError(
            f"{len(groups)} images of {count} groups cannot fill {folds} folds; "
            "give more images of other photographs, or fewer folds"
        )


def _varying(
    tables: dict[str, tuple[View, Tables]],
) -> dict[str, tuple[View, Tables]]:
    """Views whose codes vary on both sides."""
    table = tables["samples"][1].own.sum(0)
    for side, axis in (("plain", 1), ("cipher", 0)):
        if np.count_nonzero(table.sum(axis)) < 2:
            raise ValueError(
                f"{side} is constant: all its {int(table.sum())} samples are equal, so it carries "
                "no information; give images that show something"
            )
    kept = {}
    for name, (view, of_folds) in tables.items():
        total = of_folds.own.sum(0)
        if all(np.count_nonzero(total.sum(axis)) > 1 for axis in (0, 1)):
            kept[name] = (view, of_folds)
    return kept


class _Plan(NamedTuple):
    """What was chosen and taught on some folds, for the one that it judges."""

    candidate: Candidate
    ratios: np.ndarray
    held: int
    taught_by: float  # samples
    said: Said

    @classmethod
    def of(cls, choices: Choices, teach: frozenset[int], held: int) -> "_Plan":
        candidate, validated = choices.chosen(teach)
        tables = candidate.tables.of(sorted(teach))
        ratios = ratios_of(tables)
        said = said_of(ratios, candidate.tables.of([held]))
        if validated <= 0:  # 0 by choice, with the noise that it would have had
            said = said._replace(bits=0.0)
        return cls(candidate, ratios, held, float(tables.own.sum()), said)

    def influence(self, plain: np.ndarray, cipher: np.ndarray, dealt: Dealt) -> np.ndarray:
        """First-order contribution of each image of the fold to what is said of it."""
        a, b = self.candidate.codes(plain, cipher)
        own = np.flatnonzero(dealt.fold == self.held)
        likely = np.exp2(self.ratios)
        by_chance, times = np.zeros(len(a)), np.zeros(len(a))
        for others in dealt.partners:
            rows = own[others[own] >= 0]
            values = likely[a[rows], b[others[rows]]].mean(1) - self.said.chance
            np.add.at(by_chance, rows, values)
            np.add.at(by_chance, others[rows], values)
            times[rows] += 1
        if times.any():
            by_chance *= len(own) / times.sum()
        by_chance /= self.said.chance * math.log(2)
        return self.ratios[a[own], b[own]].mean(1) - by_chance[own]

    def scores(
        self, plain: np.ndarray, cipher: np.ndarray, rng: np.random.Generator
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Of row numbers to the sums of ratios of these images with these ciphertexts."""
        a, b = self.candidate.codes(plain, cipher)
        most = max(64, LOOKED_UP // len(a) ** 2)
        if a.shape[1] > most:
            places = np.sort(rng.choice(a.shape[1], most, replace=False))
            a, b = a[:, places], b[:, places]
        return lambda rows: np.stack([self.ratios[a[rows], b[j]].sum(1) for j in rows], axis=1)


class _Seen(NamedTuple):
    """What the second pass found: of images in their order, and of the folds of the test."""

    influence: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    tested: list[JudgedFold]


def _second_pass(
    batches: Iterable[Checked],
    dealt: list[Dealt],
    plans: list[_Plan],
    tests: list[_Plan],
    rng: np.random.Generator,
) -> _Seen:
    influence, labels, first = [], [], 0
    blocks: list[list[np.ndarray]] = [[] for _ in tests]
    sums: list[list[np.ndarray]] = [[] for _ in tests]
    for (plain, cipher, groups), of in zip(batches, dealt, strict=True):
        of_batch = np.zeros(len(plain))
        for plan in plans:
            of_batch[of.fold == plan.held] = plan.influence(plain, cipher, of)
        for plan, kept, scored in zip(tests, blocks, sums, strict=True):
            own = np.flatnonzero(of.fold == plan.held)
            strata = Strata.of(groups[own], rng)
            kept += [first + own[block] for block in strata.blocks]
            scored += strata.summed(plan.scores(plain[own], cipher[own], rng))
        influence.append(of_batch)
        labels.append(first + groups)
        first += len(plain)
    tested = [
        JudgedFold(Strata(kept), scored, int(plan.taught_by))
        for plan, kept, scored in zip(tests, blocks, sums, strict=True)
    ]
    fold = np.concatenate([of.fold for of in dealt])
    return _Seen(np.concatenate(influence), np.concatenate(labels), fold, tested)


def _estimate(
    plans: list[_Plan], seen: _Seen, permutations: int, rng: np.random.Generator
) -> Estimate:
    sizes = np.bincount(seen.fold, minlength=len(plans))
    each = [plan.said.bits for plan in plans]
    bits = float(np.average(each, weights=sizes))
    influence = seen.influence.copy()
    for plan in plans:
        own = seen.fold == plan.held
        influence[own] += plan.said.bits - influence[own].mean()
    low, high = held_out_interval(bits, influence, seen.groups, seen.fold)
    noise = np.linalg.norm([plan.said.noise for plan in plans] * sizes) / sizes.sum()
    half = math.hypot((high - low) / 2, 1.96 * float(noise))
    tested = sequential_test(seen.tested, permutations, rng) if permutations else None
    names = [plan.candidate.name for plan in plans]
    units = [plan.candidate.view.unit for plan in plans]
    shown, unit = (", or ".join(dict.fromkeys(words)) for words in (names, units))
    last = plans[-1].candidate.tables.own.sum(0)
    flags = [FOLDS_DISAGREE] if np.ptp(each) > max(1.0, 2 * abs(bits)) else []
    flags += few_exchanges(tested.reach) if tested else []
    if len(set(units)) > 1:
        flags.append("folds chose neighbourhoods of different size: their mean has no one unit")
    details = {
        "folds": tuple(each), "views": tuple(names), "units": tuple(units),
        "plug-in": plug_in_mi(last), "influence": tuple(influence.tolist()),
        "fold of each": tuple(seen.fold.tolist()),
    }  # fmt: skip
    return Estimate(
        bits, bits - half, bits + half, tested.p_value if tested else None, len(seen.fold),
        f"{shown}; bits a {unit}; {len(plans)} folds held out", "estimate", tuple(flags),
        details | ({"z": tested.z} if tested else {}),
    )  # fmt: skip
