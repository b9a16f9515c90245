"""What a number depends on beside its settings, and what computing it took."""

import hashlib
import inspect
import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import cast

from leakage.arguments import object_named

_LIBRARIES = ("leakage", "numpy", "scipy", "scikit-learn", "torch")


@cache
def stamp() -> dict[str, str]:
    """What a number depends on beside its settings: versions, this package's code, the machine."""
    code = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        code.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    versions = {name: version(name) for name in _LIBRARIES}
    return versions | {
        "code": code.hexdigest()[:12], "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }  # fmt: skip


def check_worker(origin: dict[str, str]) -> None:
    """Refuse to compute with other versions than those of the `stamp` that a study began with."""
    different = {k: (v, origin[k]) for k, v in stamp().items() if v != origin[k]}
    if different:
        told = ", ".join(f"{k} {here}, not {there}" for k, (here, there) in different.items())
        raise RuntimeError(f"this worker has {told}; give all the same environment")


def source_digest(name: str) -> str | None:
    """Digest of the file that defines a scheme or an estimator of the reader's own.

    Parameters
    ----------
    name : str
        ``"module:name"``; of other names the package's own digest tells enough, and this is None.
    """
    if ":" not in name:
        return None
    file = inspect.getsourcefile(cast("Callable", object_named(name)))
    if file is None:
        raise ValueError(f"{name} has no file of Python code that a result could be tied to")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def memory_mb() -> float | None:
    """Largest resident memory of this process up to now, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)
