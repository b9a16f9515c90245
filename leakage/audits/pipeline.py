"""An audit in a pipeline: on what it fails, and its findings as the tests that a pipeline shows."""

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as xml

import numpy as np

from leakage.audits.comparing import compared
from leakage.audits.findings import Finding, Findings
from leakage.audits.per_image import ImageScores, digest_of
from leakage.audits.reports import scores_of
from leakage.estimate import p_text

#: On what a pipeline may fail.
CONDITIONS = ("leak", "undecided", "worse")

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def conditions(text: str | None, baseline: bool) -> tuple[str, ...]:
    """What to fail on, of words between commas; of None everything that can be told.

    Parameters
    ----------
    text : str or None
        Of `CONDITIONS`.
    baseline : bool
        Whether there is a report to be worse than.

    Raises
    ------
    ValueError
        Another word; ``worse`` without a baseline.

    Examples
    --------
    >>> conditions("leak, undecided", False), conditions(None, False)
    (('leak', 'undecided'), ('leak', 'undecided'))
    """
    if text is None:
        return CONDITIONS if baseline else CONDITIONS[:2]
    words = tuple(word.strip() for word in text.split(","))
    for word in words:
        if word not in CONDITIONS:
            raise ValueError(
                f"--fail-on {text}: write {', '.join(CONDITIONS)}, or several of them with commas "
                "between"
            )
    if "worse" in words and not baseline:
        raise ValueError("--fail-on worse needs --baseline, the report.json to be compared with")
    return words


def check_baseline(scores: ImageScores, images: Iterable[np.ndarray]) -> None:
    """Refuse a baseline that has none of the images, before they are audited.

    Parameters
    ----------
    scores : ImageScores
        Of the baseline.
    images : iterable of ndarray
        Read until one is known.

    Raises
    ------
    ValueError
        None is.

    Examples
    --------
    >>> from leakage.audits.per_image import VIEWS
    >>> scores = ImageScores(("0" * 16,), (0,), (0,), {view: (0.0,) for view in VIEWS}, (0,))
    >>> check_baseline(scores, [np.zeros((8, 8), np.uint8)])
    Traceback (most recent call last):
    ValueError: the baseline has none of these images: name the report.json of an audit of the same
    """
    known = set(scores.images)
    if not any(digest_of(image) in known for image in images):
        raise ValueError(
            "the baseline has none of these images: name the report.json of an audit of the same"
        )


def worse(before: dict[str, Any], now: Findings, seed: int) -> list[str]:
    """In what an audit is worse than an earlier one, in words; empty if in nothing that was told.

    Parameters
    ----------
    before : dict
        The earlier report, of `leakage.audits.reports.read_report`.
    now : Findings
        The audit.
    seed : int
        Of the exchanges that compare the scores of images.

    Raises
    ------
    ValueError
        One of them has no scores of images, or they have no image in common.

    Examples
    --------
    >>> import pandas as pd
    >>> from dataclasses import asdict
    >>> from leakage.audits.per_image import VIEWS, ImageScores
    >>> scores = ImageScores(("0" * 16,), (0,), (0,), {view: (0.0,) for view in VIEWS}, (0,))
    >>> fact = Finding("structure", "keystream reused", True, "Two share it.", "XOR them.")
    >>> now = Findings(True, "", (fact,), 0.0, None, None, pd.DataFrame(), {}, scores=scores)
    >>> worse({"findings": [], "scores": asdict(scores)}, now, seed=0)
    ['keystream reused: Two share it.']
    """
    if now.scores is None:
        raise ValueError("the audit has no scores of its images to compare")
    comparison = compared(scores_of(before, "the baseline"), now.scores, seed)
    known = {finding["name"] for finding in before["findings"] if finding["leaks"]}
    facts = [
        f"{finding.name}: {finding.meaning}"
        for finding in now.findings
        if finding.leaks and finding.p_value is None and finding.name not in known
    ]
    return [*([comparison.verdict] if comparison.more == "B" else []), *facts]


def exit_code(leaks: bool | None, got_worse: bool, fail_on: Iterable[str]) -> int:
    """1 for a leak, 5 for worse, 3 for undecided, each if it is failed on; else 0.

    Examples
    --------
    >>> [exit_code(leaks, True, ["leak", "worse"]) for leaks in (True, False)]
    [1, 5]
    >>> exit_code(None, False, ["leak"]), exit_code(None, False, ["undecided"])
    (0, 3)
    """
    fail_on = set(fail_on)
    if leaks and "leak" in fail_on:
        return 1
    if got_worse and "worse" in fail_on:
        return 5
    return 3 if leaks is None and "undecided" in fail_on else 0


def to_junit(audit: Findings, fail_on: Iterable[str], got_worse: list[str] | None = None) -> bytes:
    """The findings as tests in JUnit's XML, which most pipelines show.

    A finding that leaks is a failure if leaks are failed on; a question that stayed open is a test
    that was skipped, and so is a leak that is not failed on.

    Parameters
    ----------
    audit : Findings
        What was found.
    fail_on : iterable of str
        Of `CONDITIONS`.
    got_worse : list of str, optional
        In what it is worse than the baseline; None where there is none.

    Returns
    -------
    bytes
        UTF-8.

    Examples
    --------
    >>> import pandas as pd
    >>> fact = Finding("structure", "keystream reused", True, "Two share it.", "XOR them.")
    >>> found = Findings(True, "Leak.", (fact,), 0.0, None, None, pd.DataFrame(), {})
    >>> b'failures="1"' in to_junit(found, ["leak"]), b'failures="0"' in to_junit(found, [])
    (True, True)
    """
    fail_on = set(fail_on)
    suite = xml.Element("testsuite", name=_text(audit.origin.title) or "leakage audit")
    if audit.origin.made:
        suite.set("timestamp", audit.origin.made.rstrip("Z"))
    for finding in audit.findings:
        case = _case(suite, finding.level, finding.name)
        if finding.leaks:
            _told(case, "leak" in fail_on, "leak", finding.meaning, _evidence(finding))
        elif finding.leaks is None:
            xml.SubElement(case, "skipped", message=_text(f"open: {finding.meaning}"))
    verdict = _case(suite, "verdict", "decided")
    if audit.leaks is None:
        _told(verdict, "undecided" in fail_on, "undecided", audit.verdict, audit.verdict)
    if got_worse is not None:
        case = _case(suite, "baseline", "not worse")
        if got_worse:
            _told(case, "worse" in fail_on, "worse", got_worse[0], "\n".join(got_worse))
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))
    suite.set("errors", "0")
    root = xml.Element("testsuites")
    root.append(suite)
    xml.indent(root)
    return xml.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: xml.Element, level: str, name: str) -> xml.Element:
    return xml.SubElement(suite, "testcase", classname=f"leakage.audit.{level}", name=_text(name))


def _told(case: xml.Element, failed: bool, kind: str, message: str, text: str) -> None:
    if failed:
        xml.SubElement(case, "failure", type=kind, message=_text(message)).text = _text(text)
    else:
        xml.SubElement(case, "skipped", message=_text(f"{kind}, not failed on: {message}"))


def _evidence(finding: Finding) -> str:
    p = [] if finding.p_value is None else [f"p {p_text(finding.p_value)}, corrected"]
    return "\n".join([finding.meaning, f"See for yourself: {finding.how}", *p])


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
