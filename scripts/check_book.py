"""Check a built book, without a network: `python scripts/check_book.py _build/html`.

Sphinx checks what it writes from Markdown. This looks at what readers get: every page there, every
internal link and anchor, every picture described, nothing loaded from elsewhere, and no error,
failed claim or stray repr on show.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOC = Path(__file__).resolve().parents[1] / "_toc.yml"
ERRORS = ("Traceback (most recent call last)", "CellExecutionError")
FAILED_CLAIM = "✗ "  # as leakage.notebook.sentences.claim prints it
REPRS = ("<Figure size", "<IPython", "<matplotlib", "<Axes:", "VBox(children", "HBox(children")
SHOWN = (*ERRORS, *REPRS, FAILED_CLAIM)
LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "icon"}  # values of rel
OUTPUT_BOXES = {"stderr": "output on stderr", "traceback": "a traceback"}


class Page(HTMLParser):
    """What the checks need of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.without_alt: list[str] = []
        self.elsewhere: list[str] = []
        self.classes: set[str] = set()
        self._text: list[str] = []
        self._skip = False
        self._example = False
        self.feed(path.read_text(encoding="utf8"))
        self.text = "".join(self._text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {key: value or "" for key, value in attrs}
        self.ids.update(v for key in ("id", "name") if (v := a.get(key)))
        self.links += [v for key in ("href", "src") if (v := a.get(key))]
        self.classes.update(a.get("class", "").split())
        if tag == "img" and not a.get("alt", "").strip():
            self.without_alt.append(a.get("src", "")[:60])
        loaded = a.get("src", "")
        if tag == "link" and LOADED_LINKS & set(a.get("rel", "").split()):
            loaded = a.get("href", "")
        if urlsplit(loaded).netloc:
            self.elsewhere.append(loaded)
        self._skip = tag in ("script", "style")
        # the reference shows examples of docstrings, which may end in an error on purpose
        self._example |= "doctest" in a.get("class", "").split()

    def handle_endtag(self, tag: str) -> None:
        self._skip = False
        self._example &= tag != "pre"

    def handle_data(self, data: str) -> None:
        if not self._skip and not self._example:
            self._text.append(data)


def pages_of_toc(toc: Path = TOC) -> list[str]:
    """The pages that a table of contents names, without suffix, the root first."""

    def files(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for part in node:
                yield from files(part)
        elif isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            for key in ("parts", "chapters", "sections"):
                yield from files(node.get(key))

    return list(files(yaml.safe_load(toc.read_text(encoding="utf8"))))


def read_pages(root: Path) -> dict[Path, Page]:
    """Every page below `root`, but the templates among a theme's static files."""
    found = sorted(f for f in root.rglob("*.html") if "_static" not in f.relative_to(root).parts)
    return {f: Page(f) for f in found}


def broken_links(root: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Links within the book that lead to no file or no anchor."""
    for file, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if target.is_dir():
                target /= "index.html"
            where = f"{file.relative_to(root)}: {link}"
            known = pages[target].ids | {""} if target in pages else None
            if not target.is_relative_to(root) or not target.exists():
                yield f"{where}: no such file"
            elif known is not None and unquote(url.fragment) not in known:
                yield f"{where}: no such anchor"


def bad_content(root: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Pictures without a description, and what readers should not see."""
    for file, page in pages.items():
        where = file.relative_to(root)
        yield from (f"{where}: image without alt text: {src}" for src in page.without_alt)
        yield from (f"{where}: loads from elsewhere: {url}" for url in page.elsewhere)
        yield from (f"{where}: shows {text!r}" for text in SHOWN if text in page.text)
        yield from (f"{where}: {why}" for c, why in OUTPUT_BOXES.items() if c in page.classes)


def problems(root: str | Path, names: list[str]) -> list[str]:
    """All that is wrong with the book built in `root`, which should have the pages `names`."""
    root = Path(root).resolve()
    missing = [f"{n}.html: no such page" for n in names if not (root / f"{n}.html").is_file()]
    pages = read_pages(root)
    return [*missing, *broken_links(root, pages), *bad_content(root, pages)]


def main(root: str = "_build/html") -> int:
    """Print what is wrong; 1 if anything is."""
    names = pages_of_toc()
    found = problems(root, names)
    print(f"{root}: {len(names)} pages in the table of contents, {len(found)} problems")
    for problem in found:
        print(f"  {problem}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
