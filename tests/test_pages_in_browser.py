"""The built pages in a real browser, with no network: skipped without Chromium."""

import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright import sync_api

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "scripts"))

from check_book import pages_of_toc  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    # Playwright and the server leave sockets to the garbage collector when the session ends.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

UNLOADED = """[...document.images].filter(i => !(i.complete && i.naturalWidth > 0))
    .map(i => i.alt + ": " + i.src.slice(0, 80))"""
# What sticks out is named, since "the page is 412 pixels wide" leaves one searching.
TOO_WIDE = """(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const boxed = e => e && e !== document.body &&
        (getComputedStyle(e).overflowX !== "visible" || boxed(e.parentElement));
    return [...document.querySelectorAll("body *")]
        .filter(e => e.getBoundingClientRect().right > width + 1 && !boxed(e.parentElement))
        .slice(0, 5).map(e => `${e.tagName} ${e.className}`).concat(["page too wide"]);
})()"""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    assert (SITE / "index.html").exists(), "run `make book` first"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(SITE)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as p:
        chromium = p.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["light", "dark"])
def page(request, browser, address):
    context = browser.new_context(color_scheme=request.param, base_url=address)
    page = context.new_page()

    def only_local(route):
        if route.request.url.startswith(address):
            route.continue_()
        else:
            route.abort()

    page.route("**/*", only_local)
    yield page
    context.close()


@pytest.mark.parametrize("name", pages_of_toc())
def test_page(page, name):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 1300, "height": 1000})
    page.goto(f"{name}.html", wait_until="load")
    # Pictures further down load only when they come near.
    page.evaluate("[...document.images].forEach(i => (i.loading = 'eager'))")
    page.wait_for_function("[...document.images].every(i => i.complete)", timeout=10_000)
    found = {"images not loaded": page.evaluate(UNLOADED)}
    for width in (1300, 400):
        page.set_viewport_size({"width": width, "height": 1000})
        found[f"wider than {width} pixels"] = page.evaluate(TOO_WIDE)
    found["script errors"] = errors
    assert not {what: where for what, where in found.items() if where}
