"""The words in which tables, figures and pages tell findings."""

import textwrap

from leakage.audits.findings import Finding
from leakage.estimate import FOLDS_DISAGREE

#: Of a leak found, not found, and a question left open: in tables, and where nothing else is said.
ANSWERS = {True: "yes", False: "no", None: "open"}
STATES = {True: "leak", False: "not found", None: "open"}
#: For the eye only. No tick: nothing found is no seal of approval.
SIGNS = {True: "✗", False: "○", None: "?"}
HEADLINES = {True: "Leak detected", False: "No leak detected", None: "Undecided"}

_LONGEST = 60  # characters of a name in a figure


def bits_text(finding: Finding) -> str:
    """Bits and their interval for readers, nothing where there is no estimate to rely on.

    Examples
    --------
    >>> from leakage.estimate import Estimate
    >>> e = Estimate(0.5, 0.4, 0.6, None, 10, "plug-in", "estimate")
    >>> bits_text(Finding("embedding", "stem", True, "It tells.", "Find.", estimate=e))
    '0.500 [0.400, 0.600]'
    """
    estimate = finding.estimate
    if estimate is None:
        return ""
    if FOLDS_DISAGREE in estimate.flags:
        return f"unreliable: {FOLDS_DISAGREE}"
    bits = f"{estimate.bits:z.3f}"
    if estimate.low is None or estimate.high is None:
        return bits
    text = f"{bits} [{estimate.low:z.3f}, {estimate.high:z.3f}]"
    # a test may find what is too little to be measured
    return f"{text}, found by its test alone" if finding.leaks and estimate.low <= 0 else text


def unit_text(finding: Finding) -> str:
    """What the bits of a finding are of.

    Examples
    --------
    >>> unit_text(Finding("embedding", "stem", True, "It tells.", "Find.", unit="image"))
    'an image'
    """
    article = "an" if finding.unit == "image" else "a"
    return f"{article} {finding.unit}" if finding.unit else ""


def short(name: str) -> str:
    """A name that fits into a figure.

    Examples
    --------
    >>> short("stem"), len(short("word " * 20)) <= 60
    ('stem', True)
    """
    return textwrap.shorten(name, _LONGEST, placeholder="…")
