"""A study's files: each is named by a digest of all that its content depends on."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leakage.studies.array_files import replacing
from leakage.studies.grid import PIXELS, Cell
from leakage.studies.provenance import source_digest

_A_DAY = 24 * 3600


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
        name = _digest(images_digest, scheme, code, cell.embedding, origin)
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


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write it whole, or not at all."""
    with replacing(path) as file:
        file.write(json.dumps(content, default=float).encode())


def is_finished(row: Path) -> bool:
    """Whether a cell is there, and did not fail."""
    return row.is_file() and not json.loads(row.read_bytes())["error"]


def remove_fragments(folder: Path) -> None:
    """Half-written files of processes that were killed; not those of a study that runs now."""
    for path in folder.glob("*/.*"):
        if time.time() - path.stat().st_mtime > _A_DAY:
            path.unlink(missing_ok=True)


def text_of(settings: object) -> str:
    """Settings as text, the same for the same settings."""
    return json.dumps(settings, sort_keys=True)


def _digest(*parts: object) -> str:
    return hashlib.sha256(text_of(parts).encode()).hexdigest()[:32]
