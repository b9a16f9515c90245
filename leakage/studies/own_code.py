"""Code of the reader's own under a name: looked for without running any of it, and imported."""

import ast
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from leakage.arguments import object_named


def check_own_name(name: str) -> None:
    """Refuse ``"module:name"`` where no such thing is.

    The module's file is found and parsed, but neither it nor the packages that it is in are
    imported. What a parse cannot tell passes: names of compiled modules, or behind ``import *``.

    Raises
    ------
    ValueError
        Not of this form, no such module, or no such name in it.

    Examples
    --------
    >>> check_own_name("antigravity:geohash")
    >>> "antigravity" in sys.modules
    False
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ValueError(f"{name!r} is not of the form 'module:name'")
    loaded = sys.modules.get(module)
    if loaded is not None:
        known = vars(loaded)
        if attribute not in known and "__getattr__" not in known:
            raise ValueError(f"cannot find {name}: module {module} has no {attribute!r}")
        return
    spec = _spec(module)
    if spec is None:
        raise ValueError(f"cannot find {name}: no module named {module!r}")
    if spec.origin is None or not spec.origin.endswith(".py"):
        return
    try:
        tree = ast.parse(Path(spec.origin).read_bytes(), spec.origin)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot find {name}: {spec.origin} is no Python: {error}") from None
    bound = {word for node in ast.walk(tree) for word in _bound(node)}
    if not bound & {attribute, "*", "__getattr__"}:
        raise ValueError(f"cannot find {name}: {spec.origin} has no {attribute!r}")


def own_object(name: str) -> object:
    """What is under ``"module:name"``, imported once it is known to be there.

    Raises
    ------
    ValueError
        There is none, or its module cannot be imported.

    Examples
    --------
    >>> own_object("math:sqrt")(9)
    3.0
    """
    check_own_name(name)
    return object_named(name)


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is; `importlib.util.find_spec` would import the packages that it is in."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        spec, within = None, None
        parts = module.split(".")
        for i in range(len(parts)):
            name = ".".join(parts[: i + 1])
            found = (finder.find_spec(name, within) for finder in sys.meta_path)
            spec = next((each for each in found if each is not None), None)
            if spec is None:
                return None
            within = spec.submodule_search_locations or []
        return spec
    finally:
        sys.path.pop(0)


def _bound(node: ast.AST) -> list[str]:
    """Names that a node of a parsed file may give a meaning."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
        case ast.Name(ctx=ast.Store()):
            return [node.id]
        case _:
            return []
