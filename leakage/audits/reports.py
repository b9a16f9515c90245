"""Reports that were written before: what is read back of `report.json`, and checked."""

import json
from pathlib import Path
from typing import Any

from leakage.audits.data import SCHEMA
from leakage.audits.per_image import VIEWS, ImageScores

_LARGEST = 1 << 28  # bytes of a report


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
        report = json.loads(file.read_text("utf8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
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


def _well_formed(report: dict[str, Any]) -> bool:
    findings = report.get("findings")
    return (
        report.get("leaks", "") in (True, False, None)
        and isinstance(report.get("verdict"), str)
        and isinstance(report.get("settings"), dict)
        and isinstance(findings, list)
        and all(isinstance(f, dict) and {"level", "name", "leaks"} <= set(f) for f in findings)
    )


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
    try:
        found = ImageScores(
            tuple(map(str, scores["images"])), tuple(map(int, scores["units"])),
            tuple(map(int, scores["clear"])),
            {view: tuple(map(float, scores["views"][view])) for view in VIEWS},
            tuple(map(int, scores["numbers"])),
        )  # fmt: skip
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"{name} has no scores of images to compare") from None
    columns = (found.units, found.clear, found.numbers, *found.views.values())
    if not found.images or {len(column) for column in columns} != {len(found.images)}:
        raise ValueError(f"{name} has no scores of images to compare")
    return found
