"""Grids as files of JSON or YAML, and the extent of a grid, which is bounded before its use."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Bytes of a grid's file.
MOST_BYTES = 1 << 18
#: Values in a grid, those behind an alias counted wherever it stands; a long text counts as many.
MOST_VALUES = 100_000
#: Lists in mappings in lists, and so on.
MOST_DEPTH = 20
_TEXT = 100  # characters that count as one value


def read_grid(file: str | Path) -> object:
    """The grid in a file: JSON, or YAML where its name ends in .yaml or .yml.

    Raises
    ------
    ValueError
        No such file, or one that cannot be read as what its name says, or is too large.
    """
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"no file {str(file)!r} (looked in {Path.cwd()})")
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES >> 10} KiB, too many for a grid")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason} at {error.start}") from None
    kind = "YAML" if path.suffix.lower() in (".yaml", ".yml") else "JSON"
    try:
        return _from_yaml(text) if kind == "YAML" else json.loads(text)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply for a grid") from None
    except ValueError as error:
        hint = "" if kind == "YAML" else "; YAML needs the suffix .yaml"
        raise ValueError(f"{path} is not {kind}: {error}{hint}") from None


def _from_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise ImportError(
            "YAML needs PyYAML: pip install 'leakage[scale]', or write the grid as JSON"
        ) from None
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, kind):  # one after another, however deep they are nested
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
        loader = kind(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _extent(node, {}) > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES:,} values, aliases included")
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _extent(node: Any, known: dict[int, float]) -> float:
    """Values that a node of YAML stands for: those behind an alias count each time."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is known: of a node within itself, for ever
        inner = node.value if isinstance(node.value, list) else []
        parts = [part for pair in inner for part in (pair if isinstance(pair, tuple) else (pair,))]
        own = 1 + (0 if parts else len(node.value) // _TEXT)
        known[id(node)] = own + sum(_extent(part, known) for part in parts)
    return known[id(node)]


def extent(grid: object) -> int:
    """How many values are in a grid, or in a part of it.

    Raises
    ------
    ValueError
        More than `MOST_VALUES`, or nested more than `MOST_DEPTH` deep; it takes no longer then.

    Examples
    --------
    >>> extent({"seeds": [0, 1, 2]})
    5
    """
    count, left = 0, [(grid, 0)]
    while left:
        value, depth = left.pop()
        inner: list | tuple = ()
        if isinstance(value, Mapping):
            inner = [*value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            inner = value if isinstance(value, list | tuple) else [*value]
        count += 1 + (len(value) // _TEXT if isinstance(value, str | bytes) else 0)
        if count + len(inner) > MOST_VALUES:
            raise ValueError(
                f"a grid has at most {MOST_VALUES:,} values, those behind aliases counted wherever "
                "they stand; run it as several studies into one folder"
            )
        if depth > MOST_DEPTH:
            raise ValueError(f"a grid is nested at most {MOST_DEPTH} deep")
        left += [(part, depth + 1) for part in inner]
    return count
