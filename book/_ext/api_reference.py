"""Local Sphinx extension: the reference of the package, written from its docstrings.

What belongs to it is looked up and not listed, so that a new name appears by itself: whatever
`leakage` and its sub-packages name in `__all__`, whatever a chapter imports, every scheme, and the
types that all of these take or return. `PAGES` alone says on which page a name goes: on that of the
longest path which the place of its definition begins with.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from docutils import nodes
from docutils.statemachine import StringList
from numpydoc.xref import DEFAULT_LINKS
from sphinx import addnodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

PACKAGE = "leakage"
#: Of each page, the beginnings of the paths that belong to it.
PAGES = {
    "index": ("leakage.estimate", "leakage.__version__"),
    "pictures": ("leakage.pictures",),
    "schemes": ("leakage.schemes",),
    "vectors": ("leakage.vectors",),
    "estimators": ("leakage.estimators", "leakage.evidence"),
    "truth": ("leakage.truth",),
    "metrics": ("leakage.metrics",),
    "attacks": ("leakage.attacks",),
    "audits": ("leakage.audits",),
    "studies": ("leakage.studies",),
    "notebook": ("leakage.notebook",),
}
FOLDER = "book/api"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@dataclass(frozen=True)
class Name:
    """A public name: as users write it, where it is defined, and what it means."""

    public: str
    home: str
    value: Any

    @property
    def kind(self) -> str:
        if inspect.isclass(self.value):
            return "class"
        return "function" if inspect.isroutine(self.value) else "data"

    @property
    def page(self) -> str:
        """Where it is described."""
        fits = [
            (len(path), page)
            for page, paths in PAGES.items()
            for path in paths
            if f"{self.home}.".startswith(f"{path}.")
        ]
        if not fits:
            raise LookupError(f"{self.home} is on no page: add it to PAGES in {__file__}")
        return max(fits)[1]

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring; of a constant, of the comment above it."""
        if self.kind == "data":
            module, _, name = self.home.rpartition(".")
            comments = ModuleAnalyzer.for_module(module).find_attr_docs()
            text = "\n".join(comments.get(("", name), ()))
        else:
            text = inspect.getdoc(self.value) or ""
        return " ".join(text.split("\n\n")[0].split())


def _home(module: str, name: str, value: Any) -> str:
    own = getattr(value, "__qualname__", "<")
    # a constant does not know its place, nor does a function made by another one
    return f"{module}.{name}" if "<" in own else f"{value.__module__}.{own}"


def _get(module: str, name: str) -> Any:
    """What `from module import name` gives: an attribute, else a module not imported yet."""
    value = getattr(import_module(module), name, None)
    return import_module(f"{module}.{name}") if value is None else value


def _offered(module: ModuleType) -> list[str]:
    """Its `__all__`; without one, the functions and classes that it defines itself."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isroutine(value))
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def imported_by(source: str) -> Iterator[tuple[str, str]]:
    """Pairs of a module of the package and a name that Python code imports from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}."):
            yield from ((node.module, alias.name) for alias in node.names)


def imported_by_chapters(folder: Path = NOTEBOOKS) -> list[tuple[str, str]]:
    """The same for all notebooks of a folder."""
    found = []
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
            source = "".join(cell["source"])
            # a cell with a magic is no Python; the one that there is imports nothing of ours
            if cell["cell_type"] == "code" and not re.search(r"^\s*[%!]", source, re.MULTILINE):
                found += imported_by(source)
    return list(dict.fromkeys(found))


def _classes(hint: Any) -> Iterator[type]:
    """Classes of the package that a type hint is made of."""
    if inspect.isclass(hint) and hint.__module__.split(".")[0] == PACKAGE:
        yield hint
    for part in get_args(hint):
        yield from _classes(part)


def _types(value: Any) -> Iterator[type]:
    """Classes of the package that a function takes or returns, or a class holds."""
    parts = [value]
    if inspect.isclass(value):
        parts += [part for name, part in vars(value).items() if not name.startswith("_")]
    for part in parts:
        if inspect.isfunction(part) or inspect.isclass(part):
            try:
                hints = get_type_hints(part).values()
            except NameError:  # a type imported for type checkers alone
                continue
            found = (kind for hint in hints for kind in _classes(hint))
            yield from (kind for kind in found if not kind.__name__.startswith("_"))


@cache
def names() -> tuple[Name, ...]:
    """All that the reference describes, each thing once, under the first of these names."""
    found: dict[str, Name] = {}
    for module, name in _named():
        value = _get(module, name)
        offered = _offered(value) if inspect.ismodule(value) else [name]
        where = value.__name__ if inspect.ismodule(value) else module
        for one in offered:
            value = _get(where, one)
            home = _home(where, one, value)
            found.setdefault(home, Name(f"{where}.{one}", home, value))
    todo = list(found.values())
    while todo:  # and whatever these take or return
        for kind in _types(todo.pop().value):
            home = _home(kind.__module__, kind.__name__, kind)
            if home not in found:
                found[home] = Name(home, home, kind)
                todo.append(found[home])
    return tuple(found.values())


def _named() -> Iterator[tuple[str, str]]:
    """Module and name of all that is public or used by a chapter, the shorter names first."""
    package = import_module(PACKAGE)
    for name in package.__all__:
        if not inspect.ismodule(_get(PACKAGE, name)):
            yield PACKAGE, name
    for file in sorted(Path(package.__file__).parent.glob("*/__init__.py")):
        room = import_module(f"{PACKAGE}.{file.parent.name}")
        for name in getattr(room, "__all__", ()):
            yield room.__name__, name
    yield from imported_by_chapters()
    for scheme in import_module(f"{PACKAGE}.schemes.registry")._SCHEMES.values():
        yield scheme.__module__, scheme.__name__


def on_page(page: str) -> list[Name]:
    """What a page describes, in order."""
    return [name for name in names() if name.page == page]


def members(kind: type) -> list[str]:
    """Methods and properties with a docstring of their own: those that a class is shown with."""
    return [
        name
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and isinstance(member, property | staticmethod | classmethod | type(members))
        and member.__doc__
    ]


@cache
def _targets() -> dict[str, str]:
    """Whatever a docstring may call a thing, to the name that the reference has it under."""
    found: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    for name in names():
        paths = [name.public]
        if name.kind == "class":
            paths += [f"{name.public}.{member}" for member in members(name.value)]
        for path in paths:
            found[path] = found[path.replace(name.public, name.home)] = path
            parts = path.removeprefix(f"{PACKAGE}.").split(".")
            # a member goes by its name alone only near its class: `bits` is many things
            for i in range(len(parts) - (path != name.public)):
                short.setdefault(".".join(parts[i:]), set()).add(path)
    # a short name means what `leakage` itself offers, or the only thing of that name
    for text, paths in short.items():
        flat = f"{PACKAGE}.{text}"
        if flat in paths or len(paths) == 1:
            found.setdefault(text, flat if flat in paths else next(iter(paths)))
    return found


def _parameters(value: Any) -> frozenset[str]:
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return frozenset()
    try:
        return frozenset(inspect.signature(value).parameters)
    except ValueError:  # a builtin
        return frozenset()


def with_links(text: str, within: str = "", own: frozenset[str] = frozenset()) -> str:
    """Single backticks of a docstring, as links where they name something here, else as code.

    `within` is what the docstring belongs to, of which members and neighbours come first; `own` are
    its parameters, which are never links.
    """
    targets = _targets()
    around = within.split(".")

    def role(match: re.Match) -> str:
        name = match[1]
        near = (".".join([*around[:i], name]) for i in range(len(around), 0, -1))
        target = next((targets[path] for path in (*near, name) if path in targets), None)
        if name in own or target in (None, within):
            return f"``{name}``"
        return f":py:obj:`{name} <{target}>`"

    # not double backticks, and nothing that has a role before it or is a link
    return re.sub(r"(?<![`:\w\\])`([^`\n<>]+)`(?![`_])", role, text)


def page_source(page: str) -> list[str]:
    """reStructuredText of a page: a table of its names, then each with its docstring."""
    lines = [".. list-table::", "   :class: api-summary", "   :widths: auto", ""]
    entries = []
    for name in on_page(page):
        shown = name.public.removeprefix(f"{PACKAGE}.").removeprefix(f"{page}.")
        lines += [
            f"   * - :py:obj:`{shown} <{name.public}>`",
            f"     - {with_links(name.summary, name.public, _parameters(name.value))}",
        ]
        entries += ["", f".. auto{name.kind}:: {name.public}"]
        if name.kind == "class" and members(name.value):
            entries += [f"   :members: {', '.join(members(name.value))}"]
        if name.kind == "data":
            entries += ["   :no-value:"]
    return [*lines, *entries, ""]


def without_hints(signature: str) -> str:
    """A signature without its types."""
    # a default that cannot be written down stands between angle brackets
    function = ast.parse(f"def f{re.sub('<[^<>]*>', '...', signature)}: ...").body[0]
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"({ast.unparse(function.args)})"


def _link_docstring(app, what, name, value, options, lines):
    own = _parameters(value)
    for i, line in enumerate(lines):
        if re.match(r"[\w*, ]+ : ", line):  # choices are code, whose quotes must not get curly
            line = re.sub(r'(?<!`)"[^"`]*"', r"``\g<0>``", line)
        if not line.lstrip().startswith((">>>", "...")):
            lines[i] = with_links(line, name, own)


def _shorten_signature(app, what, name, value, options, signature, returned):
    if getattr(getattr(value, "__init__", None), "__module__", PACKAGE).split(".")[0] != PACKAGE:
        return "", None  # how to make one is inherited from another project
    # where a docstring describes parameters, it has their types too, with shapes, which hints lack
    if signature and re.search(r"^\s*(Parameters|Attributes)\n\s*--", value.__doc__ or "", re.M):
        return without_hints(signature), None
    return None


def _tell_others(app, config):
    # numpydoc would link str and ndarray to the documentation of Python and NumPy, for which it
    # would have to be online; standing for themselves, they stay text
    types = {name.public.split(".")[-1]: name.public for name in names() if name.kind == "class"}
    config.numpydoc_xref_aliases = {word: word for word in DEFAULT_LINKS} | types
    config.numpydoc_xref_ignore = "all"  # of any other word
    # chapters may import a thing from where it is defined
    config.codeautolink_inventory_map = {name.home: name.public for name in names()}


def _say_where_used(app, doctree, docname):
    """Below each entry, the chapters whose code has it, as sphinx_codeautolink has found out."""
    if Path(docname).parent != Path(FOLDER):
        return
    read = getattr(app.env, "sphinx_codeautolink_transforms", {})  # none where no HTML is written
    used: dict[str, dict[str, str]] = {}  # of each name: chapters, in order, and where in them
    for chapter in app.env.collect_relations():
        for block in read.get(chapter, ()) if chapter.startswith(f"{NOTEBOOKS.name}/") else ():
            for name in block.names:
                places = used.setdefault(name.resolved_location, {})
                places.setdefault(chapter, block.example.ref_id or "")
    for entry in doctree.findall(addnodes.desc):
        places = used.get(entry[0]["ids"][0] if entry[0]["ids"] else "", {})
        line = nodes.paragraph(classes=["api-used"])
        for i, (chapter, where) in enumerate(places.items()):
            line += nodes.Text(", " if i else "Used in ")
            address = f"{app.builder.get_relative_uri(docname, chapter)}#{where}"
            title = app.env.titles[chapter].astext()
            line += nodes.reference("", title, internal=True, refuri=address)
        if places:
            entry[-1] += line


class ApiPage(SphinxDirective):
    """Everything on one page of the reference: ``{api-page} metrics``."""

    required_arguments = 1

    def run(self):
        # pages are Markdown and docstrings are not
        source = ["````{eval-rst}", *page_source(self.arguments[0]), "````"]
        box = nodes.Element()
        self.state.nested_parse(StringList(source, self.env.docname), self.content_offset, box)
        return box.children


def setup(app):
    app.add_directive("api-page", ApiPage)
    app.connect("config-inited", _tell_others, priority=400)  # before numpydoc reads it
    app.connect("autodoc-process-docstring", _link_docstring, priority=400)  # before it is parsed
    app.connect("autodoc-process-signature", _shorten_signature)
    app.connect("doctree-resolved", _say_where_used)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
