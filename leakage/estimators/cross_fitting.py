"""Mutual information between vectors, in bits, held out by construction: MINE and its relatives.

A critic is chosen on some source images (`leakage.estimators.learning`) and judged on images that
did neither fit nor choose it. Every method here goes through that one protocol.
"""

import math
from typing import NamedTuple, get_args

import numpy as np

from leakage.arguments import check_one_of, check_seed
from leakage.estimate import FOLDS_DISAGREE, Estimate
from leakage.estimators.bounds import bound
from leakage.estimators.candidates import Method, Samples
from leakage.estimators.learning import CAUTION, Learned, earlier_folds, learn
from leakage.estimators.nearest_neighbours import MAX_DIMENSIONS, ksg, local_contributions
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import check_permutations
from leakage.evidence.permutations import sequential_test
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group

#: From this share of recognised pairs on, a sample cannot tell how much more information there is.
RECOGNISED = 0.8


class _Judged(NamedTuple):
    """What a critic says of a fold that it never saw."""

    name: str
    bits: float
    influence: np.ndarray  # of each sample on `bits`
    recognised: float  # share of the y that pick out their own x
    donsker_varadhan: float


def estimate_mi(
    x: np.ndarray,
    y: np.ndarray,
    method: Method = "auto",
    *,
    groups: np.ndarray | None = None,
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
        correlations, of ranks or of principal components. ``"cluster"``: of k-means clusters.
        ``"mine"``, ``"nwj"``, ``"infonce"``, ``"smile"``: a network trained and judged by that
        bound. ``"ksg"``: nearest neighbours. ``"auto"``: whichever of canonical, cluster, a network
        on top of the better of these, and KSG up to eight dimensions, validation prefers.
    groups : ndarray, shape (N,), optional
        Source image of each row. Without groups every row is its own: right only if no two rows
        come from one image.
    folds : int
        At least 2, at most the number of groups.
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
        are no bounds. The interval is over groups, of the bound that these critics reach. Flags:
        ``"saturated"`` when nearly every held-out pair is recognised among all others or the value
        nears the ceiling of the sample; ``"folds disagree"``; ``"still rising"`` with the number
        of samples. Details: ``folds`` (bits of each), ``critics`` and
        ``temperatures`` chosen for each, ``top1`` (share of held-out y that pick out their x),
        ``z`` of the test, ``ceiling``, for SMILE ``donsker-varadhan`` of the same critics.

    Raises
    ------
    ValueError, TypeError
        Unpaired, constant or non-finite samples, too few samples or groups, an unknown method,
        more than eight dimensions for KSG.

    Notes
    -----
    The p-value is that of `leakage.evidence.permutations.sequential_test`: each fold is shuffled
    under a frozen critic that saw only earlier folds, so the level holds exactly. It assumes that
    under the hypothesis the rows of a fold may be shuffled, which a fresh key for every image
    ensures.

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
    permutations = check_permutations(permutations)
    x, y, groups = check_samples(x, y, groups, folds)
    independent = len(np.unique(groups)) == len(x)
    if method == "ksg":
        if not independent:
            raise ValueError("ksg needs rows that are independent of each other: one a group")
        return ksg(x, y, permutations=permutations, seed=seed)

    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    samples = Samples.of(x, y, groups, components, seed)
    near = method == "auto" and x.shape[1] + y.shape[1] <= MAX_DIMENSIONS and independent
    neighbours = local_contributions(x, y, seed=seed) if near else None

    learned = [learn(samples, np.flatnonzero(fold != t), method, rng) for t in range(folds)]
    judged = [_judge(one, fold == t, method, neighbours) for t, one in enumerate(learned)]
    sizes = np.bincount(fold)
    bits = float(np.average([one.bits for one in judged], weights=sizes))
    influences = np.zeros(len(x))
    for t, one in enumerate(judged):
        influences[fold == t] = one.influence - one.influence.mean()
    low, high = clustered_interval(bits, influences, groups)
    p_value, tested = None, {}
    if permutations:
        p_value, tested["z"] = _test(samples, fold, learned[-1], method, permutations, rng)

    names = tuple(one.name for one in judged)
    recognised = float(np.average([one.recognised for one in judged], weights=sizes))
    details: dict[str, object] = {
        "folds": tuple(one.bits for one in judged), "critics": names,
        "temperatures": tuple(one.temperature for one in learned),
        "top1": recognised, **tested, "ceiling": math.log2(sizes.min()),
    }  # fmt: skip
    if method == "smile":
        beside = [one.donsker_varadhan for one in judged]
        details["donsker-varadhan"] = float(np.average(beside, weights=sizes))
    flags = []
    if recognised > RECOGNISED or high > math.log2(sizes.min()) - 1 / math.log(2):
        among = round(np.mean(sizes))
        flags.append(f"saturated: {recognised:.0%} of held-out pairs recognised among {among}")
    if np.ptp([one.bits for one in judged]) > max(1.0, 2 * abs(bits)):
        flags.append(FOLDS_DISAGREE)
    if extrapolate:
        part = np.isin(groups, _half_of(groups, rng))
        half = estimate_mi(
            x[part], y[part], method, groups=groups[part], folds=folds, seed=seed,
            components=components, permutations=0,
        ).bits  # fmt: skip
        details |= {"half": half, "extrapolated": 2 * bits - half}
        if bits - half > max((high - low) / 2, 0.1 * abs(bits)):
            flags.append(f"still rising: {half:.2f} bit from half of the samples")
    return Estimate(
        bits, low, high, p_value, len(x), _method_name(method, names, folds), "estimate",
        tuple(flags), details,
    )  # fmt: skip


def _judge(
    one: Learned, held_out: np.ndarray, method: Method, neighbours: np.ndarray | None
) -> _Judged:
    """The bound of a fold by the critic that the others taught, or nearest neighbours instead."""
    rows = np.flatnonzero(held_out)
    scores = one.scores(rows)
    value, influence = bound(scores, method)
    if value > (ceiling := math.log2(len(rows))):  # more than so many samples can tell
        value, influence = ceiling, bound(scores, "infonce")[1]
    if one.temperature == 0:  # 0 by choice: its noise is that of the critic as it was
        influence = bound(one.critic.scores(rows), method)[1]
    name = one.name
    if neighbours is not None:
        rest = neighbours[~held_out]
        if rest.mean() - one.bits > CAUTION * rest.std() / math.sqrt(len(rest)):
            name, value, influence = "ksg", neighbours[rows].mean(), neighbours[rows]
    recognised = np.mean(one.critic.scores(rows).argmax(0) == np.arange(len(rows)))
    return _Judged(name, float(value), influence, float(recognised), bound(scores)[0])


def _test(
    samples: Samples,
    fold: np.ndarray,
    last: Learned,
    method: Method,
    permutations: int,
    rng: np.random.Generator,
) -> tuple[float | None, float]:
    """p-value and z of independence; `last` was taught by all folds but the last one."""
    scores, trained_on = [], []
    for rows, later in earlier_folds(fold, samples.groups):
        at_hand = len(rows) + len(later) == len(fold)
        one = last if at_hand else learn(samples, rows, method, rng)
        scores.append(one.detector.scores(later))
        trained_on.append(len(rows))
    return sequential_test(scores, trained_on, permutations, rng)


def _half_of(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    names = np.unique(groups)
    return rng.permutation(names)[: (len(names) + 1) // 2]


def _method_name(method: Method, names: tuple[str, ...], folds: int) -> str:
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
    folds : int
        At least 2, at most the number of groups.
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
        folds=folds,
        seed=seed,
        components=components,
        permutations=permutations,
    )
