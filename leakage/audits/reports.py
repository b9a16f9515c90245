"""Reports that were written before: what is read back of `report.json`, and checked."""

import json
from pathlib import Path
from typing import Any

from leakage.audits.data import SCHEMA
from leakage.audits.per_image import VIEWS, ImageScores

_LARGEST = 1 << 28  # bytes of a report
_MOST_IMAGES = 1 << 24
_LARGEST_SCORE = 1e6  # bits


def read_report(path: str | Path) -> dict[str, Any]:
    """A report as `leakage.audits.data.to_dict` gave it.

    Parameters
    ----------
    path : str or Path
        ``report.json``, or the folder that it is in.

    Returns
    -------
    dict
        With what every report has.

    Raises
    ------
    ValueError
        No such file; no report; one of another version of the form.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        file = file / "report.json"
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError(f"{file} is larger than any report")
        report = json.loads(file.read_text("utf8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read as a report ({error})") from None
    if not isinstance(report, dict) or "schema" not in report:
        raise ValueError(f"{file} is no report of leakage audit")
    if report["schema"] != SCHEMA:
        raise ValueError(
            f"{file} has form {report['schema']!r}, this program reads form {SCHEMA}: make it "
            "again by leakage audit"
        )
    if not _well_formed(report):
        raise ValueError(f"{file} is a damaged report: make it again by leakage audit")
    return report


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no number")


def _well_formed(report: dict[str, Any]) -> bool:
    findings, settings = report.get("findings"), report.get("settings")
    return (
        _one_of(report.get("leaks", ""), (True, False, None))
        and isinstance(report.get("verdict"), str)
        and all(isinstance(report.get(name, ""), str) for name in ("title", "made"))
        and isinstance(settings, dict)
        and isinstance(settings.get("scheme", ""), str | None)
        and isinstance(findings, list)
        and all(map(_is_finding, findings))
    )


def _is_finding(finding: object) -> bool:
    return (
        isinstance(finding, dict)
        and isinstance(finding.get("name"), str)
        and isinstance(finding.get("level"), str)
        and _one_of(finding.get("leaks", ""), (True, False, None))
        and (finding.get("p_value") is None or _is_number(finding.get("p_value"), 0, 1))
    )


def _one_of(value: object, values: tuple[object, ...]) -> bool:
    return any(value is known for known in values)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def scores_of(report: dict[str, Any], name: str) -> ImageScores:
    """The scores of images of a report.

    Parameters
    ----------
    report : dict
        Of `read_report`.
    name : str
        Of the report, for the message.

    Returns
    -------
    ImageScores
        As the audit had them.

    Raises
    ------
    ValueError
        The report has none, or damaged ones.
    """
    scores: Any = report.get("scores")
    if scores is None:
        raise ValueError(f"{name} has no scores of images to compare")
    damaged = ValueError(f"{name} is a damaged report: make it again by leakage audit")
    try:
        found = ImageScores(
            tuple(map(str, scores["images"])), _whole(scores["units"], _MOST_IMAGES),
            _whole(scores["clear"], 255),
            {view: tuple(map(float, scores["views"][view])) for view in VIEWS},
            _whole(scores["numbers"], 1 << 62),
        )  # fmt: skip
    except (TypeError, KeyError, ValueError, OverflowError):
        raise damaged from None
    columns = (found.units, found.clear, found.numbers, *found.views.values())
    if {len(column) for column in columns} != {len(found.images)}:
        raise damaged
    if not all(
        -_LARGEST_SCORE <= score <= _LARGEST_SCORE for v in found.views.values() for score in v
    ):
        raise damaged
    if not found.images:
        raise ValueError(f"{name} has no scores of images to compare")
    return found


def _whole(values: list[object], most: int) -> tuple[int, ...]:
    """Whole numbers from 0 to `most`."""
    if not all(isinstance(v, int) and _is_number(v, 0, most) for v in values):
        raise ValueError("not a list of whole numbers")
    return tuple(int(str(v)) for v in values)
