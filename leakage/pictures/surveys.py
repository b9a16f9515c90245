"""What a source of pictures holds, found out before any is decoded: one rule for every reader.

Hidden files are skipped; files of other kinds are skipped and told of; files and folders that
cannot be read are refused, all in one message. Links are followed, each folder once.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from leakage.pictures.photographs import PHOTOGRAPHS
from leakage.pictures.reading import SUFFIXES, Header, read_header, read_image

_NAMED = 20  # problems in a message, so that it fits on a screen
_NAMED_OTHERS = 5  # skipped files in a note

_T = TypeVar("_T")


class SourceFile(NamedTuple):
    """A file of a set, what the set calls it, and its author and licence if they are known."""

    name: str
    path: Path
    credit: str


@dataclass(frozen=True)
class Survey:
    """The files of a source.

    Attributes
    ----------
    files : tuple of SourceFile
        In order.
    headers : tuple of Header or None
        One a file; None where it cannot be used.
    mode : {"gray", "rgb"}
        What they are to be read as.
    problems : tuple of str
        Files that cannot be used, and why.
    notes : tuple of str
        What was skipped, turned or left out.
    """

    files: tuple[SourceFile, ...]
    headers: tuple[Header | None, ...]
    mode: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def read(self, file: SourceFile) -> np.ndarray:
        """The picture of one of the files, or an error that names it."""
        try:
            return read_image(file.path, self.mode)
        except ValueError as error:
            raise ValueError(f"{file.name} {error}; mend or remove it") from None


def refuse_files(problems: Sequence[str], total: int) -> None:
    """Raise one error that names files that cannot be used, if there are any.

    Examples
    --------
    >>> refuse_files([], 3)
    >>> refuse_files(["a.png is empty"], 3)
    Traceback (most recent call last):
    ValueError: 1 of 3 files cannot be used; mend or remove them:
      a.png is empty
    """
    if problems:
        shown = "\n  ".join(problems[:_NAMED])
        more = f"\n  and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ValueError(
            f"{len(problems)} of {total} files cannot be used; mend or remove them:\n  "
            f"{shown}{more}"
        )


def by_name(files: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    """Files by their names without suffix; two of one name are refused.

    Examples
    --------
    >>> by_name([("a/1.png", "one"), ("a/2.tif", "two")])
    {'a/1': 'one', 'a/2': 'two'}
    """
    found: dict[str, _T] = {}
    for relative, file in files:
        name = Path(relative).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{found[name]} and {file} have the same name; keep one of them")
        found[name] = file
    return found


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """All files below a folder that are not hidden: pictures, by their suffixes, and others.

    Raises
    ------
    ValueError
        Folders that cannot be read, and pictures that are no files, all named.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    problems: list[str] = []
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be read ({error.strerror})")

    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        about = os.stat(place)
        if (about.st_dev, about.st_ino) in seen:
            folders.clear()  # a link to a folder that was looked at
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in SUFFIXES:
                others.append(path)
            elif (reason := _no_file(path)) is not None:
                problems.append(f"{path.relative_to(folder)} {reason}")
            else:
                pictures.append(path)
    refuse_files(sorted(problems), len(problems) + len(pictures))
    return sorted(pictures), sorted(others)


def _no_file(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be read ({error.strerror})"  # a link that leads nowhere, for one
    return None if stat.S_ISREG(mode) else "is no regular file"


def of_other_kinds(others: Sequence[Path], folder: Path) -> list[str]:
    """A note of the files that were skipped, if there are any.

    Examples
    --------
    >>> of_other_kinds([Path("a/labels.csv")], Path("a"))
    ['1 file of another kind was skipped: labels.csv']
    """
    if not others:
        return []
    shown = ", ".join(path.relative_to(folder).as_posix() for path in others[:_NAMED_OTHERS])
    more = ", ..." if len(others) > _NAMED_OTHERS else ""
    what = "file of another kind was" if len(others) == 1 else "files of other kinds were"
    return [f"{len(others)} {what} skipped: {shown}{more}"]


def survey(
    source: str | Path, mode: str | None, fits: Callable[[Header], object] = lambda _: None
) -> Survey:
    """Look at every file of a source that is not torchvision's, reading no more than its head.

    Parameters
    ----------
    source : str or Path
        ``"photographs"``, a folder or a file.
    mode : {None, "gray", "rgb"}
        None keeps colour where any file has some; the bundled photographs are then gray.
    fits : callable
        Raises ValueError with the reason why a file of this header is of no use.

    Raises
    ------
    ValueError
        No such source, or nothing in it.
    """
    if str(source) == "photographs":
        files = [SourceFile(p.name, p.file(), f"{p.author}, {p.licence}") for p in PHOTOGRAPHS]
        found = _looked_at(files, mode or "gray", fits, [])
        kept = [i for i, header in enumerate(found.headers) if header is not None]
        return Survey(
            tuple(found.files[i] for i in kept), tuple(found.headers[i] for i in kept),
            found.mode, (), (),
        )  # fmt: skip
    folder = Path(source).expanduser()
    if not folder.exists():
        raise ValueError(
            f"no file or folder {str(source)!r} (looked in {Path.cwd()}); other sources are "
            "'photographs', 'scenes' and 'torchvision:NAME'"
        )
    notes: list[str] = []
    if folder.is_file():
        base, paths = folder.parent, [folder]
    else:
        base = folder
        paths, others = files_below(folder)
        notes = of_other_kinds(others, folder)
        if not paths:
            what = f"; {notes[0]}" if notes else ""
            raise ValueError(f"no images in {folder}; expected files {', '.join(SUFFIXES)}{what}")
    files = [SourceFile(path.relative_to(base).as_posix(), path, "") for path in paths]
    return _looked_at(files, mode, fits, notes)


def _looked_at(
    files: Sequence[SourceFile],
    mode: str | None,
    fits: Callable[[Header], object],
    notes: list[str],
) -> Survey:
    headers: list[Header | None] = []
    problems = []
    for file in files:
        try:
            header = read_header(file.path)
            fits(header)
        except ValueError as error:
            problems.append(f"{file.name} {error}")
            headers.append(None)
        else:
            headers.append(header)
    known = [header for header in headers if header is not None]
    read_as = mode or ("rgb" if any(header.colour for header in known) else "gray")
    coloured = sum(header.colour for header in known)
    turned = sum(header.orientation != 1 for header in known)
    # a folder all gray that is read as three channels is what was asked for, and no change
    changed_to = read_as if coloured else None
    notes += changes("pictures", len(known), changed_to, turned=turned, coloured=coloured)
    return Survey(tuple(files), tuple(headers), read_as, tuple(problems), tuple(notes))


def changes(
    what: str, total: int, mode: str | None, *, turned: int, coloured: int
) -> Iterator[str]:
    """What is not as the files have it.

    Examples
    --------
    >>> list(changes("pictures", 3, "gray", turned=0, coloured=2))
    ['the colour of 2 of 3 pictures was left out: they were read as gray']
    """
    if turned:
        yield f"{turned} of {total} {what} were turned upright, as their orientation tags ask"
    if mode == "gray" and coloured:
        yield f"the colour of {coloured} of {total} {what} was left out: they were read as gray"
    if mode == "rgb" and coloured < total:
        yield f"{total - coloured} of {total} {what} are gray and were read as three equal channels"


def of_each_file(looked_at: Survey, read: Callable[[Path], _T]) -> tuple[list[_T], tuple[str, ...]]:
    """What `read` finds in each file that can be used, and all problems in the order of the files.

    Parameters
    ----------
    looked_at : Survey
        Its problems are kept.
    read : callable
        Raises ValueError with the reason why a file cannot be used.
    """
    found, problems = [], list(looked_at.problems)
    for file, header in zip(looked_at.files, looked_at.headers, strict=True):
        if header is None:
            continue
        try:
            found.append(read(file.path))
        except ValueError as error:
            problems.append(f"{file.name} {error}")
    return found, tuple(problems)
