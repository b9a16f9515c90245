"""Files that are whole or not there, and that show it when they are read back.

A sealed file ends in a line with the SHA-256 of its name and of all that stands before that line; a
sealed JSON file begins with one. So a file that was cut short, changed or renamed is noticed, and
nothing in it is believed. Hashing takes 1 to 3 seconds a gigabyte.
"""

import hashlib
import io
import json
import os
import platform
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import uuid4

import numpy as np

_MARK = b"\nleakage-seal sha256 "
#: Bytes of the last line of a sealed file.
SEAL_BYTES = len(_MARK) + 64 + 1
_AT_ONCE = 1 << 20
_A_DAY = 24 * 3600
#: A file that is being written: the name it will have, the machine and the process that write it.
_FRAGMENT = re.compile(r"\.(.+)\.leakage-([0-9a-f]{8})-([0-9]{1,10})-[0-9a-f]{32}")
_JSON_HEAD, _JSON_NEXT = b'{"sha256": "', b'", '


class OutputError(ValueError):
    """A file that cannot be written, and why."""


class Output(Protocol):
    """What a file's content is written to, part after part."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write the next part."""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """An `OutputError` in place of the system's."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free some space there, or name a "
            "folder that can be written"
        ) from error


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, or made and then written; it is not made.

    Raises
    ------
    ValueError
        It, or a folder it is to be in, is something else or may not be written.

    Examples
    --------
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     check_writable(Path(file.name))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: ... is no folder; name another folder for the results
    """
    above = [folder, *folder.parents]
    in_the_way = [place for place in above if os.path.lexists(place) and not place.is_dir()]
    if in_the_way:
        raise ValueError(f"{in_the_way[0]} is no folder; name another folder for the results")
    nearest = next(place for place in above if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest) as probe:
            probe.write(bytes(4096))
            probe.flush()
    except OSError as error:
        raise OutputError(
            f"cannot write into {nearest}: {error.strerror or error}; free some space there, or "
            "name a folder that can be written"
        ) from error


class _Output:
    """A file whose errors name it."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path

    def write(self, data: bytes | memoryview, /) -> int:
        with _told(self._path):
            return self._file.write(data)


class _Sealed:
    """Hashes what it passes on."""

    def __init__(self, output: Output, name: str) -> None:
        self._output, self.digest = output, _begun(name)

    def write(self, data: bytes | memoryview, /) -> int:
        self.digest.update(data)
        return self._output.write(data)


def _begun(name: str) -> "hashlib._Hash":
    """A digest that has read a file's name."""
    return hashlib.sha256(name.encode("utf8", "surrogateescape") + b"\0")


def _seal(digest: "hashlib._Hash") -> bytes:
    return _MARK + digest.hexdigest().encode() + b"\n"


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Output]:
    """A file that is there whole or not at all, whenever the process is killed.

    It is written under another name, forced to the disk where it must be `durable`, and renamed.

    Raises
    ------
    OutputError
        It cannot be written; nothing is left of it then.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    other = path.with_name(f".{path.name}.leakage-{_place()}-{os.getpid()}-{uuid4().hex}")
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = other.open("xb")
    try:
        try:
            yield _Output(stream, path)
            with _told(path):
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
        finally:
            with suppress(OSError):  # told already: of a full disk, closing tells it once more
                stream.close()
        with _told(path):
            other.replace(path)
    finally:
        with suppress(OSError):
            other.unlink(missing_ok=True)


@contextmanager
def sealing(path: Path, *, durable: bool = True) -> Iterator[Output]:
    """As `replacing`, with a seal at the end.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> with sealing(path) as file:
    ...     _ = file.write(b"content")
    >>> is_whole(path), is_whole(path.rename(path.with_name("other")))
    (True, False)
    """
    with replacing(path, durable=durable) as output:
        sealed = _Sealed(output, path.name)
        yield sealed
        output.write(_seal(sealed.digest))


@contextmanager
def _opened(path: Path) -> Iterator[io.FileIO]:
    """A plain file, unbuffered; of a pipe or a device nothing is read, as that might never end."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no plain file")
        yield file


def is_whole(path: Path) -> bool:
    """Whether a file is there and is, to the last bit, what was sealed under its name.

    Examples
    --------
    >>> is_whole(Path("nowhere"))
    False
    """
    try:
        with _opened(path) as file:
            left = os.fstat(file.fileno()).st_size - SEAL_BYTES
            digest = _begun(path.name)
            while left > 0 and (part := file.read(min(left, _AT_ONCE))):
                digest.update(part)
                left -= len(part)
            return left == 0 and file.read(SEAL_BYTES + 1) == _seal(digest)
    except (OSError, ValueError):
        return False


def load_array(path: Path) -> np.ndarray:
    """The array of a sealed ``.npy`` file, read once and checked.

    Raises
    ------
    ValueError
        Not whole, or no array of plain numbers.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npy")
    >>> with sealing(path) as file:
    ...     np.save(file, np.arange(3))
    >>> load_array(path).tolist()
    [0, 1, 2]
    """
    try:
        with _opened(path) as file:
            data = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
            read = 0
            while read < len(data) and (count := file.readinto(data[read:].data)):
                read += count
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    digest = _begun(path.name)
    digest.update(data[:-SEAL_BYTES].data)
    if read < len(data) or data[-SEAL_BYTES:].tobytes() != _seal(digest):
        raise ValueError(f"{path} is damaged")
    return _array_in(data[:-SEAL_BYTES], path)


def _array_in(data: np.ndarray, path: Path) -> np.ndarray:
    """A view of the bytes of an ``.npy`` file."""
    stream = io.BytesIO(data[: 1 << 16].tobytes())
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{path} is no .npy file of version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    count = int(np.prod(shape, dtype=object))
    if dtype.hasobject or stream.tell() + count * dtype.itemsize != len(data):
        raise ValueError(f"{path} holds no array of plain numbers, or not all of it")
    return np.ndarray(shape, dtype, data.data, stream.tell(), order="F" if fortran else "C")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a mapping that is not empty, sealed by a member ``sha256``; whole, or not at all.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.json")
    >>> write_json(path, {"bits": 1.5})
    >>> read_json(path)
    {'bits': 1.5}
    """
    body = json.dumps(content, default=float).encode()[1:]
    digest = _begun(path.name)
    digest.update(body)
    with replacing(path) as file:
        file.write(_JSON_HEAD + digest.hexdigest().encode() + _JSON_NEXT + body)


def read_json(path: Path) -> dict | None:
    """What `write_json` wrote there; None where that is not there, damaged, or something else.

    Examples
    --------
    >>> read_json(Path("nowhere")) is None
    True
    """
    try:
        with _opened(path) as file:
            data = file.readall()
    except (OSError, ValueError):
        return None
    start = len(_JSON_HEAD) + 64 + len(_JSON_NEXT)
    digest = _begun(path.name)
    digest.update(data[start:])
    if data[:start] != _JSON_HEAD + digest.hexdigest().encode() + _JSON_NEXT:
        return None
    content = json.loads(data)
    del content["sha256"]
    return content


def remove_fragments(folder: Path, names: str) -> None:
    """Remove what killed processes left of files that they were writing.

    Only plain files directly in the folder that bear the mark of `replacing`, and of these only
    the ones whose process is known to be gone, or that nobody has written to for a day.

    Parameters
    ----------
    folder : Path
        Need not be there.
    names : str
        A regular expression for the whole of the names that files of ours have in this folder.
    """
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        found = _FRAGMENT.fullmatch(entry.name)
        if found is None or re.fullmatch(names, found[1]) is None:
            continue
        with suppress(OSError):
            about = entry.stat(follow_symlinks=False)
            left = time.time() - about.st_mtime > _A_DAY or _is_gone(found[2], int(found[3]))
            if stat.S_ISREG(about.st_mode) and left:
                os.unlink(entry.path)


@cache
def _place() -> str:
    """This machine, since it was started, and this container on it: where a process id counts."""
    known = [platform.node()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def _is_gone(place: str, process: int) -> bool:
    """Whether a process of this place has ended; of others nothing is known."""
    if os.name != "posix" or place != _place():
        return False
    try:
        os.kill(process, 0)  # signal 0 only asks
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False
