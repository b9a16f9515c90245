"""Audit: from pairs of images and ciphertexts to an answer that one can defend."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from leakage import __version__
from leakage.arguments import check_images, check_one_of, check_seed
from leakage.audits.classical import MEASURED, classical_metrics
from leakage.audits.couples import coupled, kinds_of
from leakage.audits.exposure import Exposed, most_exposed
from leakage.audits.findings import Finding, Limit, Power
from leakage.audits.first_pairs import FirstPairs
from leakage.audits.implied import with_implied
from leakage.audits.origin import Origin, folders_of, now
from leakage.audits.outliers import FewImages
from leakage.audits.pairs import Pairs, from_arrays, from_folders, groups_of
from leakage.audits.per_image import ImageScores, image_scores
from leakage.audits.pictures import attacked
from leakage.audits.report import Audit
from leakage.audits.schemes import (
    Encrypts,
    closed_form,
    encrypted,
    scheme_findings,
    scheme_from,
    scheme_key,
    scheme_text,
)
from leakage.audits.sizes import FEWEST_ALIKE, Sizes, comparable
from leakage.audits.structure import Structure
from leakage.audits.verdicts import (
    ALPHA,
    ONE_PICTURE,
    corrected,
    ranked,
    verdict,
)
from leakage.estimate import Estimate
from leakage.pictures.image_sets import ImageSet
from leakage.pictures.reading import check_mode
from leakage.schemes.base import Keying

if TYPE_CHECKING:  # at run time it is imported where it is needed, for it loads torch
    from leakage.audits.critic import Pictures
    from leakage.audits.levels import Sample

__all__ = ["Audit", "Finding", "audit"]

_Answer = TypeVar("_Answer")

SMALLEST = 32

_PROFILES = {
    "quick": {"blocks": 4096, "permutations": 999},
    "full": {"blocks": 16384, "permutations": 1999},
}


def audit(
    plain: np.ndarray | ImageSet | str | Path | None = None,
    cipher: np.ndarray | str | Path | None = None,
    *,
    scheme: object = None,
    images: np.ndarray | ImageSet | None = None,
    groups: np.ndarray | str | Path | None = None,
    keying: Keying = "fresh",
    seed: int = 0,
    profile: Literal["quick", "full"] = "quick",
    mode: Literal["gray", "rgb"] | None = None,
    progress: bool = True,
    title: str = "",
) -> Audit:
    """Ask what ciphertexts give away of their images, and how sure one can be.

    Either of pairs, ``audit(plain, cipher)``, or of a scheme, ``audit(scheme=..., images=...)``,
    which is also asked whether its output depends on the key and whether it decrypts.

    Exact checks of structure come first. Then information is looked for in single samples, in
    small patches, also by a critic that comes with the package and can do with six images, in
    representations of whole images from the histogram to a network's last layer, and in whether
    the image of a ciphertext can be found among others. Every test is made on images that trained
    nothing. p-values are corrected for all tests: the levels share the error equally, and within a
    level it is Holm's (1979).

    Where nothing is found, leaks of known size are planted into these very pairs. The answer is
    that nothing leaks only if every view finds some of them, and says of which size.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts, at least 32 pixels high and wide. Or the names of two
        folders with files of the same names (PNG, PGM, TIFF, BMP, JPEG), which are read one pair
        at a time, however many there are.
    scheme : Scheme or str
        Instead of pairs: one of `leakage.get_scheme`, its name, or ``"module:Class"`` of one's
        own.
    images : ndarray of uint8, or ImageSet
        What the scheme is to encrypt. An ImageSet brings its groups with it.
    groups : ndarray of shape (N,), str or Path, optional
        Source of each image: patches of one photograph share theirs. Of folders also
        ``"folder"``, each file's folder; the name of a CSV file with two columns, name and group;
        or a regular expression whose part in parentheses is the group, ``"(.*)_[0-9]+"``. Without
        it all images count as independent of each other, but for equal ones, which always belong
        together.
    keying : {"fresh", "fixed"}
        How nonces were used. Under ``"fixed"`` a deterministic scheme is one map for all images.
    seed : int
        Of everything random; with `scheme`, of the keys too, which are not reported.
    profile : {"quick", "full"}
        ``"full"`` looks at four times as many samples and takes more permutations.
    mode : {None, "gray", "rgb"}
        How files are read: None keeps colour where any pair has some.
    progress : bool
        Show a progress bar.
    title : str
        Of the report.

    Returns
    -------
    Audit
        Verdict, findings, and the bits an image that are certified or would have been detected.

    Raises
    ------
    ValueError, TypeError
        Images that are no pairs or too small; no such scheme; unknown profile, keying or mode.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> images = load_images(count=60).images
    >>> found = audit(scheme=get_scheme("skk"), images=images, progress=False)
    >>> found.leaks, found.findings[0].level
    (True, 'structure')
    """
    check_seed(seed)
    check_one_of("profile", profile, _PROFILES)
    check_one_of("keying", keying, ("fresh", "fixed"))
    check_mode(mode)
    known = None
    if groups is None:
        groups = next((x.groups for x in (images, plain) if isinstance(x, ImageSet)), None)
    if scheme is not None and images is not None and plain is None and cipher is None:
        plain = check_images(images)
        known = _asked(scheme_from(scheme), plain, scheme_key(seed), keying)
        cipher = known.cipher
    elif plain is None or cipher is None or scheme is not None or images is not None:
        raise TypeError("give plain and cipher, or scheme=... and images=..., and not both")
    pairs = _pairs(plain, cipher, mode)
    groups = groups_of(pairs.names, pairs.same, groups)
    smallest = min(min(shape[:2]) for shape in pairs.shapes)
    if smallest < SMALLEST:
        raise ValueError(
            f"an image is {smallest} pixels high or wide; an audit needs at least {SMALLEST}"
        )
    origin = Origin(
        title=str(title), made=now(), remarks=_remarks(pairs, groups),
        folders=() if known else folders_of(plain, cipher),
        read_as=f"{'RGB' if len(pairs.shapes[0]) == 3 else 'gray'}, 8 bits a sample",
    )  # fmt: skip
    return _audit(_Question(pairs, groups, known, keying, profile, seed, progress, origin))


def _remarks(pairs: Pairs, groups: np.ndarray) -> tuple[str, ...]:
    kinds = kinds_of(pairs.shapes)
    alone = int(np.count_nonzero(~comparable(kinds, groups)))
    sizes = [
        "images differ in size, which their ciphertexts show; everything else is asked of images "
        "of one size"
    ] * bool(kinds.any())
    rare = [
        f"{alone} of {len(pairs)} images have a size that fewer than {FEWEST_ALIKE} independent "
        "images share: as a whole they were not compared; cut all to one size"
    ] * bool(kinds.any() and alone)
    large = [
        f"classical metrics are of the middle {MEASURED} x {MEASURED} samples of an image"
    ] * any(max(shape[:2]) > MEASURED for shape in pairs.shapes)
    return (*pairs.notes, *sizes, *rare, *large)


@dataclass(frozen=True)
class _Known:
    """What a scheme shows that pairs do not."""

    scheme: Encrypts
    key: bytes
    cipher: np.ndarray
    findings: list[Finding]
    exact: Estimate | None


def _asked(scheme: Encrypts, images: np.ndarray, key: bytes, keying: Keying) -> _Known:
    cipher = encrypted(scheme, images, key, keying)
    findings = scheme_findings(scheme, images, key, keying)
    return _Known(scheme, key, cipher, findings, closed_form(scheme, images))


def _pairs(plain: object, cipher: object, mode: str | None) -> Pairs:
    if isinstance(plain, str | Path) and isinstance(cipher, str | Path):
        return from_folders(plain, cipher, mode)
    return from_arrays(plain, cipher)


@dataclass(frozen=True)
class _Question:
    """What `audit` was asked, checked."""

    pairs: Pairs
    groups: np.ndarray
    known: _Known | None
    keying: Keying
    profile: str
    seed: int
    progress: bool
    origin: Origin

    @property
    def sources(self) -> int:
        """How many independent pictures there are."""
        return len(np.unique(self.groups))


@dataclass(frozen=True)
class _Gathered:
    """What one look at every pair left."""

    structure: Structure
    sizes: Sizes
    few: FewImages
    sample: Sample
    pictures: Pictures
    first: FirstPairs


def _audit(question: _Question) -> Audit:
    from leakage.audits.places import where
    from leakage.audits.power import power_of

    pairs, known, seed = question.pairs, question.known, question.seed
    gathered = _gathered(question)
    findings, certified, table, limits, scores = _answers(question, gathered)
    sources = question.sources
    found: bool | None = any(finding.leaks for finding in findings)
    power: tuple[Power, ...] = ()
    if not found and sources > 1:  # what is not there: how large could it be?
        power = power_of(gathered.sample, gathered.pictures, seed)
    if not found and (sources == 1 or pairs.lossy or any(view.bits is None for view in power)):
        found = None  # neither what it has no power to see is cleared, nor what it did not see
    names = {finding.name for finding in findings if finding.leaks and finding.level == "structure"}
    plain, cipher = gathered.first.shown
    exposed = most_exposed(scores, pairs.names) if found else ()
    return Audit(
        leaks=found,
        verdict=verdict(found, findings, certified, power, len(pairs), sources, pairs.lossy),
        findings=tuple(findings),
        certified_bits=certified,
        detectable_bits=next((p.bits for p in power if p.level == "embedding"), None),
        power=power,
        exact=known.exact if known else None,
        metrics=table,
        settings=_settings(question),
        pictures={
            "plain": plain,
            "cipher": cipher,
            **attacked(cipher, gathered.structure.clear_planes, names),
            **_pictures_of(exposed, pairs),
        },
        scores=scores,
        origin=question.origin,
        exposed=exposed,
        limits=limits,
        where=where(pairs, question.groups, seed) if found else None,
    )


def _pictures_of(exposed: tuple[Exposed, ...], pairs: Pairs) -> dict[str, np.ndarray]:
    """The most exposed images and their ciphertexts, as far as they are of one shape."""
    shape = pairs.shapes[exposed[0].number] if exposed else ()
    shown = [pairs.read(one.number) for one in exposed if pairs.shapes[one.number] == shape]
    if not shown:
        return {}
    plain, cipher = (np.stack(side) for side in zip(*shown, strict=True))
    return {"most exposed": plain, "most exposed, encrypted": cipher}


def _gathered(question: _Question) -> _Gathered:
    from leakage.audits import levels
    from leakage.audits.critic import PictureCollector
    from leakage.audits.side_by_side import side_by_side

    pairs, blocks = question.pairs, _PROFILES[question.profile]["blocks"]
    couples = coupled(pairs.shapes, question.groups)
    structure = Structure(pairs, couples, apart=question.known is not None, seed=question.seed)
    collector = levels.Collector(couples, blocks, question.groups, question.seed)
    read = PictureCollector(pairs.shapes, question.groups, question.seed)
    sizes = Sizes(pairs, question.groups)
    few = FewImages(pairs, question.groups, question.seed)
    first = FirstPairs()

    def add(plain: np.ndarray, cipher: np.ndarray) -> None:
        collector.add(plain, cipher)
        read.add(plain, cipher)
        sizes.add(plain)
        few.add(plain, cipher)

    with side_by_side() as threads:
        looking: list[Future[None]] = []
        for plain, cipher in tqdm(pairs, "pairs", len(pairs), disable=not question.progress):
            for one in looking:  # meanwhile this pair was read
                one.result()
            looking = [threads.submit(look, plain, cipher) for look in (structure.add, add)]
            first.add(plain, cipher)
        for one in looking:
            one.result()
    return _Gathered(structure, sizes, few, collector.sample(), read.pictures(), first)


class _Answers(NamedTuple):
    findings: list[Finding]  # corrected and ranked
    certified: float  # bits an image
    table: pd.DataFrame  # classical metrics
    limits: tuple[Limit, ...]
    scores: ImageScores


def _answers(question: _Question, gathered: _Gathered) -> _Answers:
    """All that is asked of what was gathered."""
    from leakage.audits import levels
    from leakage.audits.limits import SaidOfWhole, said_of_whole
    from leakage.audits.side_by_side import side_by_side

    sample, known, seed = gathered.sample, question.known, question.seed
    permutations = _PROFILES[question.profile]["permutations"]
    one_picture = question.sources == 1
    views: list[Callable[[], list[Finding]]] = [
        lambda: levels.pixel_findings(sample, permutations, seed),
        lambda: levels.patch_findings(sample, permutations, seed),
        lambda: [gathered.pictures.finding(seed)],
    ]
    if one_picture:  # nothing varies that a ciphertext could tell of
        views = [lambda: [ONE_PICTURE]]
    bar = tqdm(total=len(views) + 3, desc="questions", disable=not question.progress)
    with bar, side_by_side() as threads:

        def asked(ask: Callable[[], _Answer]) -> Future[_Answer]:
            future = threads.submit(ask)
            future.add_done_callback(lambda _: bar.update())
            return future

        # what takes longest first
        scheme, key = (known.scheme, known.key) if known else (None, None)
        # one after the other: both silence warnings, which threads cannot do at once
        measured = asked(
            lambda: (
                classical_metrics(*gathered.first.middles, scheme, key, seed),
                image_scores(question.pairs, question.groups),
            )
        )
        viewed = [asked(view) for view in views]
        whole = asked(
            lambda: SaidOfWhole([], 0.0, ()) if one_picture else said_of_whole(sample, seed)
        )
        structure = asked(lambda: _structure_findings(gathered, seed))
        findings = structure.result() + (known.findings if known else [])
        findings += [finding for view in viewed for finding in view.result()]
        findings = corrected(findings + whole.result().findings)
        if not one_picture:
            findings = with_implied(findings, question.pairs, gathered.structure.clear_planes)
        _, certified, limits = whole.result()
        table, scores = measured.result()
        return _Answers(ranked(findings), certified, table, limits, scores)


def _structure_findings(gathered: _Gathered, seed: int) -> list[Finding]:
    found = gathered.structure.findings() + gathered.sizes.findings(seed)
    return [*found, gathered.few.finding()]


def _settings(question: _Question) -> dict[str, object]:
    shapes = sorted(question.pairs.shapes, key=prod)
    sizes = [f"{width}x{height}" for height, width, *_ in (shapes[0], shapes[-1])]
    return {
        "pairs": len(shapes),
        "independent images": question.sources,
        "size": " to ".join(dict.fromkeys(sizes)),
        "channels": 3 if len(shapes[0]) == 3 else 1,
        "keying": question.keying,
        "profile": question.profile,
        "seed": question.seed,
        "scheme": scheme_text(question.known.scheme if question.known else None),
        "notes": "; ".join(question.pairs.notes),
        "family-wise level": ALPHA,
        "network": "EfficientNet-Lite0, ImageNet",
        "leakage": __version__,
        "numpy": np.__version__,
    }
