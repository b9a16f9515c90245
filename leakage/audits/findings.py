"""What an audit found: plain data, of which reports are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from leakage.audits.exposure import Exposed
from leakage.audits.origin import Origin
from leakage.audits.per_image import ImageScores
from leakage.estimate import Estimate

if TYPE_CHECKING:  # at run time it is made where it is needed, for it loads torch
    from leakage.estimators.leak_maps import LeakMap

View = Literal["pixel", "patch", "critic", "embedding", "identification"]
Level = Literal["structure"] | View


@dataclass(frozen=True)
class Finding:
    """One question that an audit asked of the pairs, and its answer.

    Attributes
    ----------
    level : {"structure", "pixel", "patch", "critic", "embedding", "identification"}
        What looked: an exact check of structure, or one of the five views.
    name : str
        Short and unique in an audit, for instance ``"histogram"`` or ``"keystream reused"``.
    leaks : bool or None
        True or False where the question was answered, None where these pairs could not answer it.
    meaning : str
        One sentence: what this tells about the scheme.
    how : str
        One sentence: how to see it for oneself.
    p_value : float or None
        Corrected for all tests of the audit (Holm, 1979). None for checks that are no tests.
    estimate : Estimate or None
        Of the information in bits, where the level gives one.
    unit : str
        What the estimate counts: ``"sample"``, ``"patch"`` or ``"image"``.
    otherwise : str
        What takes the place of `meaning` where the corrected p-value finds nothing.
    """

    level: Level
    name: str
    leaks: bool | None
    meaning: str
    how: str
    p_value: float | None = None
    estimate: Estimate | None = None
    unit: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class Power:
    """A leak that a view would have found in eight of ten cases, with these images.

    Attributes
    ----------
    level : {"pixel", "patch", "critic", "embedding", "identification"}
        The view.
    bits : float or None
        How much; None where not even the largest that was tried is found.
    unit : str
        What the bits are of.
    planted : str
        What was planted.
    """

    level: View
    bits: float | None
    unit: str
    planted: str


@dataclass(frozen=True)
class Limit:
    """What a named adversary, trained on other images, reaches at most.

    Attributes
    ----------
    adversary : str
        What it does.
    rate : float
        Its success here, on images that trained nothing.
    limit : float
        Upper limit of its success, at 95 % for all adversaries of an audit together; no less than
        that of guessing.
    chance : float
        Success of guessing.
    trials : int
        Independent images.
    bayes_security : float or None
        Of one that guesses: its errors at the limit as a share of those of a guesser without
        ciphertexts, 1 where these are of no use and 0 where they tell all (Chatzikokolakis et al.,
        2023, for the images here, each as likely). None of one that may pass.
    """

    adversary: str
    rate: float
    limit: float
    chance: float
    trials: int
    bayes_security: float | None


@dataclass(frozen=True)
class Findings:
    """All that an audit found; `leakage.audits.report.Audit` says what each field means."""

    leaks: bool | None
    verdict: str
    findings: tuple[Finding, ...]
    certified_bits: float
    detectable_bits: float | None
    exact: Estimate | None
    metrics: pd.DataFrame
    settings: dict[str, object]
    pictures: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    scores: ImageScores | None = field(default=None, repr=False)
    origin: Origin = field(default_factory=Origin, repr=False)
    exposed: tuple[Exposed, ...] = field(default=(), repr=False)
    power: tuple[Power, ...] = field(default=(), repr=False)
    where: LeakMap | None = field(default=None, repr=False)
    limits: tuple[Limit, ...] = field(default=(), repr=False)
