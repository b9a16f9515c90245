"""A study's cells as one tidy table."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from leakage.sealed import read_json, replacing
from leakage.studies.cells import Cell
from leakage.studies.files import MADE_BY, TABLE
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

    contents = [read_json(row) for row in rows]
    if missing := contents.count(None):
        raise RuntimeError(
            f"{missing} of {len(cells)} cells were lost with their workers; what is finished is "
            "kept: run the same study again to go on"
        )
    table = pd.DataFrame(
        [cell.columns() | (row or {}) for cell, row in zip(cells, contents, strict=True)]
    )
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
    with replacing(folder / TABLE) as file:
        file.write(_parquet(table))
    return table


def _parquet(table: "pd.DataFrame") -> bytes:
    """A table as the content of a Parquet file, with who made it, and a checksum of each page."""
    import pyarrow
    from pyarrow.parquet import write_table

    content = pyarrow.Table.from_pandas(table)
    known = content.schema.metadata or {}
    content = content.replace_schema_metadata({**known, MADE_BY: table["leakage"].iloc[0]})
    stream = io.BytesIO()
    write_table(content, stream, write_page_checksum=True)
    return stream.getvalue()
