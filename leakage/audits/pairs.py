"""Pairs of images and ciphertexts, one at a time: from arrays, or from two folders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakage.arguments import check_images
from leakage.pictures.reading import SUFFIXES, read_image


@dataclass(frozen=True)
class Pairs:
    """Pairs that are read when they are needed, so that any number of them fits in memory.

    Attributes
    ----------
    names : tuple of str
        One a pair.
    shapes : tuple of tuple of int
        (H, W) or (H, W, 3), one a pair.
    read : callable
        Index of a pair to the image and its ciphertext, both uint8 and of its shape.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    read: Callable[[int], tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.read(i) for i in range(len(self)))


def from_arrays(plain: np.ndarray, cipher: np.ndarray) -> Pairs:
    """Pairs of two arrays.

    Examples
    --------
    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> len(from_arrays(images, images))
    3
    """
    check_images(plain, "plain")
    check_images(cipher, "cipher")
    if plain.shape != cipher.shape:
        raise ValueError(
            f"plain has shape {plain.shape}, cipher {cipher.shape}; every image needs its own "
            "ciphertext of the same size"
        )
    names = tuple(str(i) for i in range(len(plain)))
    return Pairs(names, (plain.shape[1:],) * len(plain), lambda i: (plain[i], cipher[i]))


def from_folders(plain: str | Path, cipher: str | Path, mode: str = "gray") -> Pairs:
    """Pairs of files of two folders with the same name, whatever their suffix.

    Every file is opened once before any work: all that is wrong is told in one message.

    Parameters
    ----------
    plain, cipher : str or Path
        Folders with PGM, PNG, TIFF, BMP or JPEG files, searched recursively.
    mode : {"gray", "rgb"}
        How the files are read.

    Raises
    ------
    ValueError
        Missing folders; files that cannot be read, that lack a partner, or whose partner has
        another size, all named.
    """
    folders = Path(plain).expanduser(), Path(cipher).expanduser()
    files = [_by_name(folder) for folder in folders]
    problems = [
        f"{name} has no partner in {folders[1 - side]}"
        for side in (0, 1)
        for name in sorted(set(files[side]) - set(files[1 - side]))
    ]
    names, shapes = [], []
    for name in sorted(set(files[0]) & set(files[1])):
        found = []
        for side in (0, 1):
            try:
                found.append(read_image(files[side][name], mode).shape)
            except ValueError as error:
                problems.append(f"{files[side][name]} {error}")
        if len(found) == 2 and found[0] != found[1]:
            problems.append(f"{name} is {found[0][:2]} in plain and {found[1][:2]} in cipher")
        elif len(found) == 2:
            names.append(name)
            shapes.append(found[0])
    if problems:
        raise ValueError(
            f"{len(problems)} problems with the files; mend or remove them:\n  "
            + "\n  ".join(problems)
        )
    if not names:
        raise ValueError(f"no pairs in {folders[0]} and {folders[1]}")

    def read(i: int) -> tuple[np.ndarray, np.ndarray]:
        return read_image(files[0][names[i]], mode), read_image(files[1][names[i]], mode)

    return Pairs(tuple(names), tuple(shapes), read)


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder (looked in {Path.cwd()})")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    found: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{found[name]} and {path} have the same name; keep one of them")
        found[name] = path
    return found
