"""Checks of a notebook's parameters, in the cell after the one tagged `parameters`.

papermill only logs a parameter that a notebook does not have, and does not look at types. Here
both are errors, short and all at once.
"""

import difflib
from collections.abc import Callable, Collection, Mapping

#: What a parameter may be: one of these, whatever a function says yes to, or anything.
Allowed = range | Collection[object] | Callable[..., bool] | None

# names that IPython puts into a notebook's globals
_SHELL = {"In", "Out", "exit", "quit", "open", "get_ipython"}


class ParameterError(ValueError):
    """Bad notebook parameters; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"ParameterError: {self}"]


def _describe(rule: Collection[object]) -> str:
    if isinstance(rule, range):
        return f"{rule.start} to {rule[-1]}"
    return ", ".join(map(repr, rule))


def _problem(value: object, kind: type, rule: Allowed) -> str | None:
    """What is wrong with one value, None if nothing is."""
    accepted = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if isinstance(value, bool) and kind is not bool:
        accepted = False
    if not accepted:
        return f"expected {kind.__name__}, got {type(value).__name__} ({value!r})"
    if rule is None:
        return None
    if callable(rule):
        return None if rule(value) else f"{value!r} is out of range"
    if isinstance(value, list):
        if not value:
            return "is an empty list"
        wrong = [v for v in value if isinstance(v, bool) or v not in rule]
        return f"{wrong!r} not among {_describe(rule)}" if wrong else None
    if value in rule:
        return None
    words = [word for word in rule if isinstance(word, str)]
    close = isinstance(value, str) and difflib.get_close_matches(value, words, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{value!r} is not one of {_describe(rule)}{hint}"


def check_parameters(namespace: Mapping[str, object], **rules: tuple[type, Allowed]) -> None:
    """Refuse unknown, missing, mistyped and out-of-range parameters, all in one error.

    Parameters
    ----------
    namespace : mapping
        The notebook's ``globals()``. Call this before any other plain value is assigned there:
        every number, string, list or dict that has no rule counts as an unknown parameter.
    **rules : (type, allowed)
        `allowed` is a range, a collection of choices, a predicate, or None for anything. For a
        list it holds for the elements.

    Raises
    ------
    ParameterError
        Names every bad parameter.

    Examples
    --------
    >>> check_parameters({"bits": 3}, bits=(int, range(9)))
    >>> check_parameters({"bits": 9}, bits=(int, range(9)))
    Traceback (most recent call last):
    leakage.notebook.parameters.ParameterError: bad notebook parameters
      - bits: 9 is not one of 0 to 8
    """
    problems = []
    for name, value in namespace.items():
        known = name.startswith("_") or name in _SHELL or name in rules
        if known or not isinstance(value, bool | int | float | str | list | dict):
            continue
        close = difflib.get_close_matches(name, rules, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(rules)}"
        problems.append(f"{name}: unknown parameter; {hint}")
    for name, (kind, rule) in rules.items():
        problem = "is missing" if name not in namespace else _problem(namespace[name], kind, rule)
        if problem:
            problems.append(f"{name}: {problem}")
    if problems:
        raise ParameterError("bad notebook parameters\n  - " + "\n  - ".join(problems))
