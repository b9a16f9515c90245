"""Checks of a notebook's parameters, in the cell after the one tagged `parameters`.

papermill only logs a parameter that a notebook does not have, and does not look at types. Here
both are errors, short and all at once.
"""

import ast
import difflib
from collections.abc import Callable, Collection, Mapping

from leakage.notebook.sentences import forget_claims

#: What a parameter may be: one of these, whatever a function says yes to, or anything.
Allowed = range | Collection[object] | Callable[..., bool] | None

# names that IPython puts into a notebook's globals
_SHELL = {"In", "Out", "exit", "quit", "open", "get_ipython"}
_HINTS: dict[tuple[type, type], str] = {
    (list, str): "papermill reads a list with -y, for instance -y '{name}: [1, 2]'",
    (str, int): "papermill reads it as text with -r {name} {value}",
    (str, float): "papermill reads it as text with -r {name} {value}",
    (str, bool): "papermill reads it as text with -r {name} {value}",
}


class ParameterError(ValueError):
    """Bad notebook parameters; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"ParameterError: {self}"]


def _describe(rule: Collection[object]) -> str:
    if isinstance(rule, range):
        return f"{rule.start} to {rule[-1]}"
    return ", ".join(map(repr, rule))


def _problem(name: str, value: object, kind: type, rule: Allowed) -> str | None:
    """What is wrong with one value, None if nothing is."""
    accepted = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if isinstance(value, bool) and kind is not bool:
        accepted = False
    if not accepted:
        hint = _HINTS.get((kind, type(value)), "").format(name=name, value=value)
        found = f"expected {kind.__name__}, got {type(value).__name__} ({value!r})"
        return f"{found}; {hint}" if hint else found
    if rule is None:
        return "is empty" if isinstance(value, str) and not value.strip() else None
    if callable(rule):
        return None if rule(value) else f"{value!r} is out of range"
    if isinstance(value, list):
        if not value:
            return "is an empty list"
        wrong = [v for v in value if not _allowed(v, rule)]
        return f"{wrong!r} not among {_describe(rule)}" if wrong else None
    if _allowed(value, rule):
        return None
    close = []
    if isinstance(value, str):  # a range may be too long to look through
        close = difflib.get_close_matches(value, [v for v in rule if isinstance(v, str)], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{value!r} is not one of {_describe(rule)}{hint}"


def _allowed(value: object, rule: Collection[object]) -> bool:
    """Whether it is one of them; 1.0 equals an integer and is none, nor is True."""
    if isinstance(value, bool):
        return value in rule and not isinstance(rule, range)
    return (isinstance(value, int) or not isinstance(rule, range)) and value in rule


def check_parameters(namespace: Mapping[str, object], **rules: tuple[type, Allowed]) -> None:
    """Refuse unknown, missing, mistyped and out-of-range parameters, all in one error.

    A chapter begins here: claims of an earlier run are forgotten.

    Parameters
    ----------
    namespace : mapping
        The notebook's ``globals()``. In a kernel, what was given are the assignments of the cells
        right before this one: the cell tagged `parameters`, and the one that papermill adds. What
        an earlier run of the notebook has left there does not count. Outside a kernel every number,
        string, list or dict that has no rule counts as an unknown parameter.
    **rules : (type, allowed)
        `allowed` is a range, a collection of choices, a predicate, or None for anything but an
        empty string. For a list it holds for the elements.

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
    forget_claims()
    given = _given(namespace, rules)
    problems = []
    for name in given:
        if name in rules:
            continue
        close = difflib.get_close_matches(name, rules, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(rules)}"
        problems.append(f"{name}: unknown parameter; {hint}")
    for name, (kind, rule) in rules.items():
        problem = "is missing" if name not in given else _problem(name, given[name], kind, rule)
        if problem:
            problems.append(f"{name}: {problem}")
    refuse(problems)


def check_picture(number: int, names: Collection[str]) -> None:
    """Refuse the number of a picture that is not there; numbers do not wrap around.

    Parameters
    ----------
    number : int
        The parameter `picture`, from 0.
    names : collection of str
        One for each picture that there is.

    Raises
    ------
    ParameterError
        Says how many there are.

    Examples
    --------
    >>> check_picture(2, ["a", "b", "c"])
    >>> check_picture(3, ["a", "b", "c"])
    Traceback (most recent call last):
    leakage.notebook.parameters.ParameterError: bad notebook parameters
      - picture: 3 is not one of 0 to 2, this source has 3 pictures of that size
    """
    if number not in range(len(names)):
        there = f"this source has {len(names)} pictures of that size"
        refuse([f"picture: {number} is not one of 0 to {len(names) - 1}, {there}"])


def refuse(problems: Collection[str]) -> None:
    """Raise a `ParameterError` that lists all of them, if there are any."""
    if problems:
        raise ParameterError("bad notebook parameters\n  - " + "\n  - ".join(problems))


def _given(namespace: Mapping[str, object], rules: Collection[str]) -> dict[str, object]:
    """Names and values of the parameters that this run was given."""
    cells = namespace.get("In")
    if not isinstance(cells, list):  # no kernel: nothing has run but what leads here
        return {
            name: value
            for name, value in namespace.items()
            if name in rules
            or (
                not (name.startswith("_") or name in _SHELL)
                and isinstance(value, bool | int | float | str | list | dict)
            )
        }
    given: list[str] = []
    for source in reversed(cells[:-1]):  # the last is the cell that calls
        names = _only_assigns(source)
        if not names:
            break
        given = names + given
    # none where a reader ran the check by itself: then what the kernel holds is meant
    return {name: namespace[name] for name in given or rules if name in namespace}


def _only_assigns(source: str) -> list[str]:
    """The names that a cell assigns if it does nothing but assign literals to names, else none."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    names = []
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets = [statement.target]
        else:
            return []
        for target in targets:
            if not isinstance(target, ast.Name) or not (
                statement.value and _is_literal(statement.value)
            ):
                return []
            names.append(target.id)
    return names


def _is_literal(node: ast.AST) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True
