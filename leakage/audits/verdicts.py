"""From all answers of an audit to its verdict: correction for many tests, order, and words."""

from collections.abc import Sequence
from dataclasses import replace

from leakage.audits.findings import Finding, Power
from leakage.evidence.p_values import holm_p_values

#: Family-wise level of all tests of an audit together.
ALPHA = 0.01
#: All images are one, perhaps under many keys.
ONE_PICTURE = Finding(
    "structure", "one picture alone", None,
    "All images are from one source: how ciphertexts of different pictures differ was not seen.",
    "Give pictures of at least two sources, better of 200 or more.",
)  # fmt: skip
LEVELS = ("structure", "pixel", "identification", "patch", "critic", "embedding")


def corrected(findings: list[Finding]) -> list[Finding]:
    """p-values after Bonferroni over the levels and Holm within each, and what follows."""
    out = list(findings)
    for level in LEVELS:
        tests = {
            i: f.p_value
            for i, f in enumerate(findings)
            if f.level == level and f.p_value is not None
        }
        for i, p in zip(tests, holm_p_values(list(tests.values()), len(LEVELS)), strict=True):
            out[i] = _answered(out[i], p)
    return out


def _answered(finding: Finding, p: float) -> Finding:
    """What a corrected p-value makes of a finding; open where its estimate says otherwise."""
    found: bool | None = p <= ALPHA
    words = finding.meaning if found else finding.otherwise or finding.meaning
    e = finding.estimate
    if not found and e is not None and e.low is not None and e.low > 0:
        found = None
        words = (
            "The estimate is above 0 with its interval, and the exchange of ciphertexts between "
            "so few images does not confirm it: more images would decide."
        )
    return replace(finding, p_value=p, leaks=found, meaning=words)


def ranked(findings: list[Finding]) -> list[Finding]:
    """Leaks first, exact ones before estimates, then open questions, then what was not found."""

    def place(finding: Finding) -> tuple[int, int, float]:
        order = {True: 0, None: 1, False: 2}[finding.leaks]
        p = finding.p_value if finding.p_value is not None else -1.0  # no chance is involved
        return order, LEVELS.index(finding.level), p

    return sorted(findings, key=place)


def verdict(
    found: bool | None,
    findings: list[Finding],
    certified: float,
    power: Sequence[Power],
    pairs: int,
    sources: int,
    lossy: bool = False,
) -> str:
    """The answer of an audit in one sentence or two.

    Parameters
    ----------
    found : bool or None
        Whether anything leaks; None where that is not known.
    findings : list of Finding
        The gravest first.
    certified : float
        Lower bound in bits an image.
    power : sequence of Power
        What each view would have found.
    pairs : int
        How many there were.
    sources : int
        Of how many independent pictures.
    lossy : bool
        Whether ciphertexts are of a lossy format.

    Returns
    -------
    str
        It never says that a scheme is secure.

    Examples
    --------
    >>> views = [Power("pixel", 0.001, "sample", ""), Power("embedding", None, "image", "")]
    >>> verdict(None, [], 0.0, views, 30, 30).partition(", and ")[0]
    'Undecided: 30 pairs found no leak'
    """
    if found:
        worst = findings[0]
        bound = (
            f" At least {certified:.2f} bits an image are given away (certified at 95 %)."
            if certified > 0
            else ""
        )
        return f"Leak detected ({worst.name}). {worst.meaning}{bound}"
    of = f" of {sources} independent picture{'s' * (sources != 1)}" if sources != pairs else ""
    seen = ", ".join(power_text(view) for view in power if view.bits is not None)
    told = f"would have detected, in eight of ten cases and if all images leaked alike, {seen}."
    if found is None:
        blind = [view.level for view in power if view.bits is None]
        are, say = ("is", "says") if pairs == 1 else ("are", "say")
        why = f"{are} too few to say that there is none"
        if blind:
            why = f"{are} too few for what was planted to be seen by {listed(blind)}"
        elif lossy:
            why = f"{say} nothing of what JPEG ciphertexts hold beyond their decoded samples"
        others = f"Its other view{'s' * (len(power) - len(blind) != 1)}"
        other = f" {others} {told}" if seen and blind else f" It {told}" if seen else ""
        return f"Undecided: {pairs} pair{'s' * (pairs != 1)}{of} found no leak, and {why}.{other}"
    return f"No leak detected: this audit {told}"


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def power_text(view: Power) -> str:
    """What a view would have found, for readers.

    Examples
    --------
    >>> power_text(Power("patch", 0.0625, "patch", "noise"))
    '0.062 bits a patch (patch)'
    """
    bits = "nothing" if view.bits is None else f"{view.bits:.2g} bits"
    return f"{bits} {'an' if view.unit == 'image' else 'a'} {view.unit} ({view.level})"
