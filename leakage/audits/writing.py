"""An audit as files in a folder: all of them, or none."""

import json
import tempfile
from pathlib import Path

from leakage.audits.data import to_dict
from leakage.audits.figures import figure_file, forest, pictures
from leakage.audits.findings import Findings
from leakage.audits.latex import to_latex
from leakage.audits.page import to_html
from leakage.sealed import check_writable, replacing

#: Of a report, all that there may be.
FILES = (
    "report.html", "report.json", "findings.tex", "estimates.svg", "estimates.png", "pictures.svg",
    "pictures.png",
)  # fmt: skip


def save(audit: Findings, folder: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, ``findings.tex`` and the figures into a folder.

    The figures are ``estimates`` and ``pictures``, each as SVG and PNG, where there is something
    to draw. All files are complete before the first takes its place, and each takes it in one
    step. Files of the same names are replaced, others are kept.

    Parameters
    ----------
    audit : Findings
        What was found.
    folder : str or Path
        Made if need be.

    Returns
    -------
    dict of str to Path
        Where each file is, by its name.

    Raises
    ------
    ValueError
        `folder`, or a folder it is to be in, is a file; or the settings hold bytes.

    Examples
    --------
    >>> import pandas as pd
    >>> found = Findings(None, "Too few pairs.", (), 0.0, None, None, pd.DataFrame(), {})
    >>> with tempfile.TemporaryDirectory() as place:
    ...     sorted(save(found, Path(place, "report")))
    ['findings.tex', 'report.html', 'report.json']
    """
    folder = Path(folder)
    check_writable(folder)
    files = _files(audit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # An existing folder may be a file system of its own, into which nothing can be moved in one
    # step from outside.
    with tempfile.TemporaryDirectory(
        prefix=".report-", dir=folder if folder.exists() else folder.parent
    ) as scratch:
        made = Path(scratch, "report")
        made.mkdir()
        for name, data in files.items():
            (made / name).write_bytes(data)
        if folder.exists():
            for name in files:
                (made / name).replace(folder / name)
        else:
            made.rename(folder)
    return {name: folder / name for name in files}


def check_file(path: str | Path) -> None:
    """Refuse a file that cannot be written, before any work.

    Raises
    ------
    ValueError
        It is a folder; its folder does not exist, is a file or may not be written.

    Examples
    --------
    >>> check_file("/")
    Traceback (most recent call last):
    ValueError: / is a folder; name a file
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    check_writable(path.parent)


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file whole, or not at all; its folder is made if need be.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write_file(Path(place, "some", "file"), b"text")
    ...     Path(place, "some", "file").read_bytes()
    b'text'
    """
    with replacing(Path(path)) as file:
        file.write(data)


def _files(audit: Findings) -> dict[str, bytes]:
    # "replace": names of files need not be text
    files = {
        "report.html": to_html(audit).encode("utf8", "replace"),
        "report.json": (json.dumps(to_dict(audit), indent=1, allow_nan=False) + "\n").encode(),
        "findings.tex": to_latex(audit).encode("utf8", "replace"),
    }
    for name, figure in {"estimates": forest(audit), "pictures": pictures(audit)}.items():
        if figure is not None:
            files[f"{name}.svg"] = figure_file(figure, "svg", dpi=200)
            files[f"{name}.png"] = figure_file(figure, "png", dpi=200)
    return files
