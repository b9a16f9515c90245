"""Docstrings of every public name, against numpydoc's rules: `python scripts/check_docstrings.py`.

Public are the names of `leakage` and of its sub-packages `metrics` and `attacks`. Each must say
what it takes, what it returns and show an example that runs (the examples run with the tests).
"""

import inspect
import sys

from numpydoc.validate import validate

import leakage

#: Sub-packages whose own names are public too.
ROOMS = ("metrics", "attacks")
#: Rules of numpydoc that are not ours: where the first and the last line stand (GL01 to GL03),
#: sections that most functions do not need (ES01, SA01), a type for each of several arguments that
#: are "as of" another function (PR04), a full stop after a choice of words (PR09), and verbs in the
#: imperative (SS05), which takes every noun in -s for a verb.
NOT_OURS = {"GL01", "GL02", "GL03", "ES01", "SA01", "PR04", "PR09", "SS05"}


def public_names() -> list[str]:
    """Dotted names of all public functions and classes."""
    found = [f"leakage.{name}" for name in leakage.__all__ if name != "__version__"]
    found += [f"leakage.{room}.{name}" for room in ROOMS for name in getattr(leakage, room).__all__]
    return [name for name in found if not inspect.ismodule(_object(name))]


def _object(name: str) -> object:
    found = leakage
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def problems(name: str) -> list[str]:
    """What is wrong with the docstring of one public name, a line each."""
    # a dataclass describes its fields under "Attributes", where numpydoc looks for parameters
    waived = NOT_OURS | ({"PR01"} if inspect.isclass(_object(name)) else set())
    found = validate(name)["errors"]
    return [f"{name}: {code} {text}" for code, text in found if code not in waived]


def main() -> int:
    """Print every problem; 1 if there is one."""
    found = [problem for name in public_names() for problem in problems(name)]
    print("\n".join(found) or f"{len(public_names())} public names, all documented")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
