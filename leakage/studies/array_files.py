"""Arrays in files: written part after part, read in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leakage.sealed import Output


class ArrayFile:
    """Writes an ``.npy`` file of known length, part after part.

    Parameters
    ----------
    file : Output
        Of `leakage.sealed.sealing`, say.
    length : int
        Rows that all parts have together.
    """

    def __init__(self, file: Output, length: int) -> None:
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
