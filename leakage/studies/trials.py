"""What is impossible in a study, found by looking up and trying everything once.

This is where code of the reader's own runs for the first time, after the whole grid was checked.
"""

import inspect
import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import get_args

import numpy as np

from leakage.arguments import check_count, object_named
from leakage.estimators.candidates import Method
from leakage.estimators.cross_fitting import estimate_mi
from leakage.estimators.patches import FEWEST, check_patch, check_words, patch_mi
from leakage.evidence.p_values import check_permutations
from leakage.evidence.samples import check_samples
from leakage.studies.cells import PIXELS, Cell, is_own, key_of, model_of, options_of, scheme_of
from leakage.studies.provenance import source_digest

#: Problems that one message tells, and characters of each.
_TOLD, _LONGEST = 20, 600


def refuse(problems: Iterable[str]) -> None:
    """Tell all problems in one message of bounded length; nothing happens where there are none.

    Raises
    ------
    ValueError
        There are problems.
    """
    different = list(dict.fromkeys(problems))
    if not different:
        return
    shown = [p if len(p) <= _LONGEST else p[: _LONGEST - 3] + "..." for p in different[:_TOLD]]
    if len(different) > _TOLD:
        shown.append(f"and {len(different) - _TOLD} more")
    raise ValueError("this grid cannot be run:\n  - " + "\n  - ".join(shown))


def told(error: BaseException) -> str:
    """An error in the words of a table."""
    return f"{type(error).__name__}: {error}"


def is_request_to_end(error: BaseException) -> bool:
    """Whether a signal ended the process, and not code of the reader's own by ``sys.exit``.

    Examples
    --------
    >>> [is_request_to_end(SystemExit(code)) for code in (128 + 15, 0, "no more")]
    [True, False, False]
    """
    return isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128


def look_up(cells: list[Cell]) -> None:
    """Import the schemes, encoders and estimators of the reader's own, and look at them; call none.

    Raises
    ------
    ValueError
        A scheme that is no class with a method ``encrypt``, an encoder that is no function, an
        estimator that does not take what
        it will be given, code that cannot be imported or has no file.
    """
    problems = []
    schemes = {c.scheme["name"] for c in cells if is_own(c.scheme["name"])}
    for name in sorted(schemes):
        problems += _problems_of(name, _look_at_scheme)
    models = {c.embedding["model"] for c in cells if is_own(c.embedding["model"])}
    for name in sorted(models):
        problems += _problems_of(name, _look_at_model)
    estimators = {
        json.dumps(c.estimator): c.estimator for c in cells if is_own(c.estimator["method"])
    }
    for settings in estimators.values():
        problems += _problems_of(settings["method"], partial(_look_at_estimator, settings))
    refuse(problems)


def _problems_of(name: str, check: Callable[[str, object], None]) -> list[str]:
    try:
        check(name, object_named(name))
        source_digest(name)
    except ValueError as error:
        return [str(error)]
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        return [f"cannot import {name}: {told(error)}"]
    return []


def _look_at_scheme(name: str, found: object) -> None:
    if not isinstance(found, type) or not callable(getattr(found, "encrypt", None)):
        raise ValueError(f"{name} is no class with a method encrypt(images, key, ...)")


def _look_at_model(name: str, found: object) -> None:
    if not inspect.isfunction(found):
        raise ValueError(f"{name} is no function of uint8 images that returns one row for each")


def _look_at_estimator(settings: dict, name: str, found: object) -> None:
    if not callable(found):
        raise ValueError(f"{name} is no function of x, y, groups and seed")
    try:
        options = options_of(settings)
        inspect.signature(found).bind(None, None, groups=None, seed=0, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} cannot be called as {name}(x, y, groups=..., seed=..., and its settings): "
            f"{error}"
        ) from None


def problems_with(cells: list[Cell], first: np.ndarray, groups: np.ndarray) -> list[str]:
    """What is impossible on an image set, from one of its images and all its groups.

    The image is encrypted by every scheme and represented by every embedding, so that what cannot
    work shows now and not in the night.

    Parameters
    ----------
    cells : list of Cell
        Those of this image set.
    first : ndarray of uint8, shape (1, H, W) or (1, H, W, 3)
        Any one image.
    groups : ndarray of int, shape (N,)
        Source of each image.
    """
    tried = _Tried()
    for cell in cells:
        tried("scheme", cell.scheme, partial(_try_scheme, cell.scheme, first))
        width = tried("embedding", cell.embedding, partial(_width, cell.embedding, first))
        if width is not None:
            label = f"on {json.dumps(cell.embedding)}: estimator"
            tried(label, cell.estimator, partial(
                _try_estimator, cell.estimator, width, first.shape, groups
            ))  # fmt: skip
    return tried.problems


class _Tried:
    """Tries everything once; keeps what it gave, and what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._given: dict[str, int | None] = {}

    def __call__(self, what: str, settings: dict, action: Callable[[], int | None]) -> int | None:
        label = f"{what} {json.dumps(settings)}"
        if label not in self._given:
            self._given[label] = None
            try:
                self._given[label] = action()
            except (ValueError, TypeError) as error:
                self.problems.append(f"{label}: {error}")
            except (Exception, SystemExit) as error:  # of code of the reader's own
                self.problems.append(f"{label}: {told(error)}")
        return self._given[label]


def _try_scheme(settings: dict, first: np.ndarray) -> None:
    key, keying, scheme = key_of(settings), settings["keying"], scheme_of(settings)
    try:
        inspect.signature(scheme.encrypt).bind(first, key, first_index=0, keying=keying)
    except TypeError as error:
        raise ValueError(
            f"encrypt is to take images, key, first_index and keying, but {error}; a study "
            "encrypts in batches, whose first image has the number first_index"
        ) from error
    before = first.copy()
    cipher = scheme.encrypt(first, key, first_index=0, keying=keying)
    if not np.array_equal(first, before):
        raise ValueError("encrypt changes the images that it is given: let it work on a copy")
    known = isinstance(cipher, np.ndarray) and cipher.dtype == np.uint8
    if not known or cipher.shape != first.shape:
        raise ValueError("encrypt must return uint8 of the shape of the images")


def _width(settings: dict, first: np.ndarray) -> int:
    """Dimensions of the vectors, 0 of pixels."""
    from leakage.vectors.embeddings import representations

    rung = settings["rung"]
    if rung == PIXELS:
        return 0
    found = representations(
        first, [rung], model=model_of(settings), precision=settings["precision"], cache=False
    )
    return found[rung].shape[1]


def _try_estimator(settings: dict, width: int, shape: tuple[int, ...], groups: np.ndarray) -> None:
    method = settings["method"]
    if method == "patch":
        _try_patches(settings, shape, groups)
    if method not in ("certified", *get_args(Method)):
        return
    rows = np.arange(len(groups), dtype=float)[:, None]
    check_samples(rows, rows, groups, settings.get("folds", 5))
    if method == "ksg":
        columns = np.zeros((len(groups), width)) + rows
        estimate_mi(columns, columns, "ksg", groups=groups, permutations=0)


def _try_patches(settings: dict, shape: tuple[int, ...], groups: np.ndarray) -> None:
    """What `leakage.patch_mi` would refuse of images of this shape."""
    defaults = {n: p.default for n, p in inspect.signature(patch_mi).parameters.items()}
    given = defaults | options_of(settings)
    check_words(given["critic"], given["inputs"])
    check_patch(given["patch"], shape)
    check_count("steps", given["steps"])
    check_permutations(given["permutations"])
    least, found = FEWEST[given["critic"]], len(np.unique(groups))
    if found < least:
        raise ValueError(f"images from {found} sources are too few, {least} are needed")
