"""Tables of runs that take longer than a reader waits: benchmarks, studies, the chapters' times."""

from pathlib import Path

import pandas as pd


def recorded(name: str) -> tuple[pd.DataFrame, str]:
    """Rows of a recorded run, for instance of ``benchmarks/NAME.py``; its versions, command, date.

    Parameters
    ----------
    name : str
        Of a table of ``leakage/notebook/records/``, for instance ``"estimators"``, ``"ladder"`` or
        ``"chapters"``.

    Raises
    ------
    ValueError
        No such run.

    Examples
    --------
    >>> rows, provenance = recorded("discrete_estimators")
    >>> list(rows.columns)[:3], provenance[:8]
    (['estimator', 'pixels', 'planes'], 'leakage ')
    """
    folder = Path(__file__).with_name("records")
    file = folder / f"{name}.csv"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.csv")))
        raise ValueError(f"no recorded run {name!r}; there are {known}")
    with file.open(encoding="utf8") as lines:
        provenance = lines.readline().removeprefix("#").strip()
        return pd.read_csv(lines), provenance
