"""Arrays in files: written part after part, there whole or not at all, read in bounded memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all, whenever the process is killed.

    It is written under another name, forced to the disk, and renamed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "file")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    other = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with other.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        other.replace(path)
    finally:
        other.unlink(missing_ok=True)


class ArrayFile:
    """Writes an ``.npy`` file of known length, part after part.

    Parameters
    ----------
    file : binary file
        Open for writing.
    length : int
        Rows that all parts have together.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left, self._begun = file, length, False

    def add(self, part: np.ndarray) -> None:
        """Append rows."""
        if not self._begun:
            shape = (self._left, *part.shape[1:])
            header = {"descr": part.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
            self._begun = True
        self._file.write(np.ascontiguousarray(part).data)
        self._left -= len(part)

    def close(self) -> None:
        """Check that all rows came."""
        if self._left:
            raise ValueError(f"{self._left} rows are missing")


def read_batches(path: Path, batch: int) -> Iterator[np.ndarray]:
    """Rows of an ``.npy`` file, `batch` at a time; not mapped, so that memory stays bounded.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(10).reshape(5, 2))
    >>> [part.tolist() for part in read_batches(path, 4)]
    [[[0, 1], [2, 3], [4, 5], [6, 7]], [[8, 9]]]
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row = int(np.prod(shape[1:]))
        for start in range(0, shape[0], batch):
            rows = min(batch, shape[0] - start)
            yield np.fromfile(file, dtype, rows * row).reshape(rows, *shape[1:])
