"""Pairs of images and ciphertexts, one at a time: from arrays, or from two folders."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakage.arguments import check_images, check_labels
from leakage.evidence.samples import merged
from leakage.pictures.image_sets import Equals
from leakage.pictures.reading import Header, read_header, read_image
from leakage.pictures.surveys import by_name, changes, files_below, of_other_kinds, refuse_files


@dataclass(frozen=True)
class Pairs:
    """Pairs that are read when they are needed, so that any number of them fits in memory.

    Attributes
    ----------
    names : tuple of str
        One a pair.
    shapes : tuple of tuple of int
        (H, W) or (H, W, 3), one a pair.
    same : tuple of int
        For each pair the first pair that has an equal image, often itself.
    read : callable
        Index of a pair to the image and its ciphertext, both uint8 and of its shape.
    notes : tuple of str
        What is not as the files have it, and what to bear in mind of them.
    lossy : bool
        Whether some ciphertexts are of a lossy format.
    lengths : ndarray of int, shape (N, 2), or None
        Bytes of the files of the image and of its ciphertext, where they are files.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    same: tuple[int, ...]
    read: Callable[[int], tuple[np.ndarray, np.ndarray]]
    notes: tuple[str, ...] = ()
    lossy: bool = False
    lengths: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.read(i) for i in range(len(self)))


def from_arrays(plain: object, cipher: object) -> Pairs:
    """Pairs of two arrays, or of whatever `check_images` takes.

    Examples
    --------
    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> from_arrays(images, images).same
    (0, 0, 0)
    """
    plain, cipher = check_images(plain, "plain"), check_images(cipher, "cipher")
    if plain.shape != cipher.shape:
        raise ValueError(
            f"plain has shape {plain.shape}, cipher {cipher.shape}; every image needs its own "
            "ciphertext of the same size"
        )
    names = tuple(str(i) for i in range(len(plain)))
    equals = Equals()
    same = tuple(equals.group(i, image) for i, image in enumerate(plain))
    shapes = (plain.shape[1:],) * len(plain)
    return Pairs(names, shapes, same, lambda i: (plain[i], cipher[i]), equals.notes())


def from_folders(plain: str | Path, cipher: str | Path, mode: str | None = None) -> Pairs:
    """Pairs of files of two folders with the same name, whatever their suffix.

    Every file is opened once before any work: all that is wrong is told in one message.

    Parameters
    ----------
    plain, cipher : str or Path
        Folders with PGM, PPM, PNG, TIFF, BMP or JPEG files, searched recursively.
    mode : {None, "gray", "rgb"}
        How the files are read; None keeps colour where any pair has some.

    Raises
    ------
    ValueError
        Missing folders; files that cannot be read, that lack a partner, or whose partner has
        another size, other colour, or is turned otherwise, all named.
    """
    folders = Path(plain).expanduser(), Path(cipher).expanduser()
    listed = [_by_name(folder) for folder in folders]
    files = [found for found, _ in listed]
    notes = [f"{side}: {note}" for side, (_, of) in zip(_SIDES, listed, strict=True) for note in of]
    problems = [
        f"{name} has no partner in {folders[1 - side]}"
        for side in (0, 1)
        for name in sorted(set(files[side]) - set(files[1 - side]))
    ]
    headers: dict[str, tuple[Header, Header]] = {}
    for name in sorted(set(files[0]) & set(files[1])):
        try:
            one, other = (_header(of[name]) for of in files)
            _check_alike(name, one, other, mode)
        except ValueError as error:
            problems.append(str(error))
        else:
            headers[name] = one, other
    read_as = mode or (
        "rgb" if any(h.colour for pair in headers.values() for h in pair) else "gray"
    )

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        image, ciphertext = (read_image(of[name], read_as) for of in files)
        return image, ciphertext

    equals, same, shapes = Equals(), [], []
    for i, name in enumerate(headers):
        try:
            image, _ = read(name)
        except ValueError as error:
            problems.append(f"{name} {error}")
            continue
        same.append(equals.group(i, image))
        shapes.append(image.shape)
    refuse_files(problems, len(set(files[0]) | set(files[1])))
    names = tuple(headers)
    if not names:
        raise ValueError(f"no pairs in {folders[0]} and {folders[1]}{'; '.join(['', *notes])}")
    notes += _notes_of(list(headers.values()), read_as)
    lossy = any(cipher.kind == "JPEG" for _, cipher in headers.values())
    notes += equals.notes()
    lengths = np.array([[of[name].stat().st_size for of in files] for name in names])
    return Pairs(
        names, tuple(shapes), tuple(same), lambda i: read(names[i]), tuple(notes), lossy, lengths
    )


_SIDES = ("plain", "cipher")


def _header(path: Path) -> Header:
    try:
        return read_header(path)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def _check_alike(name: str, plain: Header, cipher: Header, mode: str | None) -> None:
    """Refuse a pair whose samples do not lie at the same places."""
    if plain.orientation != cipher.orientation:
        turned = _SIDES[plain.orientation == 1]
        raise ValueError(
            f"{name} is turned by an orientation tag in {turned} alone; save both sides upright, "
            "without the tag"
        )
    if plain.shape != cipher.shape:
        raise ValueError(f"{name} is {plain.shape} in plain and {cipher.shape} in cipher")
    if mode is None and plain.colour != cipher.colour:
        coloured = _SIDES[cipher.colour]
        raise ValueError(f"{name} has colour in {coloured} alone; give a mode, 'gray' or 'rgb'")


def _notes_of(headers: Sequence[tuple[Header, Header]], mode: str) -> Iterator[str]:
    total = len(headers)
    lossy = sum(cipher.kind == "JPEG" for _, cipher in headers)
    yield from changes(
        "pairs", total, mode,
        turned=sum(plain.orientation != 1 for plain, _ in headers),
        coloured=sum(plain.colour or cipher.colour for plain, cipher in headers),
    )  # fmt: skip
    if lossy:
        yield (
            f"{lossy} of {total} ciphertexts are JPEG files, which are lossy: they were looked at "
            "as decoded, and what else they hold was not"
        )


def _by_name(folder: Path) -> tuple[dict[str, Path], list[str]]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder (looked in {Path.cwd()})")
    paths, others = files_below(folder)
    found = by_name((path.relative_to(folder).as_posix(), path) for path in paths)
    return found, of_other_kinds(others, folder)


def groups_of(
    names: Sequence[str], same: Sequence[int], groups: np.ndarray | str | Path | None = None
) -> np.ndarray:
    """Which pairs belong together: as they are said to, and those whose images are equal.

    Parameters
    ----------
    names : sequence of str
        Of the pairs; for files their paths without suffix.
    same : sequence of int
        For each pair the first that has an equal image.
    groups : ndarray of shape (N,), str or Path, optional
        A source for each pair. Or ``"folder"``: the folder of each file. Or the name of a CSV
        file with two columns, name and group. Or a regular expression with a part in
        parentheses, which is the group: ``"(.*)_[0-9]+"``.

    Returns
    -------
    ndarray of int, shape (N,)
        Numbers of the groups.

    Raises
    ------
    ValueError
        Groups of another number than pairs; names that a file or an expression leaves out.

    Examples
    --------
    >>> groups_of(["cat_1", "cat_2", "dog_1"], [0, 1, 1], "(.*)_[0-9]").tolist()
    [0, 0, 0]
    >>> groups_of(["a/1", "a/2", "b/1"], [0, 1, 2], "folder").tolist()
    [0, 0, 1]
    """
    if groups is None:
        said = np.arange(len(names))
    elif isinstance(groups, str | Path):
        said = np.array(_groups_said(names, str(groups)))
    else:
        said = np.asarray(groups)
    if said.shape != (len(names),):
        raise ValueError(f"groups has shape {said.shape}, there are {len(names)} pairs")
    check_labels(said)
    _, labels = np.unique(said, return_inverse=True)
    return merged(labels, np.asarray(same))


def _groups_said(names: Sequence[str], groups: str) -> list[str]:
    if groups == "folder":
        return [Path(name).parent.as_posix() for name in names]
    if Path(groups).suffix.lower() == ".csv":
        return _from_csv(names, Path(groups).expanduser())
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ValueError(f"groups: {groups!r} is no regular expression: {error}") from None
    if pattern.groups != 1:
        raise ValueError(
            f"groups: {groups!r} needs one part in parentheses, such as '(.*)_[0-9]+'; 'folder' "
            "and the name of a CSV file are other choices"
        )
    matches = [pattern.fullmatch(name) for name in names]
    left = [name for name, match in zip(names, matches, strict=True) if match is None]
    if left:
        raise ValueError(
            f"groups: {groups!r} does not match {len(left)} names, {left[0]!r} for one"
        )
    return [match[1] for match in matches if match]


def _from_csv(names: Sequence[str], file: Path) -> list[str]:
    try:
        with file.open(newline="", encoding="utf8") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"groups: {file} cannot be read ({error})") from None
    if any(len(row) != 2 for row in rows):
        raise ValueError(f"groups: {file} needs two columns, name and group")
    known: dict[str, str] = {}
    for name, group in ((Path(name).with_suffix("").as_posix(), group) for name, group in rows):
        if known.setdefault(name, group) != group:
            raise ValueError(
                f"groups: {file} puts {name!r} into two groups, {known[name]!r} and {group!r}; "
                "keep one line"
            )
    left = [name for name in names if name not in known]
    if left:
        raise ValueError(f"groups: {file} has no line for {len(left)} names, {left[0]!r} for one")
    return [known[name] for name in names]
