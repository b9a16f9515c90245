"""Files of arrays are whole or not there."""

import numpy as np
import pytest

from leakage.sealed import load_array, sealing
from leakage.studies.array_files import ArrayFile


def interrupted(path, rows):
    """A file of three rows, of which some come."""
    with sealing(path) as file:
        array = ArrayFile(file, 3)
        array.add(np.zeros((rows, 4)))
        array.close()


def test_a_file_is_whole_or_not_there(tmp_path):
    with pytest.raises(ValueError, match="1 rows are missing"):
        interrupted(tmp_path / "file", 2)
    assert not list(tmp_path.iterdir())
    interrupted(tmp_path / "file", 3)
    assert load_array(tmp_path / "file").shape == (3, 4)
