"""A study's grid: plain data, as JSON or YAML hold it, made into cells that are checked first."""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import cast, get_args

import numpy as np

from leakage.arguments import check_one_of, object_named
from leakage.estimate import Estimate
from leakage.estimators.candidates import Method
from leakage.estimators.certified import certified_mi
from leakage.estimators.cross_fitting import estimate_mi
from leakage.estimators.pixels import pixel_mi_in_batches
from leakage.evidence.samples import check_samples
from leakage.pictures.image_sets import check_choice
from leakage.schemes import Scheme, get_scheme
from leakage.schemes.base import Keying

#: The five axes, and what an entry that is only a word names.
AXES = {"images": "source", "schemes": "name", "embeddings": "rung", "estimators": "method"}
SEEDS = "seeds"
#: The embedding that is none: the samples themselves.
PIXELS = "pixels"
DEFAULTS: dict[str, dict[str, object]] = {
    "images": {"size": 64, "count": None, "mode": "gray", "seed": 0},
    "schemes": {"keying": "fresh", "key": 0},
    "embeddings": {"model": "efficientnet_lite0", "device": "auto", "precision": "float32"},
    "estimators": {},
}
#: What a study itself gives to an estimator.
_GIVEN = {"x", "y", "batches", "method", "groups", "seed"}


@dataclass(frozen=True)
class Cell:
    """One combination of settings, each of them plain data."""

    images: dict
    scheme: dict
    embedding: dict
    estimator: dict
    seed: int

    def columns(self) -> dict[str, object]:
        """The settings as columns of a table; lists and mappings as JSON text."""
        found = {
            f"{axis}.{name}": json.dumps(value) if isinstance(value, list | dict) else value
            for axis in ("images", "scheme", "embedding", "estimator")
            for name, value in getattr(self, axis).items()
        }
        return found | {"seed": self.seed}


def read_grid(file: str | Path) -> object:
    """The grid in a file: JSON, or YAML where its name ends in .yaml or .yml.

    Raises
    ------
    ValueError
        No such file, or one that cannot be read as what its name says.
    """
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"no file {str(file)!r} (looked in {Path.cwd()})")
    text = path.read_text(encoding="utf8")
    if path.suffix.lower() not in (".yaml", ".yml"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}; YAML needs the suffix .yaml") from None
    try:
        import yaml
    except ImportError:
        raise ValueError(
            "YAML needs PyYAML: pip install 'leakage[scale]', or write the grid as JSON"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None


def cells_of(grid: object) -> list[Cell]:
    """Every cell of a grid, in its order.

    Parameters
    ----------
    grid : mapping
        As of `leakage.study`.

    Raises
    ------
    ValueError
        All that can be known to be wrong without looking at an image, in one message.

    Examples
    --------
    >>> grid = {"images": ["photographs"], "embeddings": ["stem"], "estimators": ["canonical"],
    ...         "schemes": [{"name": "bitplane", "levels": {"bits": [1, 8]}}], "seeds": [0, 1]}
    >>> [(cell.scheme["bits"], cell.seed) for cell in cells_of(grid)]
    [(1, 0), (1, 1), (8, 0), (8, 1)]
    """
    if not isinstance(grid, Mapping):
        raise ValueError(f"a grid is a mapping of {', '.join([*AXES, SEEDS])}, not {grid!r}")
    problems = [
        f"{name!r} is no axis; there are {', '.join([*AXES, SEEDS])}"
        for name in grid if name not in (*AXES, SEEDS)
    ]  # fmt: skip
    axes: dict[str, list[dict]] = {}
    for axis in AXES:
        axes[axis], wrong = _levels(axis, grid.get(axis))
        problems += wrong
    seeds = grid.get(SEEDS, [0])
    if not _are_seeds(seeds):
        problems.append(f"seeds must be a list of different ints from 0, not {seeds!r}")
    if not problems:
        problems += _without_partner(axes)
    if problems:
        raise ValueError("this grid cannot be run:\n  - " + "\n  - ".join(problems))
    return [
        Cell(images, scheme, embedding, estimator, seed)
        for images, scheme, embedding, estimator in product(*axes.values())
        if _meets(embedding, estimator)
        for seed in seeds
    ]


def _levels(axis: str, entries: object) -> tuple[list[dict], list[str]]:
    """Settings of every level of every entry of an axis, and what is wrong with the others."""
    if not isinstance(entries, list | tuple) or not entries:
        return [], [f"{axis} must be a list of at least one entry, not {entries!r}"]
    found: list[dict] = []
    problems = []
    for i, entry in enumerate(entries):
        try:
            for settings in _settings(axis, entry):
                _CHECKS[axis](settings)
                if settings in found:
                    raise ValueError(f"{json.dumps(settings)} is there twice")
                found.append(settings)
        except (ValueError, TypeError) as error:
            problems.append(f"{axis}[{i}]: {error}")
    return found, problems


def _are_seeds(seeds: object) -> bool:
    if not isinstance(seeds, list | tuple) or not seeds:
        return False
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seeds)
    return whole and len(set(seeds)) == len(seeds)


def _meets(embedding: dict, estimator: dict) -> bool:
    """The pixel table is of pixels, all other estimators are of vectors."""
    return (embedding["rung"] == PIXELS) == (estimator["method"] == "pixel")


def _without_partner(axes: dict[str, list[dict]]) -> Iterator[str]:
    embeddings, estimators = axes["embeddings"], axes["estimators"]
    lonely = [
        ("embeddings", "estimators", embedding["rung"])
        for embedding in embeddings
        if not any(_meets(embedding, estimator) for estimator in estimators)
    ] + [
        ("estimators", "embeddings", estimator["method"])
        for estimator in estimators
        if not any(_meets(embedding, estimator) for embedding in embeddings)
    ]
    for axis, other, name in lonely:
        yield (
            f"{axis}: none of the {other} goes with {name!r}; the estimator 'pixel' "
            f"goes with the embedding {PIXELS!r}, every other with the others"
        )


def _settings(axis: str, entry: object) -> Iterator[dict]:
    """Every level of an entry, with defaults."""
    if isinstance(entry, str):
        entry = {AXES[axis]: entry}
    if not isinstance(entry, Mapping) or AXES[axis] not in {**entry, **entry.get("levels", {})}:
        raise ValueError(f"an entry is a word, or a mapping with {AXES[axis]!r}, not {entry!r}")
    try:
        plain = json.loads(json.dumps(dict(entry)))  # tuples become lists
    except TypeError as error:
        raise ValueError(f"is not plain data: {error}") from None
    levels = plain.pop("levels", {})
    if not isinstance(levels, dict) or not all(isinstance(v, list) and v for v in levels.values()):
        raise ValueError(f"levels must name non-empty lists of values, not {levels!r}")
    if both := sorted(set(levels) & set(plain)):
        raise ValueError(f"{both[0]!r} is given as a value and in levels")
    for values in product(*levels.values()):
        chosen = plain | dict(zip(levels, values, strict=True))
        yield {AXES[axis]: chosen[AXES[axis]]} | DEFAULTS[axis] | chosen


def _named(name: str) -> Callable[..., object]:
    found = object_named(name)
    if not callable(found):
        raise ValueError(f"{name} is neither a class nor a function")
    return found


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def scheme_of(settings: dict) -> Scheme:
    """The scheme that an entry of a grid means."""
    own = {k: _tuples(v) for k, v in settings.items() if k not in ("name", "keying", "key")}
    name = settings["name"]
    if ":" not in str(name):
        return get_scheme(name, **own)
    # a reader's own class need not be a subclass: its `encrypt` is tried before any work
    return cast("Scheme", _named(name)(**own))


def key_of(settings: dict) -> bytes:
    """The key that an entry of a grid means; a study's keys are drawn, and protect nothing."""
    return np.random.default_rng([settings["key"], 2]).bytes(16)


def estimator_of(settings: dict) -> Callable[..., Estimate]:
    """Function of x, y, groups, seed and options; of batches in place of x and y for pixels."""
    method = settings["method"]
    if ":" in str(method):
        return cast("Callable[..., Estimate]", _named(method))
    known = ("pixel", "certified", *get_args(Method))
    if method not in known:
        raise ValueError(f"no estimator {method!r}; there are {', '.join(known)}, or module:name")
    if method == "pixel":
        return pixel_mi_in_batches
    return certified_mi if method == "certified" else estimate_mi


def options_of(settings: dict) -> dict:
    """What an estimator is given beside the samples, their groups and the seed."""
    own = settings["method"] in get_args(Method)  # of estimate_mi, which is told which
    return {name: value for name, value in settings.items() if own or name != "method"}


def _check_images(settings: dict) -> None:
    _only(settings, ("source", *DEFAULTS["images"]))
    check_choice(settings["size"], settings["count"], settings["mode"])


def _check_scheme(settings: dict) -> None:
    check_one_of("keying", settings["keying"], get_args(Keying))
    if type(settings["key"]) is not int or settings["key"] < 0:
        raise ValueError(f"key must be an int from 0, the key's seed, not {settings['key']!r}")
    scheme = scheme_of(settings)
    if not callable(getattr(scheme, "encrypt", None)):
        raise ValueError(f"{settings['name']} has no method encrypt(images, key, ...)")


def _check_embedding(settings: dict) -> None:
    _only(settings, ("rung", *DEFAULTS["embeddings"]))
    # whether there is such a device is for the workers to say
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(settings["device"])):
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', not {settings['device']!r}")


def _check_estimator(settings: dict) -> None:
    parameters = inspect.signature(estimator_of(settings)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    _only(settings, ("method", *(name for name in parameters if name not in _GIVEN)))


def _only(settings: dict, known: tuple[str, ...]) -> None:
    if unknown := [name for name in settings if name not in known]:
        raise ValueError(f"no setting {unknown[0]!r}; there are {', '.join(known)}, levels")


_CHECKS = {
    "images": _check_images, "schemes": _check_scheme, "embeddings": _check_embedding,
    "estimators": _check_estimator,
}  # fmt: skip


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
            tried(label, cell.estimator, partial(_try_estimator, cell.estimator, width, groups))
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
        return self._given[label]


def _try_scheme(settings: dict, first: np.ndarray) -> None:
    key, keying = key_of(settings), settings["keying"]
    cipher = scheme_of(settings).encrypt(first, key, first_index=0, keying=keying)
    known = isinstance(cipher, np.ndarray) and cipher.dtype == np.uint8
    if not known or cipher.shape != first.shape:
        raise ValueError("encrypt must return uint8 of the shape of the images")


def _width(settings: dict, first: np.ndarray) -> int:
    """Dimensions of the vectors, 0 of pixels."""
    from leakage.vectors.embeddings import representations

    rung = settings["rung"]
    if rung == PIXELS:
        return 0
    options = {name: settings[name] for name in ("model", "precision")}
    return representations(first, [rung], cache=False, **options)[rung].shape[1]


def _try_estimator(settings: dict, width: int, groups: np.ndarray) -> None:
    method = settings["method"]
    if method not in ("certified", *get_args(Method)):
        return
    rows = np.arange(len(groups), dtype=float)[:, None]
    check_samples(rows, rows, groups, settings.get("folds", 5))
    if method == "ksg":
        columns = np.zeros((len(groups), width)) + rows
        estimate_mi(columns, columns, "ksg", groups=groups, permutations=0)
