"""A study's cells as one tidy table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.studies.array_files import replacing
from leakage.studies.grid import Cell
from leakage.studies.provenance import stamp

if TYPE_CHECKING:
    import pandas as pd

#: Columns that differ from run to run; all others are the same to the last digit.
VARYING = ("seconds", "shared_seconds", "memory_mb")


def table_of(cells: list[Cell], rows: list[Path], folder: Path) -> "pd.DataFrame":
    """The table of all cells, given the file of each; also saved in the folder.

    Raises
    ------
    RuntimeError
        Cells are missing.
    """
    import pandas as pd

    missing = [row for row in rows if not row.is_file()]
    if missing:
        raise RuntimeError(
            f"{len(missing)} of {len(cells)} cells were lost with their workers; what is finished "
            "is kept: run the same study again to go on"
        )
    found = [
        cell.columns() | json.loads(row.read_bytes()) for cell, row in zip(cells, rows, strict=True)
    ]
    table = pd.DataFrame(found)
    settings = [name for name in table if "." in name]
    for name in settings:  # a column has one type
        kinds = {type(value) for value in table[name].dropna()}
        if len(kinds) > 1 and not kinds <= {int, float}:
            table[name] = table[name].map(json.dumps, na_action="ignore")
    numbers = ["bits", "low", "high", "p_value", "n", *VARYING]
    words = ["method", "kind", "flags", "details", "error", "device", *stamp()]
    table = table.reindex(columns=[*settings, "seed", *numbers, *words])
    table[numbers] = table[numbers].astype(float)
    table["n"] = table["n"].astype("Int64")
    table[words] = table[words].astype("str").where(table[words].notna(), "")
    with replacing(folder / "table.parquet") as file:
        table.to_parquet(file)
    return table
