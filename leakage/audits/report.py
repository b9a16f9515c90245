"""The answer of `leakage.audit`, with all forms in which it can be shown and written."""

import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leakage.audits import data, latex, page, words, writing
from leakage.audits.findings import Findings
from leakage.estimate import p_text

_SHORT = 240  # characters of the verdict in a text


@dataclass(frozen=True, repr=False)
class Audit(Findings):
    """The answer of `leakage.audit`: a verdict, and the findings behind it.

    Attributes
    ----------
    leaks : bool or None
        True: a leak was found. False: none was, and every view had the power to find one. None:
        some had not.
    verdict : str
        One sentence.
    findings : tuple of Finding
        The gravest first.
    certified_bits : float
        Lower bound of the leakage in bits an image, at 95 % confidence; 0 if none.
    detectable_bits : float or None
        What its view of whole images would have detected in eight of ten cases, in bits an image;
        None where a leak was found, or where it cannot be said.
    exact : Estimate or None
        Closed form of the scheme, in bits a sample, where it is known.
    metrics : DataFrame
        Classical metrics of the same pairs, see `leakage.metrics.table`.
    settings : dict
        How the audit was made: pairs, groups, size of images, keying, profile, seed, versions.
        Never a key.
    pictures : dict of str to ndarray of uint8
        Some plain images and their ciphertexts, and what attacks made of them.
    scores : ImageScores or None
        Of each image what its ciphertext has in common with it, for `leakage.compare`.
    origin : Origin
        Title, date, folders, what was read how, and the command that makes it again.
    power : tuple of Power
        Where none was found, what each view would have found.
    where : LeakMap or None
        Where a leak was found, the places of the images that show it, if any do.
    limits : tuple of Limit
        What named adversaries reach at most.
    exposed : tuple of Exposed
        Where a leak was found, the images whose ciphertexts show more than those of the others.

    Examples
    --------
    >>> found = Audit(None, "Undecided: too few pairs.", (), 0.0, None, None, pd.DataFrame(), {})
    >>> found
    Undecided: too few pairs.
    0 findings: 0 leak, 0 open, 0 not found
    certified: no lower bound
    """

    def __repr__(self) -> str:
        count = Counter(finding.leaks for finding in self.findings)
        states = ", ".join(f"{count[leaks]} {words.STATES[leaks]}" for leaks in (True, None, False))
        certified = (
            f"{self.certified_bits:.3g} bits an image or more, at 95 % confidence"
            if self.certified_bits > 0
            else "no lower bound"
        )
        return (
            f"{textwrap.shorten(self.verdict, _SHORT, placeholder='…')}\n"
            f"{len(self.findings)} findings: {states}\n"
            f"certified: {certified}"
        )

    def _repr_html_(self) -> str:
        return page.to_cell(self)

    def table(self) -> pd.DataFrame:
        """The findings, one a row, without their explanations.

        Returns
        -------
        DataFrame
            Indexed by level, with columns ``finding``, ``leaks``, ``p``, ``bits`` and ``unit``.
        """
        rows = [
            {
                "finding": finding.name,
                "leaks": words.ANSWERS[finding.leaks],
                "p": p_text(finding.p_value),
                "bits": words.bits_text(finding),
                "unit": finding.unit,
            }
            for finding in self.findings
        ]
        levels = pd.Index([finding.level for finding in self.findings], name="level")
        return pd.DataFrame(rows, index=levels)

    def to_dict(self) -> dict[str, object]:
        """Everything, ready for JSON, see `leakage.audits.data.to_dict`."""
        return data.to_dict(self)

    def to_latex(self) -> str:
        """The findings as a LaTeX table, see `leakage.audits.latex.to_latex`."""
        return latex.to_latex(self)

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write page, JSON, LaTeX table and figures, see `leakage.audits.writing.save`."""
        return writing.save(self, folder)
