"""Vectors kept on disk: arrays under digests of all that they depend on, checked when read back.

They lie in ``$LEAKAGE_CACHE``, or else in ``~/.cache/leakage``; an empty ``LEAKAGE_CACHE`` means
that nothing is kept. They take up to 2 GB, or what ``LEAKAGE_CACHE_LIMIT`` says, as ``500M`` or
``20G``; what was used longest ago goes first. No result depends on the cache: what cannot be kept
is computed again, and a damaged entry is as good as none. Reading one runs no code.
"""

import hashlib
import os
import re
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from leakage.sealed import OutputError, load_array, remove_fragments, sealing

#: Names of entries, and of nothing else that may lie beside them.
_NAMES = r"leakage-vectors-[0-9a-f]{64}\.npy"
_LIMIT = 2 * 10**9
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_told: set[str] = set()


class Entry(NamedTuple):
    """A file of the cache: where, how many bytes, and when it was last used."""

    path: Path
    size: int
    used: float


def cache_folder() -> Path | None:
    """Where vectors are kept; None where nothing is.

    Returns
    -------
    Path or None
        ``$LEAKAGE_CACHE``, or ``~/.cache/leakage``. None if the variable is empty, or if there is
        neither the variable nor a home folder.
    """
    named = os.environ.get("LEAKAGE_CACHE")
    try:
        if named is None:
            return Path.home() / ".cache" / "leakage" if os.environ.get("HOME", "~") else None
        return Path(named).expanduser() if named else None
    except RuntimeError:  # a user without a home
        return None


def cache_limit() -> int:
    """How many bytes are kept at most: ``$LEAKAGE_CACHE_LIMIT``, or 2 GB."""
    text = os.environ.get("LEAKAGE_CACHE_LIMIT", "").strip()
    if not text:
        return _LIMIT
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]?)B?", text.upper())
    if found is None:
        told = f"LEAKAGE_CACHE_LIMIT={text[:40]!r} is no size such as 500M or 20G; 2G are kept"
        _tell("limit", told)
        return _LIMIT
    return int(float(found[1]) * _UNITS[found[2]])


def entry_names(content: np.ndarray, parts: Mapping[str | None, object]) -> dict[str | None, str]:
    """File names of entries: digests of an array and of what else each depends on.

    Parameters
    ----------
    content : ndarray
        Hashed once for all of them.
    parts : mapping
        Of each entry, what else it depends on; its ``repr`` counts.

    Examples
    --------
    >>> names = entry_names(np.zeros(3), {"stem": 1, "head": 2})
    >>> len(names["stem"]), names["stem"] == names["head"]
    (84, False)
    """
    digest = hashlib.sha256(f"{content.dtype.str} {content.shape}\0".encode())
    digest.update(np.ascontiguousarray(content).data)

    def name(part: object) -> str:
        own = digest.copy()
        own.update(repr(part).encode())
        return f"leakage-vectors-{own.hexdigest()}.npy"

    return {label: name(part) for label, part in parts.items()}


def recall(name: str, rows: int) -> np.ndarray | None:
    """The vectors of an entry, or None if it is not there, is damaged or is not of so many rows."""
    folder = cache_folder()
    if folder is None:
        return None
    path = folder / name
    try:
        if not stat.S_ISREG(path.lstat().st_mode) or path.lstat().st_size > cache_limit():
            return None
        found = load_array(path)
    except (OSError, ValueError, MemoryError):
        return None
    if found.dtype != np.float32 or found.ndim != 2 or len(found) != rows:
        return None
    with suppress(OSError):
        os.utime(path, follow_symlinks=False)
    return found


def keep(entries: Mapping[str, np.ndarray]) -> None:
    """Keep vectors under their names as far as there is room; warns once if they cannot be kept."""
    folder, limit = cache_folder(), cache_limit()
    if folder is None:
        return
    try:
        for name, vectors in entries.items():
            path = folder / name  # a link, a folder or a pipe there is not ours
            if vectors.nbytes <= limit and _is_plain(path):
                with sealing(path, durable=False) as file:
                    np.save(file, np.ascontiguousarray(vectors), allow_pickle=False)
        _make_room(folder, limit)
    except (OutputError, OSError) as error:
        _tell("kept", f"vectors are not kept, and so computed again each time: {error}")


def cache_entries(folder: Path) -> list[Entry]:
    """The cache's files in a folder, those first that were used longest ago."""
    return sorted(_entries(folder), key=lambda entry: entry.used)


def clear_cache(folder: Path) -> list[Entry]:
    """Remove the cache's own files from a folder, and nothing else; returns what was removed.

    Raises
    ------
    OutputError
        A file cannot be removed.
    """
    found = cache_entries(folder)
    remove_fragments(folder, _NAMES)
    for entry in found:
        try:
            entry.path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {entry.path}: {error.strerror or error}") from error
    return found


def _is_plain(path: Path) -> bool:
    """Whether a file may be written there: there is none, or it is one and no link."""
    return not os.path.lexists(path) or (path.is_file() and not path.is_symlink())


def _entries(folder: Path) -> Iterator[Entry]:
    try:
        found = list(os.scandir(folder))
    except OSError:
        return
    for entry in found:
        if re.fullmatch(_NAMES, entry.name):
            with suppress(OSError):  # another process removed it
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(about.st_mode):
                    yield Entry(Path(entry.path), about.st_size, about.st_mtime)


def _make_room(folder: Path, limit: int) -> None:
    """Remove what was used longest ago until the rest is within the limit."""
    remove_fragments(folder, _NAMES)
    entries = cache_entries(folder)
    excess = sum(entry.size for entry in entries) - limit
    for entry in entries:
        if excess <= 0:
            return
        entry.path.unlink(missing_ok=True)
        excess -= entry.size


def _tell(what: str, text: str) -> None:
    """Warn of it, once in this process."""
    if what not in _told:
        _told.add(what)
        warnings.warn(text, stacklevel=2)
