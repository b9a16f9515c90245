"""A program of any language as a scheme: it is called once an image, within limits."""

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from PIL import Image

from leakage.pictures.reading import read_image
from leakage.pictures.surveys import refuse_files, survey

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
        Images that cannot be read; a program that cannot be run, fails, takes too long, writes
        too much or no file.
    """
    looked_at = survey(plain, mode)
    refuse_files(looked_at.problems, len(looked_at.files))
    sides = Path(folder, "plain"), Path(folder, "cipher")
    for side in sides:
        side.mkdir()
    for i, file in enumerate(looked_at.files):
        names = [side / f"{i:06}.png" for side in sides]
        try:
            Image.fromarray(read_image(file.path, looked_at.mode)).save(names[0])
        except ValueError as error:
            raise ValueError(f"{file.name} {error}") from None
        _call(Path(program).resolve(), names, f"{program} on {file.name}", seconds)
    return (*sides, looked_at.notes)


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
