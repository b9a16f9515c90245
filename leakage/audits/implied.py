"""What follows from a fact without a test: whose planes are in the clear is identified by them."""

from dataclasses import replace
from hashlib import blake2b

from leakage.audits.findings import Finding
from leakage.audits.pairs import Pairs

#: Images that are read once more, to see whether their clear planes differ.
MOST = 1000


def with_implied(findings: list[Finding], pairs: Pairs, clear_planes: int) -> list[Finding]:
    """The findings, with identification answered by clear bit planes where these name the image.

    Parameters
    ----------
    findings : list of Finding
        After correction for many tests.
    pairs : Pairs
        Read again where a plane is in the clear.
    clear_planes : int
        Bit planes that never change, as a byte.

    Examples
    --------
    >>> import numpy as np
    >>> from leakage.audits.pairs import from_arrays
    >>> images = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    >>> asked = Finding("identification", "plaintext among others", False, "No.", "Rank.", 0.3)
    >>> found = with_implied([asked], from_arrays(images, images ^ 128), 127)
    >>> found[0].leaks, found[0].meaning.startswith("Implied by clear bit planes")
    (True, True)
    """
    asked = [f for f in findings if f.level == "identification" and not f.leaks]
    if not asked or not clear_planes or not _all_differ(pairs, clear_planes):
        return findings
    return [_answered(f) if f in asked else f for f in findings]


def _answered(finding: Finding) -> Finding:
    learnt = "" if finding.leaks is None else (
        " What was learnt on other images does not use this, and found too few."
    )  # fmt: skip
    return replace(
        finding, leaks=True, p_value=None,
        meaning="Implied by clear bit planes: no two of these images are alike in them, so who "
        f"compares them finds the image of every ciphertext.{learnt}",
        how="Compare the clear planes of a ciphertext with those of all images.",
    )  # fmt: skip


def _all_differ(pairs: Pairs, clear_planes: int) -> bool:
    seen = set()
    new = [i for i, first in enumerate(pairs.same) if first == i][:MOST]
    for i in new:
        kept = pairs.read(i)[0] & clear_planes
        seen.add((kept.shape, blake2b(kept.tobytes(), digest_size=16).digest()))
    return len(seen) == len(new) > 1
