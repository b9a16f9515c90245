"""A study's grid: plain data, as JSON or YAML hold it, made into cells that are checked first.

Nothing of the reader's own runs here: names of code are looked for in files, and none is imported.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import get_args

from leakage.arguments import check_one_of
from leakage.pictures.image_sets import check_choice
from leakage.schemes.base import Keying
from leakage.studies.cells import OF_PIXELS, PIXELS, Cell, estimator_of, is_own, key_of, scheme_of
from leakage.studies.grid_files import extent, read_grid
from leakage.studies.own_code import check_own_name
from leakage.studies.trials import refuse

__all__ = ["PIXELS", "Cell", "cells_of", "key_of", "read_grid"]

#: The five axes, and what an entry that is only a word names.
AXES = {"images": "source", "schemes": "name", "embeddings": "rung", "estimators": "method"}
SEEDS = "seeds"
DEFAULTS: dict[str, dict[str, object]] = {
    "images": {"size": 64, "count": None, "mode": "gray", "seed": 0},
    "schemes": {"keying": "fresh", "key": 0},
    "embeddings": {"model": "efficientnet_lite0", "device": "auto", "precision": "float32"},
    "estimators": {},
}
#: Cells of one study, and values in the settings of all of them together.
MOST_CELLS, MOST_TOGETHER = 100_000, 10_000_000
#: What a study itself gives to an estimator.
_GIVEN = {"x", "y", "batches", "plain", "cipher", "method", "groups", "seed"}
#: Settings that are text, and those that are whole numbers from 0.
_TEXTS = ("source", "name", "rung", "method", "model", "device", "precision", "mode", "keying")
_WHOLE = {"images": "seed", "schemes": "key"}


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
    extent(grid)
    if not isinstance(grid, Mapping):
        raise ValueError(f"a grid is a mapping of {', '.join([*AXES, SEEDS])}, not {_short(grid)}")
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
        problems.append(f"seeds must be a list of different ints from 0, not {_short(seeds)}")
    if not problems:
        problems += _without_partner(axes)
        problems += _too_many(axes, seeds)
    refuse(problems)
    return [
        Cell(images, scheme, embedding, estimator, seed)
        for images, scheme, embedding, estimator in product(*axes.values())
        if _meets(embedding, estimator)
        for seed in seeds
    ]


def _levels(axis: str, entries: object) -> tuple[list[dict], list[str]]:
    """Settings of every level of every entry of an axis, and what is wrong with the others."""
    if not isinstance(entries, list | tuple) or not entries:
        return [], [f"{axis} must be a list of at least one entry, not {_short(entries)}"]
    found: dict[str, dict] = {}
    problems = []
    for i, entry in enumerate(entries):
        try:
            for settings in _settings(axis, entry):
                _check_types(axis, settings)
                _CHECKS[axis](settings)
                text = json.dumps(settings, sort_keys=True)
                if text in found:
                    raise ValueError(f"{_short(settings)} is there twice")
                found[text] = settings
                if len(found) > MOST_CELLS:
                    raise ValueError(f"more than {MOST_CELLS:,} entries")
        except (ValueError, TypeError) as error:
            problems.append(f"{axis}[{i}]: {error}")
    return list(found.values()), problems


def _too_many(axes: dict[str, list[dict]], seeds: list | tuple) -> Iterator[str]:
    """More cells than a study can have, counted before they are made."""
    pairs = sum(_meets(one, other) for one in axes["embeddings"] for other in axes["estimators"])
    cells = len(axes["images"]) * len(axes["schemes"]) * pairs * len(seeds)
    largest = sum(max(extent(settings) for settings in entries) for entries in axes.values())
    if cells > MOST_CELLS or cells * largest > MOST_TOGETHER:
        yield (
            f"it has {cells:,} cells; a study has at most {MOST_CELLS:,}, with {MOST_TOGETHER:,} "
            "values in all their settings together: run it as several studies into one folder"
        )


def _largest(plain: dict, levels: dict[str, list]) -> int:
    """Values in the largest entry that levels can make."""
    return extent(plain) + sum(max(map(extent, values)) for values in levels.values())


def _short(value: object) -> str:
    """What was found instead, for a message."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _are_seeds(seeds: object) -> bool:
    if not isinstance(seeds, list | tuple) or not seeds:
        return False
    whole = all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seeds)
    return whole and len(set(seeds)) == len(seeds)


def _meets(embedding: dict, estimator: dict) -> bool:
    """Samples are counted or cut into patches, all other estimators are of vectors."""
    return (embedding["rung"] == PIXELS) == (estimator["method"] in OF_PIXELS)


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
            f"{axis}: none of the {other} goes with {name!r}; the estimators "
            f"{' and '.join(map(repr, OF_PIXELS))} go with the embedding {PIXELS!r}, every other "
            "with the others"
        )


def _settings(axis: str, entry: object) -> Iterator[dict]:
    """Every level of an entry, with defaults."""
    if isinstance(entry, str):
        entry = {AXES[axis]: entry}
    if not isinstance(entry, Mapping) or not all(isinstance(name, str) for name in entry):
        raise ValueError(
            f"an entry is a word, or a mapping with {AXES[axis]!r}, not {_short(entry)}"
        )
    try:
        plain = json.loads(json.dumps(dict(entry)))  # tuples become lists
    except (TypeError, ValueError) as error:
        raise ValueError(f"is not plain data: {error}") from None
    levels = plain.pop("levels", {})
    if not isinstance(levels, dict) or not all(isinstance(v, list) and v for v in levels.values()):
        raise ValueError(f"levels must name non-empty lists of values, not {_short(levels)}")
    if AXES[axis] not in {**plain, **levels}:
        raise ValueError(
            f"an entry is a word, or a mapping with {AXES[axis]!r}, not {_short(entry)}"
        )
    count = prod(len(values) for values in levels.values())
    if count > MOST_CELLS or count * _largest(plain, levels) > MOST_TOGETHER:
        raise ValueError(
            f"its levels make {count:,} entries; a study has at most {MOST_CELLS:,} cells, with "
            f"{MOST_TOGETHER:,} values in all their settings together"
        )
    if both := sorted(set(levels) & set(plain)):
        raise ValueError(f"{both[0]!r} is given as a value and in levels")
    for values in product(*levels.values()):
        chosen = plain | dict(zip(levels, values, strict=True))
        yield {AXES[axis]: chosen[AXES[axis]]} | DEFAULTS[axis] | chosen


def _check_images(settings: dict) -> None:
    _only(settings, ("source", *DEFAULTS["images"]))
    check_choice(settings["size"], settings["count"], settings["mode"])


def _check_scheme(settings: dict) -> None:
    check_one_of("keying", settings["keying"], get_args(Keying))
    if is_own(settings["name"]):
        check_own_name(settings["name"])
    else:
        scheme_of(settings)


def _check_embedding(settings: dict) -> None:
    _only(settings, ("rung", *DEFAULTS["embeddings"]))
    if is_own(settings["model"]):
        check_own_name(settings["model"])
    # whether there is such a device is for the workers to say
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(settings["device"])):
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', not {settings['device']!r}")


def _check_estimator(settings: dict) -> None:
    if is_own(settings["method"]):
        check_own_name(settings["method"])
        return
    parameters = inspect.signature(estimator_of(settings)).parameters
    _only(settings, ("method", *(name for name in parameters if name not in _GIVEN)))
    for name in settings.keys() - {"method"}:
        value, default = settings[name], parameters[name].default
        if not _is_like(value, default):
            raise ValueError(f"{name} must be {type(default).__name__}, not {_short(value)}")


def _is_like(value: object, default: object) -> bool:
    """Whether a value is of the kind of the one that it replaces, where that has a kind."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) == isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return not isinstance(default, int | str) or isinstance(value, type(default))


def _check_types(axis: str, settings: dict) -> None:
    """Refuse words that are no text, and numbers that are not whole."""
    for name in _TEXTS:
        if name in {AXES[axis], *DEFAULTS[axis]} and not isinstance(settings[name], str):
            raise ValueError(
                f"{name} must be text, not {_short(settings[name])}; in YAML, put it in quotes"
            )
    name = _WHOLE.get(axis, "")
    value = settings.get(name, 0)
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} must be an int from 0, not {_short(value)}")


def _only(settings: dict, known: tuple[str, ...]) -> None:
    if unknown := [name for name in settings if name not in known]:
        raise ValueError(f"no setting {unknown[0]!r}; there are {', '.join(known)}, levels")


_CHECKS = {
    "images": _check_images, "schemes": _check_scheme, "embeddings": _check_embedding,
    "estimators": _check_estimator,
}  # fmt: skip
