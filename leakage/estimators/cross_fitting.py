"""Mutual information between vectors, in bits, held out by construction: MINE and its relatives.

A critic is fitted on some source images, calibrated on others, and judged on images that did
neither. Every method here goes through that one protocol.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from leakage.estimate import Estimate
from leakage.estimators.classical import MAX_DIMENSIONS, ksg, local_contributions
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.permutations import sequential_test, shuffle_z
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group

if TYPE_CHECKING:  # at run time it is imported where it is needed, for it loads torch
    from leakage.estimators.critics import Critic

Method = Literal["auto", "canonical", "cluster", "mine", "nwj", "infonce", "smile", "ksg"]

#: With fewer source images to train on, networks are regularised harder and averaged over several
#: validation parts.
MANY = 100
REPETITIONS = 4
#: Of a training part, held back for validation where there are many source images.
VALIDATION_SHARE = 5
#: Validation samples behind a temperature: all pairs of them are compared.
JUDGED_ON = 400
LARGEST_TEMPERATURE = 1.2
#: A choice must raise the bound on validation by this many standard errors over a simpler one.
CAUTION, NETWORK_CAUTION = 1.0, 3.0
#: Share of the folds that only trains for the test; each later fold is judged by earlier ones.
ONLY_TRAINS = 0.4
#: From this share of recognised pairs on, a sample cannot tell how much more information there is.
RECOGNISED = 0.8
#: Whitened coordinates are clipped here where a bound is to be evaluated.
BOUND_CLIP = 3.0
SMILE_CLIP = 5.0
#: A score so many nats below the least of all validated pairs is held there: a single image unlike
#: all others would otherwise decide what a fold says.
FAR_BELOW = 10.0
CLUSTERS = 20


def _bound(scores: np.ndarray, method: str = "mine") -> tuple[float, np.ndarray]:
    """Bound over all pairs, and each sample's influence on it, in bits.

    The influence of sample i counts its own pair, its row and its column (a U-statistic's two
    projections).
    """
    n = len(scores)
    if method == "infonce":
        local = scores.diagonal() - logsumexp(scores, axis=1) + math.log(n)
        return float(local.mean()) / math.log(2), local / math.log(2)
    diagonal = scores.diagonal()
    if method == "smile":
        scores = np.clip(scores, -SMILE_CLIP, SMILE_CLIP)
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    top = 1.0 if method == "nwj" else others.max()
    weights = np.exp(others - top)
    partition = weights.sum() / (n * (n - 1))
    sides = (weights.sum(0) + weights.sum(1)) / (n - 1)
    if method == "nwj":
        value, influence = diagonal.mean() - partition, diagonal - sides
    else:
        value = diagonal.mean() - math.log(partition) - top
        influence = diagonal - sides / partition
    return float(value) / math.log(2), influence / math.log(2)


def _temperature(scores: list[np.ndarray], method: str) -> tuple[float, float]:
    """Factor on the critics that serves them best on validation, and their mean bound with it.

    Both bounds are concave in the factor. The value at 0 is exactly 0: a critic that found nothing
    need not cost bits.
    """
    judge = "infonce" if method == "infonce" else "mine"

    def loss(factor: float) -> float:
        return -np.mean([_bound(factor * s, judge)[0] for s in scores])

    found = minimize_scalar(
        loss, bounds=(0, LARGEST_TEMPERATURE), method="bounded", options={"xatol": 0.02}
    )
    return float(found.x), float(-found.fun)


def _standard_error(influences: list[np.ndarray], clusters: list[np.ndarray]) -> float:
    """Of the mean over several validation parts of values with these influences."""
    errors = []
    for influence, cluster in zip(influences, clusters, strict=True):
        labels = cluster if len(np.unique(cluster)) > 1 else np.arange(len(cluster))
        low, high = clustered_interval(0.0, influence, labels, level=0.6827)
        errors.append((high - low) / 2)
    return float(np.mean(errors)) / math.sqrt(len(errors))


class Samples(NamedTuple):
    """Paired samples with their groups; `ranks` has each coordinate of x and y sorted."""

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    ranks: tuple
    components: int
    seed: int

    @classmethod
    def of(cls, x, y, groups, components: int, seed: int) -> "Samples":
        from leakage.estimators.critics import Ranks

        return cls(x, y, groups, tuple(Ranks(v) for v in (x, y)), components, seed)


class Learned(NamedTuple):
    """What one training set teaches: the calibrated critic, and the one that detects best."""

    name: str
    bits: float  # on validation
    critic: "Critic"
    temperature: float
    offset: float
    detector: "Critic"
    validated: tuple[np.ndarray, ...]  # scores of the calibrated critic on its validation parts
    judged: list[np.ndarray]  # these parts
    candidates: dict[str, list["Critic"]]  # all critics, fitted without each part
    final: Callable[[str], "Critic"]  # a candidate fitted on everything

    def scores(self, rows: np.ndarray) -> np.ndarray:
        scores = self.temperature * self.critic.scores(rows) + self.offset
        if not self.validated:
            return scores
        return np.maximum(scores, min(s.diagonal().min() for s in self.validated) - FAR_BELOW)

    def validation_scores(self, name: str) -> list[np.ndarray]:
        return _scored(self.candidates[name], self.judged)


def _scored(fitted: list["Critic"], judged: list[np.ndarray]) -> list[np.ndarray]:
    return [critic.scores(rows) for critic, rows in zip(fitted, judged, strict=True)]


class _Trial(NamedTuple):
    """A candidate on the validation samples: its best temperature, bound, and influences."""

    name: str
    temperature: float = 0.0
    bits: float = 0.0
    influences: list[np.ndarray] | None = None

    def clearly_above(
        self, other: "_Trial", clusters: list[np.ndarray], caution: float = CAUTION
    ) -> bool:
        gains = self.influences if other.influences is None else [
            a - b for a, b in zip(self.influences, other.influences, strict=True)
        ]
        return self.bits - other.bits > caution * _standard_error(gains, clusters)


NOTHING = _Trial("nothing")


def _views(samples: Samples, rows: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Coordinates of x and y as seen by a training set: name to pair of arrays (N, d)."""
    from leakage.estimators.critics import whitened

    sides = samples.x, samples.y
    wide = tuple(whitened(v, rows, samples.components, samples.seed) for v in sides)
    # a bound pays for every image unlike those it was trained on; a test only gains from them
    views = {"wide": wide, "white": tuple(v.clip(-BOUND_CLIP, BOUND_CLIP) for v in wide)}
    dimensions = [v.shape[1] for v in sides]
    # a covariance of all coordinates, where there are samples enough
    if 2 * sum(dimensions) < len(rows) * (1 - 1 / VALIDATION_SHARE):
        views["ranked"] = tuple(r.normal_scores(rows) for r in samples.ranks)
    return views


def _closed_forms(
    method: Method, views: dict, rows: np.ndarray, seed: int
) -> dict[str, Callable[[np.ndarray], "Critic"]]:
    """Critics without a network, as functions of the samples to fit them on."""
    from leakage.estimators import critics

    found = {}
    if method in ("auto", "canonical"):
        for view in ("white", "ranked"):
            for shrinkage in ("spiked", "even"):
                if view in views:
                    found[f"canonical, {view}, {shrinkage}"] = (
                        lambda fit, view=views[view], shrinkage=shrinkage:
                        critics.canonical_critic(*view, fit, shrinkage)
                    )  # fmt: skip
    clusters = min(CLUSTERS, len(rows) // 20)
    if method in ("auto", "cluster") and clusters > 1:
        found["cluster"] = lambda fit: critics.cluster_critic(
            *views["white"], fit, clusters, seed
        )
    return found


def learn(samples: Samples, rows: np.ndarray, method: Method, rng) -> Learned:
    """Fit, choose and calibrate a critic on the samples `rows` alone."""
    from leakage.estimators.critics import one_thread

    with one_thread():
        return _learn(samples, rows, method, rng)


def _learn(samples: Samples, rows: np.ndarray, method: Method, rng) -> Learned:
    from leakage.estimators import critics, networks

    groups = samples.groups
    names = len(np.unique(groups[rows]))
    few = names < MANY
    count = min(REPETITIONS if few else VALIDATION_SHARE, names)
    if count < 2:
        raise ValueError(
            "each training part needs samples from at least two groups; give more source images"
        )
    part = split_by_group(groups[rows], count, rng)
    repetitions = range(count if few else 1)
    fit = [rows[part != held] for held in repetitions]
    validate = [rows[part == held] for held in repetitions]
    judged = [v[rng.permutation(len(v))[:JUDGED_ON]] for v in validate]
    clusters = [groups[v] for v in judged]
    judge = "infonce" if method == "infonce" else "mine"

    views = _views(samples, rows)
    forms = _closed_forms(method, views, rows, samples.seed)
    candidates = {name: [form(f) for f in fit] for name, form in forms.items()}

    def validation_scores(name: str) -> list[np.ndarray]:
        return _scored(candidates[name], judged)

    def tried(name: str) -> _Trial:
        scores = validation_scores(name)
        temperature, bits = _temperature(scores, judge)
        return _Trial(name, temperature, bits, [_bound(temperature * s, judge)[1] for s in scores])

    best = max((tried(name) for name in forms), key=lambda trial: trial.bits, default=NOTHING)
    if best is not NOTHING and not best.clearly_above(NOTHING, clusters):
        best = NOTHING
    if method not in ("canonical", "cluster"):
        bases = {"network": [None] * len(fit)}
        if best is not NOTHING:
            bases[f"network on {best.name}"] = candidates[best.name]
        trained = networks.train_networks(
            *views["white"], fit * len(bases), validate * len(bases), samples.seed,
            base=[b for base in bases.values() for b in base], families=len(bases),
            objective="mine" if method == "auto" else method,
            training=networks.FEW_GROUPS if few else networks.MANY_GROUPS,
        )
        for i, name in enumerate(bases):
            candidates[name] = trained[i * len(fit) : (i + 1) * len(fit)]
        network = max((tried(name) for name in bases), key=lambda trial: trial.bits)
        # networks were stopped on these samples, and are not fitted again on all of them
        if network.clearly_above(best, clusters, CAUTION if best is NOTHING else NETWORK_CAUTION):
            best = network

    if method in ("auto", "canonical"):  # no likelihood ratio, but it detects the weakest leaks
        forms["linear"] = lambda fit: critics.linear_critic(*views["wide"], fit)
        candidates["linear"] = [forms["linear"](f) for f in fit]

    def final(name: str) -> "Critic":
        return forms[name](rows) if name in forms else critics.mean_critic(candidates[name])

    favourite = max(candidates, key=lambda n: np.mean([shuffle_z(s) for s in validation_scores(n)]))
    detector = final(favourite)
    offset = 0.0
    if method == "nwj":  # the constant that makes its bound as large as Donsker and Varadhan's
        scores = [best.temperature * s for s in validation_scores("network")]
        offset = 1 - float(np.mean([_log_partition(s) for s in scores]))
    critic = detector if best is NOTHING else final(best.name)
    validated = () if best is NOTHING else tuple(
        best.temperature * s + offset for s in validation_scores(best.name)
    )
    return Learned(
        best.name, best.bits, critic, best.temperature, offset, detector, validated, judged,
        candidates, final,
    )


def _log_partition(scores: np.ndarray) -> float:
    n = len(scores)
    return float(logsumexp(scores[~np.eye(n, dtype=bool)])) - math.log(n * (n - 1))


def earlier_folds(fold: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and test samples such that every fold tested comes after those that train."""
    folds = fold.max() + 1
    pairs = []
    for test in range(max(1, int(ONLY_TRAINS * folds)), folds):
        rows = np.flatnonzero(fold < test)
        if len(np.unique(groups[rows])) > 1:
            pairs.append((rows, np.flatnonzero(fold == test)))
    return pairs


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
    exact: float | None = None,
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
        Of each fold of the test.
    extrapolate : bool
        Also estimate on half of the groups; ``details["extrapolated"]`` is then the value for
        infinitely many samples if the error falls as 1/N.
    exact : float, optional
        The true value in bits where it is known, to be warned of an estimate above it.

    Returns
    -------
    Estimate
        In bits. A held-out lower bound but for the noise that the interval shows; SMILE and KSG
        are no bounds. The interval is over groups, of the bound that these critics reach. Flags:
        ``"saturated"`` when nearly every held-out pair is recognised among all others or the value
        nears the ceiling of the sample; ``"folds disagree"``; ``"still rising"`` with the number
        of samples; ``"above the exact value"``. Details: ``folds`` (bits of each), ``critics`` and
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
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, not {method!r}")
    x, y, groups = check_samples(x, y, groups, folds)
    if method == "ksg":
        if len(np.unique(groups)) < len(x):
            raise ValueError("ksg needs rows that are independent of each other: one a group")
        return ksg(x, y, permutations=permutations, seed=seed)

    rng = np.random.default_rng(seed)
    fold = split_by_group(groups, folds, rng)
    samples = Samples.of(x, y, groups, components, seed)
    neighbours = None
    if (
        method == "auto" and x.shape[1] + y.shape[1] <= MAX_DIMENSIONS
        and len(np.unique(groups)) == len(x)
    ):
        neighbours = local_contributions(x, y, seed=seed)

    learned = [learn(samples, np.flatnonzero(fold != t), method, rng) for t in range(folds)]
    values, top1, beside, names = [], [], [], []
    influences = np.zeros(len(x))
    for test, one in enumerate(learned):
        rows = np.flatnonzero(fold == test)
        scores = one.scores(rows)
        value, influence = _bound(scores, method)
        if value > (ceiling := math.log2(len(rows))):  # more than so many samples can tell
            value, influence = ceiling, _bound(scores, "infonce")[1]
        if one.temperature == 0:  # 0 by choice: its noise is that of the critic as it was
            influence = _bound(one.critic.scores(rows), method)[1]
        name = one.name
        if neighbours is not None:
            rest = neighbours[fold != test]
            if rest.mean() - one.bits > CAUTION * rest.std() / math.sqrt(len(rest)):
                name, value, influence = "ksg", neighbours[rows].mean(), neighbours[rows]
        influences[rows] = influence - influence.mean()
        values.append(float(value))
        names.append(name)
        beside.append(_bound(scores)[0])
        top1.append(np.mean(one.critic.scores(rows).argmax(0) == np.arange(len(rows))))

    sizes = np.bincount(fold)
    bits = float(np.average(values, weights=sizes))
    low, high = clustered_interval(bits, influences, groups)
    tested = [
        # the last fold's critic saw all the others: it is at hand
        (rows, (learned[-1] if len(rows) + len(later) == len(x) else
                learn(samples, rows, method, rng)).detector.scores(later))
        for rows, later in earlier_folds(fold, groups)
    ]
    p_value, z = sequential_test(
        [scores for _, scores in tested], [len(rows) for rows, _ in tested], permutations, rng
    )
    details = {
        "folds": tuple(values), "critics": tuple(names),
        "temperatures": tuple(one.temperature for one in learned),
        "top1": float(np.average(top1, weights=sizes)), "z": z,
        "ceiling": math.log2(sizes.min()),
    }
    if method == "smile":
        details["donsker-varadhan"] = float(np.average(beside, weights=sizes))
    if extrapolate:
        half = np.isin(groups, _half_of(groups, rng))
        fewer = estimate_mi(
            x[half], y[half], method, groups=groups[half], folds=folds, seed=seed,
            components=components, permutations=1,
        ).bits
        details["half"] = fewer
        details["extrapolated"] = 2 * bits - fewer
    flags = _flags(bits, low, high, details, sizes, exact)
    return Estimate(
        bits, low, high, p_value, len(x), _method_name(method, names, folds), "estimate", flags,
        details,
    )


def _half_of(groups: np.ndarray, rng) -> np.ndarray:
    names = np.unique(groups)
    return rng.permutation(names)[: (len(names) + 1) // 2]


def _method_name(method: Method, names: list[str], folds: int) -> str:
    if method == "auto":
        chosen = ", ".join(sorted(set(names), key=names.index))
        return f"auto ({chosen}), {folds} folds held out"
    shown = {"nwj": "NWJ", "infonce": "InfoNCE"}.get(method, method.upper())
    shown = method if method in ("canonical", "cluster") else shown
    return f"{shown}, {folds} folds held out"


def _flags(bits, low, high, details, sizes, exact) -> tuple[str, ...]:
    flags = []
    recognised = details["top1"]
    if recognised > RECOGNISED or high > details["ceiling"] - 1 / math.log(2):
        flags.append(
            f"saturated: {recognised:.0%} of held-out pairs recognised among "
            f"{round(np.mean(sizes))}"
        )
    if np.ptp(details["folds"]) > max(1.0, 2 * abs(bits)):
        flags.append("folds disagree")
    rising = details.get("extrapolated", bits) - bits
    if rising > max((high - low) / 2, 0.1 * abs(bits)):
        flags.append(f"still rising: {details['half']:.2f} bit from half of the samples")
    if exact is not None and low > exact:
        flags.append(f"above the exact value of {exact:.3f} bit")
    return tuple(flags)


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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 2))
    >>> mine(x, x + rng.normal(size=(300, 2))).p_value < 0.001
    True
    """
    return estimate_mi(
        x, y, "mine", groups=groups, folds=folds, seed=seed, components=components,
        permutations=permutations,
    )
