"""Mutual information between vectors, in bits, held out by construction: MINE and its relatives.

A critic is chosen on some source images (`leakage.estimators.learning`) and judged on images that
did neither fit nor choose it. Every method here goes through that one protocol.
"""

import math
from typing import get_args

import numpy as np

from leakage.arguments import check_count, check_one_of, check_seed
from leakage.estimate import FOLDS_DISAGREE, Estimate
from leakage.estimators.candidates import Method, Samples
from leakage.estimators.judging import Judged, independence, judge, neighbours_of, training_bits
from leakage.estimators.learning import Learned, learn
from leakage.estimators.nearest_neighbours import ksg
from leakage.estimators.quantised import quantised_mi
from leakage.evidence.exchange import Exchange, exchangeable
from leakage.evidence.intervals import held_out_interval
from leakage.evidence.p_values import check_permutations, few_exchanges
from leakage.evidence.samples import usable_samples
from leakage.evidence.splits import split_by_group

#: From this share of recognised pairs on, a sample cannot tell how much more information there is.
RECOGNISED = 0.8


def estimate_mi(
    x: np.ndarray,
    y: np.ndarray,
    method: Method = "auto",
    *,
    groups: np.ndarray | None = None,
    exchange: Exchange = "groups",
    strata: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
    permutations: int = 999,
    extrapolate: bool = False,
) -> Estimate:
    """Mutual information of paired vectors: chosen on validation, reported on held-out samples.

    Samples are split into folds by group. For each fold, critics are fitted on the other folds,
    one of them is chosen and calibrated by one temperature on a validation part of these, and its
    bound is evaluated on all pairs of the fold. The value is the mean over folds.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    method : str
        ``"canonical"``: the log-likelihood ratio of a Gaussian with the debiased canonical
        correlations of principal components, of ranks, or of ranks with functions of one side
        alone beside them: its distance from the middle, the sizes of its coordinates.
        ``"cluster"``: of k-means clusters. ``"mine"``, ``"nwj"``, ``"infonce"``, ``"smile"``: a
        network trained and judged by that bound. ``"ksg"``: nearest neighbours. ``"quantised"``:
        the empirical estimator (`leakage.estimators.quantised`): codes of k-means codebooks of
        other groups are counted, at most log2 of the codes. ``"auto"``: whichever validation
        prefers of canonical, cluster, a network on top of the better of these, and, where rows are
        independent, KSG of all coordinates up to eight, of distances from the middle, or of
        canonical variates.
    groups : ndarray, shape (N,), optional
        Source image of each row. Without groups every row is its own: right only if no two rows
        come from one image. They may be of any sizes; of a group that would fill more than a fold
        only as many rows are used as a fold has.
    exchange : {"groups", "rows"}
        What the test exchanges. ``"groups"``: whole groups change places with others of like size,
        row by row; the hypothesis is that x tells nothing of which y is its own, whatever rows of a
        group have in common. ``"rows"``: rows change places whatever their group, which is right
        and stronger where rows of y (or of x) are alike and independent under the hypothesis, as
        ciphertexts under a fresh key for every row are.
    strata : ndarray, shape (N,), optional
        Label of each row, such as the size of its image. Only rows of one label change places: what
        x and y tell of each other through the label alone is no evidence.
    folds : int
        At least 2, at most the number of groups; two must be left to teach.
    seed : int
        Of the split, the critics and the permutations.
    components : int
        Principal components kept of each vector, at most a tenth of the training samples.
    permutations : int
        Of each fold of the test. 0: there is no test, so neither its p-value nor its z, and a third
        of the time is saved.
    extrapolate : bool
        Also estimate on half of the groups; ``details["extrapolated"]`` is then the value for
        infinitely many samples if the error falls as 1/N.

    Returns
    -------
    Estimate
        In bits. A held-out lower bound but for the noise that the interval shows; SMILE and KSG
        are no bounds. The interval is over groups, of the bound that these critics reach; where a
        critic was refused, for it was not clearly better than nothing, the upper end has what it
        promised on validation. Flags:
        ``"saturated"`` when nearly every held-out pair is recognised among all others or the value
        nears the ceiling of the sample; ``"folds disagree"``; ``"still rising"`` with the number
        of samples; rows that repeat others or were left out; groups or permutations so few that p
        cannot be small. Details: ``folds`` (bits of each),
        ``critics`` and ``temperatures`` chosen for each, ``training`` (bits that critics say of the
        samples that taught them: too much, as the held-out value is too little), ``top1`` (share of
        held-out y that pick out their x), ``z`` of the critics' test, ``exchanged`` (how many rows
        or groups the test exchanges), ``ceiling``, for SMILE ``donsker-varadhan`` of the same
        critics.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups, an unknown method,
        more than eight dimensions for KSG.

    Notes
    -----
    The p-value is that of `leakage.evidence.permutations.sequential_test`: what each fold says is
    compared with exchanges under a frozen critic that saw only earlier folds. With ``"auto"`` a
    test for dependence of any kind (`leakage.evidence.omnibus`) stands beside it, and the two
    p-values become one. The level holds where what is exchanged is alike under the hypothesis.

    References
    ----------
    Belghazi et al. (2018), Mutual Information Neural Estimation, ICML, equations 5 and 12; Nguyen,
    Wainwright & Jordan (2010); van den Oord et al. (2018); Song & Ermon (2020), SMILE; Bao, Hu, Pan
    & Zhou (2019); Kraskov, Stögbauer & Grassberger (2004).

    Examples
    --------
    >>> from leakage.truth.channels import gaussian
    >>> x, y, exact = gaussian(1000, dimensions=5, bits=2.0)
    >>> e = estimate_mi(x, y)
    >>> e.low < exact.bits < e.high, e.p_value < 0.001
    (True, True)
    """
    check_seed(seed)
    check_one_of("method", method, get_args(Method))
    check_count("components", components)
    permutations = check_permutations(permutations)
    if extrapolate and method in ("ksg", "quantised"):
        raise ValueError(f"{method} has no critics to extrapolate; leave extrapolate out")
    x, y, groups, kinds, noticed = usable_samples(x, y, groups, folds, seed, strata)
    units = exchangeable(groups, exchange, kinds)
    independent = len(np.unique(groups)) == len(x)
    if method == "ksg":
        if not independent:
            raise ValueError("ksg needs rows that are independent of each other: one a group")
        if kinds is not None:
            raise ValueError("ksg exchanges all rows: strata are for the other methods")
        return ksg(x, y, permutations=permutations, seed=seed)

    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    if method == "quantised":
        return quantised_mi(
            x, y, groups, units, fold, components=components, permutations=permutations,
            seed=seed, noticed=noticed,
        )  # fmt: skip
    samples = Samples.of(x, y, groups, components, seed)
    learned, last, most = _learn_all(samples, fold, method, rng)
    near = neighbours_of(x, y, fold, learned, seed) if method == "auto" and independent else {}
    judged = [judge(one, fold, t, method, near, rng) for t, one in enumerate(learned)]
    sizes = np.bincount(fold)
    bits = float(np.average([one.bits for one in judged], weights=sizes))
    influences = np.zeros(len(x))
    for t, one in enumerate(judged):
        influences[fold == t] = one.contributions
    low, high = held_out_interval(bits, influences, groups, fold)
    # a fold whose critic was refused says 0 by caution, which may cost what that critic promised
    high += float(np.average([one.refused for one in learned], weights=sizes))
    p_value, tested, few = None, {}, []
    if permutations:
        test = independence(samples, units, fold, last, method, permutations, rng)
        p_value, tested, few = test.p_value, {"z": test.z}, few_exchanges(test.reach)
    details = _details(judged, learned, sizes, method) | tested
    details["training"] = max(bits, most)
    details["exchanged"] = f"{len(np.unique(units.labels))} {exchange}"
    flags = [*noticed, *few, *doubts(judged, sizes, bits, high)]
    if extrapolate:
        part = np.isin(groups, _half_of(groups, rng))
        half = estimate_mi(
            x[part], y[part], method, groups=groups[part], folds=folds, seed=seed,
            components=components, permutations=0,
        ).bits  # fmt: skip
        details |= {"half": half, "extrapolated": 2 * bits - half}
        if bits - half > max((high - low) / 2, 0.1 * abs(bits)):
            flags.append(f"still rising: {half:.2f} bit from half of the samples")
    name = _method_name(method, [one.name for one in judged], folds)
    return Estimate(
        bits, low, high, p_value, len(x), name, "estimate", tuple(flags), details
    )  # fmt: skip


def _learn_all(
    samples: Samples, fold: np.ndarray, method: Method, rng: np.random.Generator
) -> tuple[list[Learned], Learned, float]:
    """A critic for each fold, from the others, and the last fold's whole, which tries everything.

    Beside them what the last says of samples that taught it, in bits.

    It never sees the fold that it is tested on, so that its list of what is promising may be used
    for the others, whose critics no test needs.
    """
    folds = fold.max() + 1
    teaching = np.flatnonzero(fold != folds - 1)
    last = learn(samples, teaching, method, rng)
    most = training_bits(last, teaching, samples.groups, samples.seed)
    last = last._replace(candidates=[])  # of large samples they hold hundreds of megabytes
    # of large samples all candidates and all rows of all folds would take gigabytes
    judged = [
        learn(samples, np.flatnonzero(fold != t), method, rng, last.promising).of(
            np.flatnonzero(fold == t)
        )
        for t in range(folds - 1)
    ]
    return [*judged, last.of(np.flatnonzero(fold == folds - 1))], last, most


def _details(
    judged: list[Judged], learned: list[Learned], sizes: np.ndarray, method: Method
) -> dict[str, object]:
    details: dict[str, object] = {
        "folds": tuple(one.bits for one in judged),
        "critics": tuple(one.name for one in judged),
        "temperatures": tuple(one.temperature for one in learned),
        "top1": float(np.average([one.recognised for one in judged], weights=sizes)),
        "ceiling": math.log2(sizes.min()),
    }
    if method == "smile":
        beside = [one.donsker_varadhan for one in judged]
        details["donsker-varadhan"] = float(np.average(beside, weights=sizes))
    return details


def doubts(judged: list[Judged], sizes: np.ndarray, bits: float, high: float) -> list[str]:
    """Flags of an estimate whose folds, of these sizes, were judged so."""
    flags = []
    recognised = float(np.average([one.recognised for one in judged], weights=sizes))
    if recognised > RECOGNISED or high > math.log2(sizes.min()) - 1 / math.log(2):
        among = round(np.mean(sizes))
        flags.append(f"saturated: {recognised:.0%} of held-out pairs recognised among {among}")
    if np.ptp([one.bits for one in judged]) > max(1.0, 2 * abs(bits)):
        flags.append(FOLDS_DISAGREE)
    return flags


def _half_of(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    names = np.unique(groups)
    return rng.permutation(names)[: (len(names) + 1) // 2]


def _method_name(method: Method, names: list[str], folds: int) -> str:
    if method == "auto":
        chosen = ", ".join(sorted(set(names), key=names.index))
        return f"auto ({chosen}), {folds} folds held out"
    shown = {"nwj": "NWJ", "infonce": "InfoNCE"}.get(method, method.upper())
    shown = method if method in ("canonical", "cluster") else shown
    return f"{shown}, {folds} folds held out"


def mine(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    exchange: Exchange = "groups",
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
    permutations: int = 999,
) -> Estimate:
    """Held-out MINE: `estimate_mi` with ``method="mine"``, a network and nothing else.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Paired rows.
    groups : ndarray, shape (N,), optional
        Source image of each row; without it every row is its own.
    exchange : {"groups", "rows"}
        What the test exchanges, as of `estimate_mi`.
    folds : int
        At least 2, at most the number of groups; two must be left to teach.
    seed : int
        Of the split, the network and the permutations.
    components : int
        Principal components kept of each vector.
    permutations : int
        Of each fold of the test. 0: there is no test, as of `estimate_mi`.

    Returns
    -------
    Estimate
        In bits, as of `estimate_mi`.

    Raises
    ------
    ValueError, TypeError
        As `estimate_mi`.

    References
    ----------
    Belghazi et al. (2018), Mutual Information Neural Estimation, ICML, equations 5 and 12.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> mine(x, x + rng.normal(size=(300, 2))).p_value < 0.001
    True
    """
    check_seed(seed)
    return estimate_mi(
        x,
        y,
        "mine",
        groups=groups,
        exchange=exchange,
        folds=folds,
        seed=seed,
        components=components,
        permutations=permutations,
    )
