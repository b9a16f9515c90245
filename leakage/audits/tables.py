"""A table of several audits, for a page or a paper: what each looked at, and what it found."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from leakage.audits.latex import escaped
from leakage.audits.page import templates
from leakage.audits.reports import read_report
from leakage.audits.words import STATES
from leakage.estimate import p_text

#: Forms of a table: CSV, LaTeX for the package booktabs, a page that needs nothing else.
FORMS = ("csv", "tex", "html")


def audit_table(reports: Iterable[str | Path]) -> pd.DataFrame:
    """Several audits in one table, a row each, in the order that they are given in.

    It has no amounts of bits: a lower bound that is larger is no larger leak, see
    `leakage.compare` for which of two leaks more.

    Parameters
    ----------
    reports : iterable of str or Path
        Files ``report.json``, or the folders that they are in.

    Returns
    -------
    DataFrame
        Indexed by the title of each, or else its scheme or folder; with ``answer``, ``gravest``
        (finding), its ``p`` (empty for facts), how many ``leaks`` were found and how many questions
        are ``open``, ``pairs``, ``independent`` images, their ``size``, and when it was ``made``.

    Raises
    ------
    ValueError
        A file that is no report.

    Examples
    --------
    >>> audit_table([]).columns.tolist()[:3]
    ['answer', 'gravest', 'p']
    """
    rows: dict[str, dict[str, object]] = {}
    for path in reports:
        report = read_report(path)
        name = _name(report, Path(path))
        again = 1 + [known.partition(" #")[0] for known in rows].count(name)
        rows[name if again == 1 else f"{name} #{again}"] = _row(report)
    columns = ["answer", "gravest", "p", "leaks", "open", "pairs", "independent", "size", "made"]
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="audit"),
                        columns=columns)  # fmt: skip


def _name(report: dict[str, Any], path: Path) -> str:
    folder = path if path.suffix != ".json" else path.parent
    return report.get("title") or report["settings"].get("scheme") or folder.resolve().name


def _row(report: dict[str, Any]) -> dict[str, object]:
    findings, settings = report["findings"], report["settings"]
    worst = findings[0] if report["leaks"] and findings else {}
    return {
        "answer": STATES[report["leaks"]],
        "gravest": worst.get("name", ""),
        "p": p_text(worst.get("p_value")),
        "leaks": sum(finding["leaks"] is True for finding in findings),
        "open": sum(finding["leaks"] is None for finding in findings),
        "pairs": settings.get("pairs", ""),
        "independent": settings.get("independent images", ""),
        "size": settings.get("size", ""),
        "made": report.get("made", ""),
    }


def form_of(path: str | Path) -> str:
    """The form that a file's suffix asks for.

    Raises
    ------
    ValueError
        None of `FORMS`.

    Examples
    --------
    >>> form_of("audits.tex")
    'tex'
    """
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise ValueError(f"{path}: name a file that ends in .{', .'.join(FORMS)}")
    return form


def table_text(table: pd.DataFrame, form: str) -> str:
    """The table as the text of a file.

    Parameters
    ----------
    table : DataFrame
        Of `audit_table`.
    form : str
        One of `FORMS`.

    Examples
    --------
    >>> table_text(audit_table([]), "csv").splitlines()[0]
    'audit,answer,gravest,p,leaks,open,pairs,independent,size,made'
    """
    if form == "csv":
        return table.to_csv()
    shown = table.reset_index().astype(str)
    if form == "tex":
        for column in shown:
            shown[column] = shown[column].map(escaped)
        shown.columns = [escaped(str(name)) for name in shown]
        return shown.to_latex(index=False, escape=False)
    return templates().get_template("table.html.j2").render(table=shown)
