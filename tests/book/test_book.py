"""The built book, and the checker that it goes through."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "scripts"))

import check_book  # noqa: E402


def test_built_book_has_no_problems():
    assert (SITE / "index.html").exists(), "run `make book` first"
    assert check_book.problems(SITE, check_book.pages_of_toc()) == []


def test_every_notebook_is_a_chapter():
    notebooks = {f"notebooks/{f.stem}" for f in (ROOT / "notebooks").glob("*.ipynb")}
    chapters = {n for n in check_book.pages_of_toc() if n.startswith("notebooks/")}
    assert notebooks == chapters


def test_every_figure_is_shown():
    """A plotting cell whose figure got lost leaves no trace but a missing number."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        shown = [c["metadata"]["mystnb"]["figure"] for c in cells if "mystnb" in c["metadata"]]
        figures = [figure["name"] for figure in shown]
        page = (SITE / "notebooks" / f"{path.stem}.html").read_text(encoding="utf8")
        assert figures
        for name in figures:
            assert f'<figure class="align-default" id="{name}">' in page, f"{path.stem}: {name}"


def site(folder, **pages):
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(f"<!doctype html><body>{html}</body>")
    return folder


def test_a_good_site_passes(tmp_path):
    site(
        tmp_path,
        a='<h1 id="top">A</h1><a href="b.html#x%20y">b</a> <a href="#top">up</a> <a href="#">up</a>'
        '<a href="https://example.org/x">out</a> '
        '<link rel="canonical" href="https://example.org/a"> <img src="b.html" alt="b"> '
        "if a &lt; b: error",
        b='<p id="x y">B</p><script>"<Figure size"</script><div class="doctest highlight-default">'
        "<div><pre>Traceback <span>(most</span> recent call last)</pre></div></div>",
    )
    assert check_book.problems(tmp_path, ["a", "b"]) == []


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ('<a href="nowhere.html">x</a>', "a.html: nowhere.html: no such file"),
        ('<a href="../a.html">x</a>', "a.html: ../a.html: no such file"),
        ('<a href="#nowhere">x</a>', "a.html: #nowhere: no such anchor"),
        ('<a href="a.html#nowhere">x</a>', "a.html: a.html#nowhere: no such anchor"),
        ('<img src="a.html">', "a.html: image without alt text: a.html"),
        ('<img src="a.html" alt=" ">', "a.html: image without alt text: a.html"),
        (
            '<script src="https://x.org/a.js"></script>',
            "a.html: loads from elsewhere: https://x.org/a.js",
        ),
        ('<link rel="stylesheet" href="//x.org/a">', "a.html: loads from elsewhere: //x.org/a"),
        (
            "<pre><span>Traceback</span> (most recent call last)</pre>",
            "a.html: shows 'Traceback (most recent call last)'",
        ),
        ('<div class="output traceback">x</div>', "a.html: a traceback"),
        (
            '<div class="doctest"><pre>x</pre></div><pre>CellExecutionError</pre>',
            "a.html: shows 'CellExecutionError'",
        ),
        ('<div class="output stderr">x</div>', "a.html: output on stderr"),
        ("<pre>✓ two is even\n✗ one is even</pre>", "a.html: shows '✗ '"),
        ("<pre>&lt;Figure size 640x480&gt;</pre>", "a.html: shows '<Figure size'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, html, complaint):
    assert check_book.problems(site(tmp_path, a=html), ["a"]) == [complaint]


def test_a_missing_page_is_named(tmp_path):
    assert check_book.problems(tmp_path, ["book/intro"]) == ["book/intro.html: no such page"]


def test_pages_of_toc(tmp_path):
    toc = tmp_path / "_toc.yml"
    toc.write_text(
        "root: a\nparts:\n- caption: x\n  chapters:\n  - file: b\n    sections:\n    - file: c\n"
        "  - url: https://example.org\n- chapters:\n  - file: d\n"
    )
    assert check_book.pages_of_toc(toc) == ["a", "b", "c", "d"]
