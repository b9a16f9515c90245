"""A study's files: each is named by a digest of all that its content depends on."""

import hashlib
import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from leakage.sealed import check_writable, is_whole, read_json, remove_fragments
from leakage.studies.cells import PIXELS, Cell
from leakage.studies.provenance import source_digest

#: The folders of a study, and the names that its files have in each.
FOLDERS = {
    "images": r"[0-9a-f]{64}(\.groups)?\.npy",
    "shared": r"[0-9a-f]{32}\.(npy|json)",
    "cells": r"[0-9a-f]{32}\.json",
}
TABLE = "table.parquet"
#: The member of a table's metadata that tells who made it.
MADE_BY = b"leakage"
#: Files that one message names; of more it says how many.
_NAMED = 20


@dataclass(frozen=True)
class CellFiles:
    """What a cell is computed from, and where its row is written.

    Attributes
    ----------
    images, groups : Path
        The plain images, and the source of each.
    plain, cipher : Path
        Vectors of both sides; pixels of the plain side are the images.
    row : Path
        The cell's result.
    """

    images: Path
    groups: Path
    plain: Path
    cipher: Path
    row: Path


def image_set_files(folder: Path, digest: str) -> tuple[Path, Path]:
    """The images of a set, and their groups."""
    base = folder / "images"
    return base / f"{digest}.npy", base / f"{digest}.groups.npy"


def files_of(cell: Cell, folder: Path, images_digest: str, origin: dict[str, str]) -> CellFiles:
    """Files of a cell, given the digest of its images and the `stamp` of the study."""
    images, groups = image_set_files(folder, images_digest)

    def vectors(scheme: dict | None) -> Path:
        if scheme is None and cell.embedding["rung"] == PIXELS:
            return images
        code = scheme and source_digest(scheme["name"])
        model = source_digest(cell.embedding["model"])
        codes = code if model is None else (code, model)
        name = _digest(images_digest, scheme, codes, cell.embedding, origin)
        return folder / "shared" / f"{name}.npy"

    plain, cipher = vectors(None), vectors(cell.scheme)
    code = source_digest(cell.estimator["method"])
    name = _digest(
        images_digest, plain.name, cipher.name, cell.estimator, code, cell.seed, origin
    )  # fmt: skip
    return CellFiles(images, groups, plain, cipher, folder / "cells" / f"{name}.json")


def about(vectors: Path) -> Path:
    """The file beside vectors that tells what computing them took, and where."""
    return vectors.with_suffix(".json")


def is_finished(row: Path) -> bool:
    """Whether a cell is there, undamaged, and did not fail."""
    content = read_json(row)
    return content is not None and not content.get("error", "damaged")


def is_shared(vectors: Path) -> bool:
    """Whether vectors are there, undamaged, and so is what is told about them."""
    return is_whole(vectors) and read_json(about(vectors)) is not None


def damaged_in(paths: Iterable[Path]) -> list[Path]:
    """Those of the paths where a file is that is not what a study wrote there."""
    return [
        path for path in dict.fromkeys(paths)
        if path.is_file()
        and not (read_json(path) is not None if path.suffix == ".json" else is_whole(path))
    ]  # fmt: skip


def warn_of_damage(damaged: Iterable[Path]) -> None:
    """Name damaged files, all of which are computed again."""
    names = [str(path) for path in damaged]
    if names:
        warnings.warn(
            f"damaged, or not written by a study of this version, and so computed again: "
            f"{_listed(names)}",
            stacklevel=4,
        )


def check_folder(folder: Path) -> None:
    """Refuse a place where a study cannot write, or would write over what it did not make.

    Nothing is made or changed there.

    Raises
    ------
    ValueError
        Says what stands in the way.
    """
    check_writable(folder)
    for name in FOLDERS:
        check_writable(folder / name)
    _check_table(folder)


def check_places(paths: Iterable[Path]) -> None:
    """Refuse to write where something else than a plain file is."""
    other = [
        str(path) for path in dict.fromkeys(paths)
        if path.is_symlink() or (path.exists() and not path.is_file())
    ]  # fmt: skip
    if other:
        raise ValueError(
            f"a file is to be written where something else is, a folder or a link: "
            f"{_listed(other)}; move it away, or name another folder for the results"
        )


def _check_table(folder: Path) -> None:
    """Refuse to write over a table that no study wrote."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    table = folder / TABLE
    check_places([table])
    if not table.is_file() or any(
        re.fullmatch(pattern, path.name)
        for name, pattern in FOLDERS.items() for path in (folder / name).glob("*")
    ):  # fmt: skip
        return
    try:
        ours = MADE_BY in (read_schema(table).metadata or {})
    except (ArrowException, OSError, ValueError):
        ours = False
    if not ours:
        raise ValueError(
            f"{table} is not of a study, and would be written over; move it, or name another "
            "folder for the results"
        )


def remove_all_fragments(folder: Path) -> None:
    """Half-written files of processes that were killed; not those of a study that runs now."""
    for name, pattern in FOLDERS.items():
        remove_fragments(folder / name, pattern)
    remove_fragments(folder, TABLE.replace(".", r"\."))


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def text_of(settings: object) -> str:
    """Settings as text, the same for the same settings."""
    return json.dumps(settings, sort_keys=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(text_of(parts).encode()).hexdigest()[:32]
