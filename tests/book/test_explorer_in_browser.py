"""The explorer as its readers use it: served by Voila, driven in Chromium. Skipped without it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright import sync_api

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "explorer.ipynb"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
#: Milliseconds. A kernel has to start and to import torch; two busy cores take their time.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def voila(serve, tmp_path_factory):
    """Address of a Voila server of the notebook alone."""
    log = tmp_path_factory.mktemp("voila") / "voila.log"
    with serve("voila", str(NOTEBOOK), log=log, answers="static/") as address:
        yield address


@pytest.fixture(scope="module")
def page(voila):
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1300, "height": 1600})
        page.set_default_timeout(PATIENCE)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.route(
            "**/*",
            lambda route: (
                route.continue_()
                if route.request.url.startswith((voila, "data:", "blob:"))
                else route.abort()
            ),
        )
        page.goto(voila)
        page.get_by_role("status").wait_for()
        yield page
        browser.close()


def choose_file(page, path):
    """ipywidgets keeps its file input out of the page, so this goes through the button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload an image").click()
    chooser.value.set_files(path)


def exact_bits(page):
    """The first number of the live table."""
    row = page.locator(".leakage-table tr").nth(1)
    return row.locator("th").inner_text(), float(row.locator("td").first.inner_text())


def measured(page, change):
    """Do something, wait for the new picture of the ciphertext, and return the first row."""
    live = page.locator(".leakage-pictures img")
    before = live.nth(1).get_attribute("src")
    change()
    page.wait_for_function(
        "old => { const i = document.querySelectorAll('.leakage-pictures img')[1];"
        " return i && i.src !== old && document.querySelector('.leakage-table td'); }",
        arg=before,
    )
    sync_api.expect(page.get_by_role("status")).to_have_text(re.compile(r"^measured in "))
    assert "Traceback" not in page.inner_text("body")
    return exact_bits(page)


def test_level_by_keyboard(page):
    name, two = exact_bits(page)
    assert name == "bit a sample, exact"
    slider = page.get_by_role("slider")
    _, three = measured(page, lambda: slider.press("ArrowRight"))
    assert three < two
    assert "-p level 3" in page.locator("code", has_text="papermill").last.inner_text()


def test_scheme_with_its_attack(page):
    def choose():
        page.get_by_label("scheme").select_option("public-keystream")

    _, bits = measured(page, choose)
    assert bits > 3
    assert page.get_by_alt_text("decrypted, any key, exact").is_visible()
    measured(page, lambda: page.get_by_label("scheme").select_option("bitplane"))


def test_upload(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (150, 160)).astype(np.uint8)
    path = tmp_path / "my noise.png"
    Image.fromarray(noise).save(path)

    def shown():
        return page.locator(".leakage-pictures img").first.get_attribute("src")

    photograph = shown()
    _, noisy = measured(page, lambda: choose_file(page, path))
    assert shown() != photograph
    planes = int(page.locator(".widget-readout").inner_text())
    assert noisy == pytest.approx(8 - planes, abs=0.05)  # every bit of noise is uniform
    assert "-r source 'my noise.png'" in page.inner_text("body")


def test_what_cannot_be_used_is_said(page, tmp_path):
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(path)
    choose_file(page, path)
    sync_api.expect(page.get_by_role("status")).to_contain_text("smaller than a patch")
    assert page.locator(".leakage-pictures").count() == 0
    page.get_by_label("scheme").select_option("identity")
    page.locator(".leakage-table td").first.wait_for()


def test_no_script_errors(page):
    assert page.errors == []
    assert "Traceback" not in page.inner_text("body")
