"""The reference: every public name is described, and the built pages lead to it."""

import importlib
import inspect
import json
import sys
from functools import cache
from pathlib import Path

import pytest

import leakage

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "book" / "_ext"))
sys.path.insert(0, str(ROOT / "scripts"))

import api_reference  # noqa: E402
from check_book import Page, pages_of_toc  # noqa: E402

CHAPTERS = sorted(p.stem for p in (ROOT / "notebooks").glob("*.ipynb"))


def promised():
    """Names that must be described, written down without the help of what is tested."""
    flat = {n for n in leakage.__all__ if not inspect.ismodule(getattr(leakage, n))}
    yield from (f"leakage.{name}" for name in flat)
    for module in ("metrics", "attacks", "truth.channels", "notebook.plots"):
        module = importlib.import_module(f"leakage.{module}")
        own = (
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        )
        names = getattr(module, "__all__", None) or [n for n in own if not n.startswith("_")]
        yield from (f"{module.__name__}.{name}" for name in names)
    yield from ("leakage.notebook.claim", "leakage.notebook.players.player")
    yield from ("leakage.notebook.check_parameters", "leakage.schemes.bit_planes.BitPlane")


def test_every_public_name_is_described():
    described = {name.public for name in api_reference.names()}
    assert set(promised()) - described == set()
    assert len(described) == len(api_reference.names())


def test_whatever_a_chapter_imports_is_described():
    described = {(type(name.value), id(name.value)) for name in api_reference.names()}
    values = [
        getattr(importlib.import_module(m), n) for m, n in api_reference.imported_by_chapters()
    ]
    assert len(values) > 20
    missing = [v for v in values if not inspect.ismodule(v) and (type(v), id(v)) not in described]
    assert missing == []


def test_every_name_has_a_docstring():
    assert [name.public for name in api_reference.names() if not name.summary] == []


def test_every_name_is_on_a_page_of_the_book():
    pages = pages_of_toc()
    for page in api_reference.PAGES:
        assert f"{api_reference.FOLDER}/{page}" in pages
        text = (ROOT / api_reference.FOLDER / f"{page}.md").read_text(encoding="utf8")
        assert f"```{{api-page}} {page}\n```" in text
    shown = [name for page in api_reference.PAGES for name in api_reference.on_page(page)]
    assert sorted(name.public for name in shown) == sorted(n.public for n in api_reference.names())


def test_a_name_without_a_page_is_refused():
    with pytest.raises(LookupError, match=r"leakage\.novel\.thing is on no page: add it to PAGES"):
        _ = api_reference.Name("leakage.thing", "leakage.novel.thing", len).page


def test_imports_of_a_cell():
    code = "import leakage\nfrom leakage import metrics\nfrom leakage.attacks import fold as f\n"
    code += "from leakages import x\nfrom . import y"
    found = list(api_reference.imported_by(code))
    assert found == [("leakage", "metrics"), ("leakage.attacks", "fold")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as `embed` does", "as :py:obj:`embed <leakage.embed>` does"),
        ("see `leakage.embed`", "see :py:obj:`leakage.embed <leakage.embed>`"),
        ("of `psnr`", "of :py:obj:`psnr <leakage.metrics.psnr>`"),
        ("`bits` planes", "``bits`` planes"),
        ("`study` is a parameter here", "``study`` is a parameter here"),
        ("``code`` and :math:`x`", "``code`` and :math:`x`"),
        ("`BitPlane.mask`", ":py:obj:`BitPlane.mask <leakage.schemes.bit_planes.BitPlane.mask>`"),
    ],
)
def test_backticks_become_links_or_code(text, shown):
    assert api_reference.with_links(text, "leakage.mine", frozenset({"study"})) == shown


def test_members_and_neighbours_come_first():
    within = "leakage.schemes.Scheme.encrypt"
    target = "leakage.schemes.Scheme.decrypt"
    assert f"<{target}>" in api_reference.with_links("undone by `decrypt`", within)
    assert "``table``" in api_reference.with_links("`table`", "leakage.metrics.table")


@pytest.mark.parametrize(
    ("signature", "short"),
    [
        ("(x: ndarray, *, folds: int = 5) -> Estimate", "(x, *, folds=5)"),
        ("(*a: int, made: dict[str, ~numpy.ndarray] = <factory>)", "(*a, made=...)"),
        ("()", "()"),
    ],
)
def test_signatures_without_types(signature, short):
    assert api_reference.without_hints(signature) == short


# What follows looks at the built book.


@cache
def page(name):
    assert (SITE / "index.html").exists(), "run `make book` first"
    return Page(SITE / f"{name}.html")


def test_every_name_has_an_anchor():
    for name in api_reference.names():
        assert name.public in page(f"{api_reference.FOLDER}/{name.page}").ids, name.public


def index():
    script = (SITE / "searchindex.js").read_text(encoding="utf8")
    return json.loads(script.removeprefix("Search.setIndex(").rstrip().removesuffix(")"))


def test_the_search_finds_names():
    page("book/intro")
    found = index()
    objects = {
        f"{prefix}.{entry[4]}" for prefix, all_ in found["objects"].items() for entry in all_
    }
    missing = [n.public for n in api_reference.names() if n.public not in objects]
    assert missing == []
    documents = found["terms"]["estimate_mi"]
    documents = documents if isinstance(documents, list) else [documents]
    assert "book/api/estimators" in [found["docnames"][i] for i in documents]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_leads_to_the_reference(chapter):
    links = {link for link in page(f"notebooks/{chapter}").links if "/api/" in link}
    nb = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf8"))
    shown = [
        c
        for c in nb["cells"]
        if c["cell_type"] == "code" and "remove-input" not in c["metadata"].get("tags", [])
    ]
    code = "\n".join("".join(c["source"]) for c in shown)
    for name in api_reference.names():
        flat = name.public.count(".") == 1
        if flat and f"{name.public}(" in code:
            assert f"../{api_reference.FOLDER}/{name.page}.html#{name.public}" in links
    assert any(link.startswith(f"../{api_reference.FOLDER}/") for link in links)


def test_an_entry_leads_to_the_chapters_that_use_it():
    links = page("book/api/estimators").links
    assert any(link.startswith("../../notebooks/estimators.html#") for link in links)
