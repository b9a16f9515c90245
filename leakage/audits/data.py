"""An audit as data ready for JSON; `report.schema.json` beside this file is its schema."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leakage import __version__
from leakage.audits.findings import Finding, Findings
from leakage.estimate import Estimate

if TYPE_CHECKING:
    from leakage.estimators.leak_maps import LeakMap

#: Version of the form of `to_dict`.
SCHEMA = 2

_METRICS = ("value", "null_mean", "null_sd", "p_value", "remark")


def to_dict(audit: Findings) -> dict[str, object]:
    """An audit ready for JSON; `report.schema.json` beside this file describes it.

    Numbers that do not exist are null. So are infinite ones, which ``infinite`` lists.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    dict of str to object
        Of types that JSON knows.

    Raises
    ------
    ValueError
        Bytes among the settings: key material does not belong into a report.
    TypeError
        Settings that JSON has no form for.

    Examples
    --------
    >>> import pandas as pd
    >>> found = Findings(False, "None found.", (), 0.0, np.inf, None, pd.DataFrame(), {"seed": 0})
    >>> data = to_dict(found)
    >>> data["detectable_bits"], data["infinite"], data["settings"]
    (None, ['/detectable_bits is inf'], {'seed': 0})
    """
    infinite: list[str] = []
    data = {
        "schema": SCHEMA,
        "version": __version__,
        **asdict(audit.origin),
        "leaks": audit.leaks,
        "verdict": audit.verdict,
        "certified_bits": audit.certified_bits,
        "detectable_bits": audit.detectable_bits,
        "exact": None if audit.exact is None else _values(audit.exact),
        "findings": [_finding(finding) for finding in audit.findings],
        "metrics": [
            {"metric": str(name), **{column: row[column] for column in _METRICS}}
            for name, row in audit.metrics.iterrows()
        ],
        "settings": audit.settings,
        "scores": None if audit.scores is None else asdict(audit.scores),
        "power": [asdict(view) for view in audit.power],
        "limits": [asdict(one) for one in audit.limits],
        "exposed": [asdict(one) for one in audit.exposed],
        "where": None if audit.where is None else _where(audit.where),
    }
    plain = {key: _plain(value, f"/{key}", infinite) for key, value in data.items()}
    return {**plain, "infinite": infinite}


def _where(found: "LeakMap") -> dict[str, object]:
    rows, columns = found.marked.shape
    return {
        "rows": rows, "columns": columns, "patch": found.patch, "stride": found.stride,
        "marked": int(found.marked.sum()), "most_bits": float(found.bits.max()),
        "p_value": float(found.p_value), "level": found.level, "method": found.method,
    }  # fmt: skip


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "name": finding.name,
        "leaks": finding.leaks,
        **_values(finding.estimate),
        "p_value": finding.p_value,
        "unit": finding.unit,
        "meaning": finding.meaning,
        "how": finding.how,
    }


def _values(estimate: Estimate | None) -> dict[str, object]:
    names = ("bits", "low", "high", "n", "method", "kind")
    if estimate is None:
        return dict.fromkeys(names) | {"flags": []}
    return {name: getattr(estimate, name) for name in names} | {"flags": estimate.flags}


def _plain(value: object, where: str, infinite: list[str]) -> object:
    """`value` in the types that JSON knows; `where` is its place, as a JSON pointer."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"{where} holds bytes; key material does not belong into a report")
    if isinstance(value, Mapping):
        return {
            str(_plain(key, where, infinite)): _plain(item, f"{where}/{key}", infinite)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}/{i}", infinite) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            infinite.append(f"{where} is {value}")
        return None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bool | int | float | str | None):
        return value
    # not its repr, which of an unknown object may well print a key
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON has no form for")
