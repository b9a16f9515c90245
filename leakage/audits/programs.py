"""A program of any language as a scheme: it is called once an image, within limits."""

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from leakage.pictures.reading import read_header
from leakage.pictures.surveys import by_name, refuse_files, survey

#: That a program may take for an image, where nothing else is said.
SECONDS = 60.0

_MOST_BYTES = 2**28  # that a program may write into one file, its complaints included
_COMPLAINTS = 300  # characters of them that are shown


def encrypted_by(
    program: str | Path, plain: str | Path, folder: str | Path, *, mode: str | None, seconds: float
) -> tuple[Path, Path, tuple[str, ...]]:
    """Folders of the images and of what a program makes of them, and notes on the images.

    Parameters
    ----------
    program : str or Path
        Called with the names of a PNG file to read and of one to write.
    plain : str or Path
        Folder of images.
    folder : str or Path
        An empty one, for both sides as PNG.
    mode : {None, "gray", "rgb"}
        How the images are read.
    seconds : float
        That one call may take.

    Raises
    ------
    ValueError
        Images that cannot be read, or of one name but for the suffix; a program that cannot be
        run, fails, takes too long, writes too much, no picture, or one of another size.
    """
    looked_at = survey(plain, mode)
    refuse_files(looked_at.problems, len(looked_at.files))
    sides = Path(folder, "plain"), Path(folder, "cipher")
    given = Path(folder, "given")  # a program may write over what it reads
    names = by_name((file.name, file.name) for file in looked_at.files)  # groups are said by them
    for file, name in zip(looked_at.files, names, strict=True):
        kept, *paths = (side / f"{name}.png" for side in (sides[0], given, sides[1]))
        for path in (kept, *paths):
            path.parent.mkdir(parents=True, exist_ok=True)
        image = looked_at.read(file)
        for path in (kept, paths[0]):
            Image.fromarray(image).save(path)
        what = f"{program} on {file.name}"
        _call(Path(program).resolve(), paths, what, seconds)
        _check_written(paths[1], image, mode, what)
    return (*sides, looked_at.notes)


def _check_written(path: Path, image: np.ndarray, mode: str | None, what: str) -> None:
    """Refuse at the first image what cannot be its ciphertext."""
    try:
        header = read_header(path)
    except ValueError as error:
        raise ValueError(f"{what} wrote a file that {error}") from None
    if mode is None and header.colour != (image.ndim == 3):
        one, other = ("a gray", "colour") if header.colour else ("a coloured", "gray")
        raise ValueError(f"{what} wrote {other} for {one} picture; give --mode, gray or rgb")
    if header.shape != image.shape[:2]:
        sizes = (f"{width}x{height}" for height, width in (header.shape, image.shape[:2]))
        raise ValueError("{} wrote {} pixels for {}".format(what, *sizes))


def _call(program: Path, names: list[Path], what: str, seconds: float) -> None:
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                [program, *names], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=complaints, start_new_session=True, preexec_fn=_limited,
            )  # fmt: skip
        except OSError as error:
            raise ValueError(f"{program} cannot be run: {error.strerror}; chmod +x?") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ValueError(f"{what} took more than {seconds:g} seconds; see --seconds") from None
        finally:  # with whatever it started, also when we are told to end
            _end(process)
        if code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
            raise ValueError(f"{what} wrote more than {_MOST_BYTES >> 20} MiB into a file")
        if code or not names[1].is_file():
            complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - _COMPLAINTS))
            said = complaints.read().decode(errors="replace")
            raise ValueError(f"{what} failed with exit code {code}: {said or 'it wrote no file'}")


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))


def _end(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
