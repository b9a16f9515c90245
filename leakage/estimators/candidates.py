"""Candidates: critics of every kind, fitted on parts of a training set and scored on the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from leakage.estimators import critics, networks
from leakage.estimators.critics import Critic, Ranks, whitened
from leakage.estimators.objectives import Objective
from leakage.evidence.splits import split_by_group

Method = Literal[
    "auto", "canonical", "cluster", "quantised", "mine", "nwj", "infonce", "smile", "ksg"
]
#: The objective that a network of each method is trained by.
_OBJECTIVES: dict[Method, Objective] = {
    "auto": "mine", "mine": "mine", "nwj": "nwj", "infonce": "infonce", "smile": "smile",
}  # fmt: skip

#: With fewer source images to train on, networks are regularised harder and averaged over several
#: validation parts.
MANY = 100
REPETITIONS = 4
#: Of a training part, held back for validation where there are many source images.
VALIDATION_SHARE = 5
#: Validation samples behind a temperature: all pairs of them are compared.
JUDGED_ON = 400
#: Whitened coordinates are clipped here where a bound is to be evaluated; chosen on the bundled
#: photographs, where single patches are far from all others.
BOUND_CLIP = 3.0
#: Clusters of each side; chosen on `leakage.truth.channels.clusters`, which has ten.
CLUSTERS = 20
#: Numbers in x and y together, of which ranks are taken, and functions of one side made: more of
#: them need gigabytes, and with so many samples networks find what these views show.
MOST_RANKED, MOST_ENRICHED = 10_000_000, 2_000_000
#: Samples that a part needs, to fit or to validate.
FEWEST_ROWS = 4
#: Two clusters need so many to train on.
FEWEST_CLUSTERED = 40

LINEAR = "linear"
#: Closed forms: views (`Samples.views`) with ways to meet noise (`critics.canonical_variates`).
FORMS: tuple[tuple[str, critics.Shrinkage], ...] = (
    ("white", "spiked"), ("white", "even"), ("ranked", "spiked"), ("ranked", "even"),
    ("ranked", "screened"), ("radial", "spiked"), ("moduli", "spiked"), ("moduli", "screened"),
    ("modulated", "spiked"), ("modulated", "screened"),
)  # fmt: skip

#: Coordinates of x and y, as a training set sees them.
View = tuple[np.ndarray, np.ndarray]


class Samples(NamedTuple):
    """Paired samples with their groups.

    `ranks` has each coordinate of x and y sorted, None where they are too many for the samples.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    ranks: tuple[Ranks, Ranks] | None
    components: int
    seed: int

    @classmethod
    def of(
        cls, x: np.ndarray, y: np.ndarray, groups: np.ndarray, components: int, seed: int
    ) -> "Samples":
        """Samples, each coordinate sorted once for all folds."""
        small = x.size + y.size <= MOST_RANKED
        ranks = (Ranks(x), Ranks(y)) if small and _covariance_is_known(x, y, len(x)) else None
        return cls(x, y, groups, ranks, components, seed)

    def views(self, rows: np.ndarray) -> dict[str, View]:
        """Coordinates of all samples, scaled by the training samples `rows`, by name."""
        wide = self._whitened(self.x, rows), self._whitened(self.y, rows)
        # a bound pays for every image unlike those it was trained on; a test only gains from them
        clipped = wide[0].clip(-BOUND_CLIP, BOUND_CLIP), wide[1].clip(-BOUND_CLIP, BOUND_CLIP)
        views = {"wide": wide, "white": clipped}
        if self.ranks and _covariance_is_known(self.x, self.y, len(rows)):
            ranked = self.ranks[0].normal_scores(rows), self.ranks[1].normal_scores(rows)
            views["ranked"] = ranked
            if self.x.size + self.y.size <= MOST_ENRICHED:
                views |= enriched(ranked, (self.x, self.y), rows)
        return views

    def _whitened(self, side: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return whitened(side, rows, self.components, self.seed)


def enriched(ranked: View, raw: View, rows: np.ndarray) -> dict[str, View]:
    """Views with functions of one side alone beside its normal scores, for what is not linear.

    ``"radial"`` adds how far a sample is from the middle, ``"moduli"`` the size of each coordinate
    too, ``"modulated"`` each coordinate times two functions of that distance.
    """
    made: dict[str, list[np.ndarray]] = {"radial": [], "moduli": [], "modulated": []}
    for scores, side in zip(ranked, raw, strict=True):
        radii = np.hstack([log_radius(scores, rows), log_radius(side, rows)])
        first = radii[:, :1]
        made["radial"].append(np.hstack([scores, radii]))
        made["moduli"].append(np.hstack([scores, radii, Ranks(abs(scores)).normal_scores(rows)]))
        made["modulated"].append(
            np.hstack([scores, radii, scores * first, scores * (first**2 - 1)])
        )
    room = (len(rows) * (1 - 1 / VALIDATION_SHARE)) / 2
    return {
        name: (x.astype(np.float32), y.astype(np.float32))
        for name, (x, y) in made.items()
        if x.shape[1] + y.shape[1] < room
    }


def log_radius(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Normal scores of the distance from the median, in median absolute deviations: (N, 1)."""
    middle = np.median(values[rows], 0)
    spread = np.median(abs(values[rows] - middle), 0)
    useful = spread > 0
    if not useful.any():
        return np.zeros((len(values), 1), np.float32)
    far = ((values[:, useful] - middle[useful]) / spread[useful]) ** 2
    return Ranks(far.sum(1, keepdims=True)).normal_scores(rows)


def _covariance_is_known(x: np.ndarray, y: np.ndarray, samples: int) -> bool:
    """Whether that of all coordinates is, from so many samples to train on."""
    return 2 * (x.shape[1] + y.shape[1]) < samples * (1 - 1 / VALIDATION_SHARE)


class Parts(NamedTuple):
    """A training set, cut into what fits a candidate and what validates it, once or several times.

    Attributes
    ----------
    rows : ndarray of int
        The whole training set.
    few : bool
        Whether it comes from few source images, so that every candidate is fitted several times.
    fit, validate : list of ndarray of int
        Of each repetition.
    judged : list of ndarray of int
        Of each `validate`, at most `JUDGED_ON` samples.
    clusters : list of ndarray
        Groups of the samples in `judged`.
    """

    rows: np.ndarray
    few: bool
    fit: list[np.ndarray]
    validate: list[np.ndarray]
    judged: list[np.ndarray]
    clusters: list[np.ndarray]

    @classmethod
    def of(cls, rows: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> "Parts":
        """Cut by group, so that no source image both fits and validates."""
        names = len(np.unique(groups[rows]))
        few = names < MANY
        count = min(REPETITIONS if few else VALIDATION_SHARE, names)
        if count < 2:
            raise ValueError(
                "each training part needs samples from at least two groups; give more source images"
            )
        while True:
            part = split_by_group(groups[rows], count, rng)
            repetitions = range(count if few else 1)
            fit = [rows[part != held] for held in repetitions]
            validate = [rows[part == held] for held in repetitions]
            if min(map(len, fit + validate)) >= FEWEST_ROWS:
                break
            if count == 2:
                raise ValueError(
                    f"{len(rows)} samples to train on, of {names} groups, cannot be cut into two "
                    f"parts of at least {FEWEST_ROWS}; give more source images or more folds"
                )
            count -= 1
        judged = [v[rng.permutation(len(v))[:JUDGED_ON]] for v in validate]
        return cls(rows, few, fit, validate, judged, [groups[v] for v in judged])


@dataclass(frozen=True)
class Candidate:
    """A critic in the making.

    Attributes
    ----------
    name : str
        Unique among the candidates of a training set.
    scores : tuple of ndarray
        All pairs of each validation part, by the critic that was fitted without it.
    fitted : callable
        These critics; of large samples they are not kept.
    final : callable
        The critic to judge other samples with.
    variates : callable or None
        Of the samples to fit on, to the coordinates of both sides that the critic compares.
    """

    name: str
    scores: tuple[np.ndarray, ...]
    fitted: Callable[[], list[Critic]]
    final: Callable[[], Critic]
    variates: Callable[[np.ndarray], critics.Canonical] | None = None

    @classmethod
    def in_closed_form(
        cls,
        name: str,
        form: Callable[[np.ndarray], Critic],
        parts: Parts,
        variates: Callable[[np.ndarray], critics.Canonical] | None = None,
    ) -> "Candidate":
        """A function of the samples to fit on; at the end it is fitted on the whole set."""
        scores = tuple(
            form(fit).scores(rows) for fit, rows in zip(parts.fit, parts.judged, strict=True)
        )
        return cls(
            name, scores, lambda: [form(fit) for fit in parts.fit], lambda: form(parts.rows),
            variates,
        )  # fmt: skip


def _fits(view: View, shrinkage: critics.Shrinkage, parts: Parts) -> bool:
    """Whether every part has the samples that the form needs, and the form something to do."""
    dims = view[0].shape[1] + view[1].shape[1]
    if dims >= min(len(fit) for fit in parts.fit):
        return False
    if shrinkage != "screened":
        return True
    kept = [critics.screened(*view, fit) for fit in (*parts.fit, parts.rows)]
    return all(a.any() and not (a.all() and b.all()) for a, b in kept)


def closed_forms(
    method: Method, views: dict[str, View], parts: Parts, seed: int, only: frozenset[str] | None
) -> Iterator[Candidate]:
    """Candidates without a network that a bound can be taken of; `only` these names, if given."""
    if method in ("auto", "canonical"):
        for view, shrinkage in FORMS:
            name = f"canonical, {view}, {shrinkage}"
            if (only is None or name in only) and view in views:
                if not _fits(views[view], shrinkage, parts):
                    continue
                form = partial(critics.canonical_critic, *views[view], shrinkage=shrinkage)
                variates = partial(critics.canonical_variates, *views[view], shrinkage=shrinkage)
                yield Candidate.in_closed_form(name, form, parts, variates)
    clusters = min(CLUSTERS, 2 * len(parts.rows) // FEWEST_CLUSTERED)
    if method == "cluster" and clusters < 2:
        raise ValueError(
            f"two clusters need at least {FEWEST_CLUSTERED} samples to train on, not "
            f"{len(parts.rows)}; give more source images or another method"
        )
    if method in ("auto", "cluster") and clusters > 1 and (only is None or "cluster" in only):
        yield Candidate.in_closed_form(
            "cluster",
            lambda fit: critics.cluster_critic(*views["white"], fit, clusters, seed),
            parts,
        )


def linear(views: dict[str, View], parts: Parts) -> Candidate:
    """No likelihood ratio, but it detects the weakest leaks."""
    return Candidate.in_closed_form(
        LINEAR, lambda fit: critics.linear_critic(*views["wide"], fit), parts
    )


def trained_networks(
    method: Method, views: dict[str, View], parts: Parts, base: Candidate | None, seed: int
) -> list[Candidate]:
    """A network by itself, and one on top of `base`, trained side by side.

    They were stopped on the validation samples, and are not fitted again on the whole set: the
    final critic is the mean of the repetitions.
    """
    bases: dict[str, list[Critic | None]] = {"network": [None] * len(parts.fit)}
    if base is not None:
        bases[f"network on {base.name}"] = list(base.fitted())
    trained = networks.train_networks(
        *views["white"], parts.fit * len(bases), parts.validate * len(bases), seed,
        base=[critic for fitted in bases.values() for critic in fitted], families=len(bases),
        objective=_OBJECTIVES[method],
        training=networks.FEW_GROUPS if parts.few else networks.MANY_GROUPS,
    )  # fmt: skip
    count = len(parts.fit)
    families = [trained[i * count : (i + 1) * count] for i in range(len(bases))]
    return [
        Candidate(
            name,
            tuple(c.scores(rows) for c, rows in zip(fitted, parts.judged, strict=True)),
            partial(list, fitted),
            partial(critics.mean_critic, fitted),
        )
        for name, fitted in zip(bases, families, strict=True)
    ]
