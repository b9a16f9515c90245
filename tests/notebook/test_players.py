"""Players: their frames, and how they move in a browser, with scripts and without, and on paper."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from playwright import sync_api

from leakage.notebook.players import Frame, player

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
KEYS = ["uniform", "never <zero>"]


def draw(level, key):
    grey = 20 * level + (100 if key == KEYS[1] else 0)
    return Frame(np.full((8, 8), grey, np.uint8), f"grey {grey}", f"level {level}, {key}")


@pytest.fixture
def shown():
    return player(draw, {"level": range(4), "key": KEYS}, start={"level": 2})


def test_a_frame_for_every_combination(shown):
    assert [f.alt for f in shown.frames] == [
        f"grey {20 * i + j}" for i in range(4) for j in (0, 100)
    ]


def test_bundle_holds_the_page_and_the_film_strip(shown):
    bundle, _ = DisplayFormatter().format(shown)
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    strip = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))
    assert strip.shape == (2 * 12, 6 * 12, 3)
    assert [strip[1, 1 + 12 * i, 0] for i in range(6)] == [0, 100, 20, 120, 40, 140]
    assert bundle["text/plain"].splitlines()[3] == "level 1, never <zero>"
    assert "<zero>" not in bundle["text/html"]


def test_the_same_player_is_the_same_text(shown):
    again = player(draw, {"level": range(4), "key": KEYS}, start={"level": 2})
    assert again._repr_html_() == shown._repr_html_()


def test_nothing_is_fetched(shown):
    addresses = re.findall(r'(?:src|href)="([^"]{5})', shown._repr_html_())
    assert addresses == ["data:"] * 8


@pytest.mark.parametrize(
    ("controls", "start", "complaint"),
    [
        ({}, None, "needs controls"),
        ({"level": []}, None, "needs controls"),
        ({"level": [1], "key": KEYS}, {"level": 2}, "level=2 is no value"),
        ({"level": [1], "key": KEYS}, {"other": 2}, "other=2 is no value"),
    ],
)
def test_bad_controls_are_named(controls, start, complaint):
    with pytest.raises(ValueError, match=complaint):
        player(draw, controls, start)


def test_too_heavy_a_page_is_refused(rng):
    noise = rng.integers(0, 256, (900, 900, 3)).astype(np.uint8)
    heavy = player(lambda _: Frame(noise, "noise", "noise"), {"level": [1]})
    with pytest.raises(ValueError, match="cut the pictures"):
        heavy._repr_html_()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, shown, request):
    """A page with two players, opened as the test asks."""
    context = browser.new_context(**getattr(request, "param", {}))
    page = context.new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    html = shown._repr_html_()
    page.set_content(f"<!doctype html><html lang=en><title>t</title>{html}<hr>{html}")
    yield page
    context.close()
    assert [a for a in asked if not a.startswith("data:")] == []


in_browser = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def visible(page):
    return [
        (figure.locator("img").get_attribute("alt"), figure.locator("figcaption").inner_text())
        for figure in page.locator(".frame-player").first.locator("figure").all()
        if figure.is_visible()
    ]


class TestInABrowser:
    pytestmark = in_browser

    def test_moved_by_keyboard(self, opened):
        assert visible(opened) == [("grey 40", "level 2, uniform")]
        opened.keyboard.press("Tab")
        opened.keyboard.press("ArrowRight")
        assert visible(opened) == [("grey 60", "level 3, uniform")]
        opened.keyboard.press("ArrowRight")  # the end
        opened.keyboard.press("Tab")
        opened.keyboard.press("ArrowDown")
        assert visible(opened) == [("grey 160", "level 3, never <zero>")]
        opened.keyboard.press("Shift+Tab")
        opened.keyboard.press("Home")
        assert visible(opened) == [("grey 100", "level 0, never <zero>")]

    def test_names_and_values_for_screen_readers(self, opened):
        slider = opened.get_by_role("slider", name="level", exact=True).first
        assert slider.get_attribute("aria-valuetext") == "2"
        slider.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == "1"
        assert opened.locator("output").first.inner_text() == "1"
        menu = opened.get_by_role("combobox", name="key", exact=True).first
        assert menu.locator("option").all_inner_texts() == KEYS
        live = opened.locator('[aria-live="polite"]').first
        assert live.inner_text().strip() == "level 1, uniform"

    def test_players_of_one_page_do_not_move_each_other(self, opened):
        opened.get_by_role("slider").first.press("End")
        second = opened.locator(".frame-player").nth(1).locator("figure:visible figcaption")
        assert second.all_inner_texts() == ["level 2, uniform"]

    @pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True)
    def test_a_film_strip_without_scripts(self, opened):
        assert len(visible(opened)) == 8
        assert not opened.get_by_role("slider").first.is_visible()

    def test_a_film_strip_on_paper(self, opened):
        opened.emulate_media(media="print")
        assert len(visible(opened)) == 8
        assert not opened.get_by_role("slider").first.is_visible()

    @pytest.mark.parametrize("opened", [{"viewport": {"width": 320, "height": 600}}], indirect=True)
    def test_no_wider_than_a_phone(self, opened):
        assert opened.evaluate("document.documentElement.scrollWidth") <= 320

    @pytest.mark.parametrize("chapter", ["encryption", "comparison"])
    def test_in_the_book(self, browser, chapter):
        path = SITE / "notebooks" / f"{chapter}.html"
        assert path.exists(), "run `make book` first"
        page = browser.new_page()
        page.goto(path.as_uri())
        slider = page.get_by_role("slider", name="encrypted planes")
        slider.press("End")
        ((alt, text),) = visible(page)
        assert slider.get_attribute("aria-valuetext") == "8"
        assert "8" in alt
        slider.press("ArrowLeft")
        ((other_alt, other_text),) = visible(page)
        page.get_by_role("combobox").press("ArrowDown")
        ((third_alt, _),) = visible(page)
        assert len({alt, other_alt, third_alt}) == 3
        assert text != other_text
        page.close()
