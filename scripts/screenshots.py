"""Pictures of every page of the built book, for human eyes: light, dark and as wide as a phone.

`python scripts/screenshots.py [folder]`, with playwright and a Chromium of the system's own.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from check_book import pages_of_toc
from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
VIEWS = {"light": ("light", 1300), "dark": ("dark", 1300), "phone": ("light", 390)}


def main(folder: str = "_build/screenshots") -> int:
    """Write folder/PAGE-VIEW.png for every page and view."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("No Chromium found. On Debian: apt-get install chromium", file=sys.stderr)
        return 1
    if not (SITE / "index.html").exists():
        print("run `make book` first", file=sys.stderr)
        return 1
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for view, (scheme, width) in VIEWS.items():
            page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 1000})
            for name in pages_of_toc():
                page.goto((SITE / f"{name}.html").as_uri(), wait_until="load")
                page.wait_for_timeout(500)  # formulas and widgets draw after the load event
                page.screenshot(path=out / f"{Path(name).name}-{view}.png", full_page=True)
        browser.close()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
