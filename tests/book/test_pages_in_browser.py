"""The built pages in a real browser, with no network: skipped without Chromium."""

import shutil
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
sys.path.insert(0, str(ROOT / "scripts"))

from check_book import pages_of_toc  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    # Playwright and the server leave sockets to the garbage collector when the session ends.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
VIEWS = {"light": ("light", 1300), "dark": ("dark", 1300), "phone": ("light", 390)}
# What axe asks in each: everything once, colours again where they differ, and all but colours where
# only the width does. Looking at colours takes most of its time.
CONTRAST = "color-contrast"
ASKED = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": [CONTRAST]}},
    "phone": {"rules": {CONTRAST: {"enabled": False}}},
}
PAGES = [*pages_of_toc(), "genindex", "search"]

# Pictures further down load only when they come near.
LOAD_ALL = "[...document.images].forEach(i => (i.loading = 'eager'))"
LOADED = "[...document.images].every(i => i.complete)"
UNLOADED = """[...document.images].filter(i => !(i.complete && i.naturalWidth > 0))
    .map(i => i.alt + ": " + i.src.slice(0, 80))"""
TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true)"
# Each formula of the source must have become a drawing, and none the picture of an error.
UNDRAWN = """[...document.querySelectorAll(".bd-article .math")]
    .filter(m => !m.querySelector("mjx-container svg") || m.querySelector("[data-mjx-error]"))
    .map(m => m.textContent.slice(0, 80))"""
# Thousands of pieces of code share a dozen colours: one of each is enough for axe, which is slow.
ONE_OF_EACH_COLOUR = """(() => {
    const seen = new Set();
    for (const piece of document.querySelectorAll(".highlight pre span"))
        if (seen.has(piece.className)) piece.replaceWith(...piece.childNodes);
        else seen.add(piece.className);
})()"""
# Text of figures is at least 9 points at 110 pixels an inch, 13.7 pixels: two thirds of it are 9.
SMALL_PRINT = """[...document.querySelectorAll(".bd-article .cell_output img[src$='.png']")]
    .filter(i => !i.closest(".frame-player") && i.clientWidth)
    .filter(i => i.clientWidth < 0.66 * i.naturalWidth)
    .map(i => `${i.clientWidth} of ${i.naturalWidth} pixels: ${i.alt.slice(0, 80)}`)"""
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
    protocol_version = "HTTP/1.1"

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
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the network cut
            ],
        )
        yield chromium
        chromium.close()


class Reader:
    """A browser page that notes whatever a reader would miss."""

    def __init__(self, browser, address, view="light", *, width=None):
        scheme, usual = VIEWS[view]
        self.asked, width = ASKED[view], width or usual
        self.context = browser.new_context(
            color_scheme=scheme, base_url=address, viewport={"width": width, "height": 1000}
        )
        self.page = self.context.new_page()
        self.trouble = []
        self.address = address
        self.page.on("request", self._request)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script error: {error}"))
        self.page.on("console", self._console)
        self.page.on("response", self._response)

    def _request(self, request):
        if not request.url.startswith((self.address, "data:")):
            self.trouble.append(f"asks another site: {request.url}")

    def _console(self, message):
        if message.type == "error":
            self.trouble.append(f"console: {message.text}")

    def _response(self, response):
        if response.status >= 400:
            self.trouble.append(f"{response.status}: {response.url}")

    def open(self, name):
        """Go to a page and wait until it is whole."""
        self.trouble.clear()
        self.page.goto(f"{name}.html", wait_until="load")
        self.page.evaluate(LOAD_ALL)
        self.page.wait_for_function(LOADED, timeout=10_000)
        if self.page.evaluate("document.querySelector('.bd-article .math') !== null"):
            self.page.wait_for_function(TYPESET, timeout=20_000)


@pytest.fixture(scope="module", params=VIEWS)
def reader(request, browser, address):
    reader = Reader(browser, address, request.param)
    yield reader
    reader.context.close()


@pytest.fixture
def wide(browser, address):
    reader = Reader(browser, address)
    yield reader
    reader.context.close()


def violations(page, asked):
    """What axe-core finds of what it is asked, one line an element."""
    page.evaluate(ONE_OF_EACH_COLOUR)
    # It must not load the style sheets a second time: their relative addresses would be wrong.
    found = Axe().run(page, options={"preload": False} | asked).response["violations"]
    return [f"{v['id']}: {n['target']} {n['html'][:200]}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("name", PAGES)
def test_page(reader, name):
    reader.open(name)
    found = {
        "images not loaded": reader.page.evaluate(UNLOADED),
        "formulas not drawn": reader.page.evaluate(UNDRAWN),
        "text below 9 pixels": reader.page.evaluate(SMALL_PRINT),
        "too wide": reader.page.evaluate(TOO_WIDE),
        "axe": violations(reader.page, reader.asked),
        "trouble": list(reader.trouble),
    }
    assert not {what: where for what, where in found.items() if where}


def test_mistakes_are_seen(wide):
    """Else that none is found would mean nothing."""
    page = wide.page
    wide.open("book/notation")
    assert page.locator("mjx-container svg").count() > 10
    assert page.locator("mjx-container mjx-assistive-mml").count() > 10
    page.locator("mjx-container").first.evaluate("formula => formula.remove()")
    assert len(page.evaluate(UNDRAWN)) == 1
    page.evaluate("""document.querySelector(".bd-article").innerHTML =
        '<h1>Bad</h1><img src="https://example.org/x.png"><p style="color: #bbb">pale</p>' +
        '<div style="width: 2000px">wide</div>'""")
    page.wait_for_function(LOADED, timeout=10_000)
    assert page.evaluate(UNLOADED)
    assert "DIV " in page.evaluate(TOO_WIDE)
    seen = {
        view: {line.split(":")[0] for line in violations(page, asked)}
        for view, asked in ASKED.items()
    }
    both = {"image-alt", CONTRAST}
    assert seen == {"light": both, "dark": {CONTRAST}, "phone": {"image-alt"}}
    assert "asks another site: https://example.org/x.png" in wide.trouble


def test_search_finds_a_term(wide):
    """By keyboard, as far as the page that was looked for."""
    wide.open("book/intro")
    wide.page.keyboard.press("Control+k")
    wide.page.keyboard.type("kerckhoffs")
    wide.page.keyboard.press("Enter")
    hit = wide.page.locator("#search-results li a[href*='book/threat-model']").first
    hit.wait_for(timeout=10_000)
    hit.click()
    wide.page.wait_for_url("**/book/threat-model.html**")
    assert wide.trouble == []


def test_print_shows_the_text_and_nothing_else(browser, address):
    """On paper nothing can be opened, so that all is shown, black on white."""
    reader = Reader(browser, address, "dark", width=800)
    reader.open("notebooks/encryption")
    folded = reader.page.locator(".bd-article details > p")
    assert folded.count() >= 3
    assert not any(p.is_visible() for p in folded.all())
    reader.page.emulate_media(media="print")
    # The page is told of the paper a moment later.
    reader.page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert all(p.is_visible() for p in folded.all())
    for left_out in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article"):
        assert not any(e.is_visible() for e in reader.page.locator(left_out).all()), left_out
    assert reader.page.evaluate(TOO_WIDE) == []
    reader.context.close()


def test_on_paper_a_player_is_a_film_strip(browser, address):
    reader = Reader(browser, address, "light", width=800)
    reader.open("notebooks/comparison")
    frames = reader.page.locator(".frame-player figure")
    assert frames.count() > 2
    assert sum(frame.is_visible() for frame in frames.all()) == 1
    reader.page.emulate_media(media="print")
    assert all(frame.is_visible() for frame in frames.all())
    assert not any(box.is_visible() for box in reader.page.locator(".frame-player .controls").all())
    reader.context.close()
