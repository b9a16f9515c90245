"""The findings of an audit as a LaTeX table."""

import re

import pandas as pd

from leakage.audits.findings import Findings
from leakage.audits.words import ANSWERS, bits_text
from leakage.estimate import p_text

_ESCAPES = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def to_latex(audit: Findings) -> str:
    """A table of the findings in the style of the LaTeX package booktabs, which it needs.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    str
        A ``tabular``, with all names escaped.

    Examples
    --------
    >>> from leakage.audits.findings import Finding
    >>> finding = Finding("pixel", "single_samples", False, "Nothing.", "Count.", 0.4)
    >>> found = Findings(False, "None found.", (finding,), 0.0, None, None, pd.DataFrame(), {})
    >>> print(to_latex(found).splitlines()[4])
    pixel & single\\_samples & no &  &  & $0.400$ \\\\
    """
    rows = [
        {
            "Level": finding.level,
            "Finding": escaped(finding.name),
            "Leak": ANSWERS[finding.leaks],
            # a minus is one only in mathematics
            "Bits": re.sub(r"-?\d+(\.\d+)?", r"$\g<0>$", escaped(bits_text(finding))),
            "Unit": escaped(finding.unit),
            "$p$": _p(finding.p_value),
        }
        for finding in audit.findings
    ]
    columns = ["Level", "Finding", "Leak", "Bits", "Unit", "$p$"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.to_latex(index=False, escape=False, column_format="lllllr")


def escaped(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in " ".join(text.split()))


def _p(p_value: float | None) -> str:
    shown = p_text(p_value)
    return f"${shown}$".replace(" ", "") if shown else ""
