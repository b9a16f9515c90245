"""What an audit found: plain data, fit for a report, a table or a file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from leakage.estimate import Estimate

Level = Literal["structure", "pixel", "patch", "embedding", "identification"]


@dataclass(frozen=True)
class Finding:
    """One question that an audit asked of the pairs, and its answer.

    Attributes
    ----------
    level : {"structure", "pixel", "patch", "embedding", "identification"}
        What looked: an exact check of structure, or one of the four views.
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
    """

    level: Level
    name: str
    leaks: bool | None
    meaning: str
    how: str
    p_value: float | None = None
    estimate: Estimate | None = None
    unit: str = ""


@dataclass(frozen=True)
class Audit:
    """The answer of `leakage.audit`.

    Attributes
    ----------
    leaks : bool or None
        True: a leak was found. False: none was, and the audit had the power to find one. None: too
        few pairs to say.
    verdict : str
        One sentence.
    findings : tuple of Finding
        The gravest first.
    certified_bits : float
        Lower bound of the leakage in bits an image, at 95 % confidence; 0 if none.
    detectable_bits : float or None
        What this audit would have detected in eight of ten cases, in bits an image; None where a
        leak was found, or where it cannot be said.
    exact : Estimate or None
        Closed form of the scheme, in bits a sample, where it is known.
    metrics : DataFrame
        Classical metrics of the same pairs, see `leakage.metrics.table`.
    settings : dict
        How the audit was made: pairs, groups, size of images, keying, profile, seed, versions.
        Never a key.
    pictures : dict of str to ndarray of uint8
        Some plain images and their ciphertexts, and what attacks made of them.
    """

    leaks: bool | None
    verdict: str
    findings: tuple[Finding, ...]
    certified_bits: float
    detectable_bits: float | None
    exact: Estimate | None
    metrics: pd.DataFrame
    settings: dict[str, object]
    pictures: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def table(self) -> pd.DataFrame:
        """The findings, one a row, without their explanations."""
        rows = [
            {
                "finding": f.name,
                "leaks": {True: "yes", False: "no", None: "open"}[f.leaks],
                "p": "" if f.p_value is None else f"{max(f.p_value, 1e-300):.2g}",
                "bits": "" if f.estimate is None else _interval(f.estimate),
                "unit": f.unit,
            }
            for f in self.findings
        ]
        return pd.DataFrame(rows, index=pd.Index([f.level for f in self.findings], name="level"))

    def to_dict(self) -> dict[str, object]:
        """Everything, ready for JSON; its schema is published beside `leakage.audits.report`."""
        from leakage.audits.report import to_dict

        return to_dict(self)

    def to_latex(self) -> str:
        """The findings as a LaTeX table."""
        from leakage.audits.report import to_latex

        return to_latex(self)

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write a self-contained page, JSON, a LaTeX table and figures into a folder."""
        from leakage.audits.report import save

        return save(self, folder)


def _interval(estimate: Estimate) -> str:
    if "folds disagree" in estimate.flags:
        return "unreliable: folds disagree"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.bits:.3f}"
    return f"{estimate.bits:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
