"""A study's cells: one combination of settings each, and what the settings mean."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast, get_args

import numpy as np

from leakage.arguments import object_named
from leakage.estimate import Estimate
from leakage.estimators.candidates import Method
from leakage.estimators.certified import certified_mi
from leakage.estimators.cross_fitting import estimate_mi
from leakage.estimators.patches import patch_mi
from leakage.estimators.pixels import pixel_mi_in_batches
from leakage.schemes import Scheme, get_scheme

#: The embedding that is none: the samples themselves.
PIXELS = "pixels"
#: Estimators of the samples themselves.
OF_PIXELS = ("pixel", "patch")


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


def is_own(name: str) -> bool:
    """Whether a name means code of the reader's own, ``"module:name"``."""
    return ":" in name


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def scheme_of(settings: dict) -> Scheme:
    """The scheme that an entry of a grid means."""
    own = {k: _tuples(v) for k, v in settings.items() if k not in ("name", "keying", "key")}
    name = settings["name"]
    if not is_own(name):
        return get_scheme(name, **own)
    # a reader's own class need not be a subclass: its `encrypt` is tried before any work
    return cast("Scheme", cast("Callable", object_named(name))(**own))


def model_of(embedding: dict) -> str | Callable[[np.ndarray], np.ndarray]:
    """The network or function that an entry of a grid means."""
    name = embedding["model"]
    if not is_own(name):
        return name
    return cast("Callable[[np.ndarray], np.ndarray]", object_named(name))


def key_of(settings: dict) -> bytes:
    """The key that an entry of a grid means; a study's keys are drawn, and protect nothing."""
    return np.random.default_rng([settings["key"], 2]).bytes(16)


def estimator_of(settings: dict) -> Callable[..., Estimate]:
    """Function of x, y, groups, seed and options; to count pixels, of batches."""
    method = settings["method"]
    if is_own(method):
        return cast("Callable[..., Estimate]", object_named(method))
    known = (*OF_PIXELS, "certified", *get_args(Method))
    if method not in known:
        raise ValueError(f"no estimator {method!r}; there are {', '.join(known)}, or module:name")
    if method in OF_PIXELS:
        return pixel_mi_in_batches if method == "pixel" else patch_mi
    return certified_mi if method == "certified" else estimate_mi


def options_of(settings: dict) -> dict:
    """What an estimator is given beside the samples, their groups and the seed."""
    own = settings["method"] in get_args(Method)  # of estimate_mi, which is told which
    return {name: value for name, value in settings.items() if own or name != "method"}
