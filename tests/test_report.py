import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from playwright import sync_api

from leakage.audit import report
from leakage.audit.findings import Audit, Finding
from leakage.estimate import Estimate

SCHEMA = json.loads(Path(report.__file__).with_name("report.schema.json").read_text())


def made_up(leaks=True) -> Audit:
    estimate = Estimate(0.5, 0.4, 0.6, 0.001, 100, "plug-in", "estimate", ("few",))
    findings = (
        Finding("structure", "clear <b> planes & more_1", leaks, "50 % of it", "Look.", None),
        Finding("embedding", "stem", leaks, "It tells.", "Find.", 0.001, estimate, "image"),
        Finding("pixel", "samples", None, "Too few.", "Give more.", 0.2,
                replace(estimate, low=None, high=None), "sample"),
    )  # fmt: skip
    metrics = pd.DataFrame(
        {"value": [7.9, math.nan, math.inf], "null_mean": [8.0, math.nan, 9.0],
         "null_sd": [0.1] * 3, "p_value": [0.3] * 3, "remark": ["", "left out", ""]},
        index=["Entropy, bit", "LPIPS", "PSNR, dB"],
    )  # fmt: skip
    settings = {"pairs": np.int64(3), "scheme": "Etc(<x>)", "seed": 0}
    pictures = {"plain": np.zeros((3, 32, 32), np.uint8), "cipher": np.ones((3, 9, 9, 3), np.uint8)}
    return Audit(leaks, "A <verdict>.", findings, 0.0, None, None, metrics, settings, pictures)


@pytest.mark.parametrize("leaks", [True, False, None])
def test_json_keeps_its_schema(leaks):
    found = report.to_dict(made_up(leaks))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json.dumps(found, allow_nan=False)), SCHEMA)
    assert found["leaks"] is leaks
    assert found["metrics"][1]["value"] is None


def test_no_bytes_in_a_report():
    with pytest.raises(ValueError, match="keys do not belong"):
        report.to_dict(replace(made_up(), settings={"key": b"0123456789abcdef"}))


def test_latex_is_escaped():
    text = report.to_latex(made_up())
    assert r"planes \& more\_1" in text
    assert r"\toprule" in text


def test_page_is_whole_and_escaped():
    page = report.to_html(made_up())
    assert "A &lt;verdict&gt;." in page
    assert "<verdict>" not in page
    assert "Etc(&lt;x&gt;)" in page
    assert "http" not in page
    assert "secure" not in page
    assert page == report.to_html(made_up())


def test_files(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    paths = made_up().save(tmp_path)
    assert set(paths) == {"report.html", "report.json", "findings.tex", "estimates.png",
                          "estimates.svg", "plain.png", "cipher.png"}  # fmt: skip
    assert (tmp_path / "kept.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == len(paths) + 1
    first = {name: path.read_bytes() for name, path in paths.items()}
    again = made_up().save(tmp_path / "new" / "folder")
    for name in set(first) - {"estimates.svg"}:
        assert again[name].read_bytes() == first[name]
    with pytest.raises(ValueError, match="is a file"):
        made_up().save(tmp_path / "kept.txt")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_in_a_browser(scheme, tmp_path):
    """Offline and on a phone: nothing asked for, nothing too wide, and enough contrast."""
    page_file = made_up().save(tmp_path)["report.html"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": 400, "height": 800}, offline=True
        )
        page = context.new_page()
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(page_file.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        colours = page.evaluate(
            "[...document.querySelectorAll('.verdict, td, th, p, figcaption')].map(e => "
            "[getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor])"
        )
        alts = page.evaluate("[...document.images].map(i => i.alt)")
        browser.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not errors
    assert width <= 400
    assert alts
    assert all(alts)
    assert min(contrast(*pair) for pair in colours) >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two CSS colours (WCAG 2.1)."""

    def luminance(colour: str) -> float:
        parts = [float(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        red, green, blue = (
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
