"""JPEG files as libjpeg reads them, with the complaints that it prints and nothing hands on."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jpeglib

_DAMAGE = ("Corrupt JPEG data", "Premature end", "Inconsistent progression", "Invalid SOS")
_CAUTION = "Caution: quantization tables are too coarse"  # steps above 255: legal, not baseline
_STDERR = threading.Lock()  # file descriptor 2 belongs to the whole process
#: A progressive file has about ten scans, and each costs the time of all its pixels.
_MOST_SCANS = 100


def undamaged(source: Path | bytes) -> "jpeglib.DCTJPEG":
    """The coefficients of a file; one of which anything is missing or wrong is refused.

    A decoder fills what is damaged with gray and says nothing.

    Parameters
    ----------
    source : Path or bytes
        A file, or all that is in one; then libjpeg needs a temporary one.

    Raises
    ------
    ValueError
        Gives the reason, not the name: "is damaged: Corrupt JPEG data: ...".
    """
    import jpeglib

    data = source if isinstance(source, bytes) else source.read_bytes()
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise ValueError(f"has more than {_MOST_SCANS} scans; save it again")
    with _named(source) as name, complaints() as found:
        try:
            jpeg = jpeglib.read_dct(name)
            jpeg.load()
        except OSError as error:
            if error.errno is not None:  # not of the file: libjpeg is given a temporary copy
                raise ValueError(
                    f"cannot be looked through: {error.strerror} in {tempfile.gettempdir()}"
                ) from None
            raise ValueError(
                "is damaged, or its coding is not supported; decode it and compress it again "
                "with Huffman coding"
            ) from None
    if found:
        raise ValueError(f"is damaged: {found[0]}")
    return jpeg


@contextmanager
def _named(source: Path | bytes) -> Iterator[str]:
    """The name of a file with this content."""
    if isinstance(source, Path):
        yield str(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plain.jpg")
        path.write_bytes(source)
        yield str(path)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """What libjpeg prints of damaged data: it tells of it nowhere else.

    What other threads print meanwhile is printed afterwards, unless libjpeg fails.
    """
    found: list[str] = []
    with _STDERR, tempfile.TemporaryFile() as file:
        stderr = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            yield found
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        file.seek(0)
        for line in file.read().splitlines(keepends=True):
            text = line.decode(errors="replace").strip()
            if text.startswith(_DAMAGE):
                found.append(text)
            elif not text.startswith(_CAUTION):
                os.write(2, line)
