"""Print the book as one PDF with an outline: `python scripts/pdf.py SITE FILE`.

The first argument is what `jupyter-book build . --builder singlehtml` wrote. Needs playwright and a
Chromium of the system's own.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

MARGINS = dict.fromkeys(("left", "right"), "18mm") | dict.fromkeys(("top", "bottom"), "16mm")
# The page alone, without the site around it. Folded code is left out: paper does not unfold, and
# the site's own script would open it at print, blank. Folded solutions are opened.
PRINT = """
.bd-sidebar, .bd-header, .bd-header-article, .bd-footer, .prev-next-footer, .search-button,
.header-article-items, #pst-skip-link, .skip-link, button, .admonition.toggle > .toggle-button
  { display: none !important; }
.bd-main, .bd-content, .bd-article, .bd-article-container, .bd-container, .bd-container__inner
  { max-width: none !important; width: 100% !important; padding: 0 !important;
    margin: 0 !important; }
details.hide { display: none !important; }
section > section > h1 { break-before: page; }
figure, tr, .cell_output img { break-inside: avoid; }
pre, div.highlight { break-inside: auto !important; }
html { font-size: 12px !important; }
"""


def main(site: str = "_build/singlehtml", target: str = "_build/book.pdf") -> int:
    """Write `target`; 1 where there is nothing to print, or nothing to print it with."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("No Chromium found. On Debian: apt-get install chromium", file=sys.stderr)
        return 1
    source = Path(site, "book", "intro.html")
    if not source.exists():
        print("run `make pdf`, which makes the pages first", file=sys.stderr)
        return 1
    page_file = Path(site, "whole.html").resolve()  # styles are looked for beside the page
    shutil.copy(source, page_file)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        page.goto(page_file.as_uri(), wait_until="load")
        page.evaluate("document.querySelectorAll('details:not(.hide)').forEach(d => d.open = true)")
        page.wait_for_function("!window.MathJax || MathJax.startup.promise.then(() => true)")
        page.add_style_tag(content=PRINT)
        page.pdf(
            path=target, format="A4", margin=MARGINS, outline=True, tagged=True,
            print_background=True, display_header_footer=True, header_template="<span></span>",
            footer_template='<div style="width:100%;text-align:center;font-size:8px">'
                            '<span class="pageNumber"></span></div>',
        )  # fmt: skip
        browser.close()
    print(f"{target}: {Path(target).stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
