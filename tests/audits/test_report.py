import base64
import io
import json
import math
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import matplotlib
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from matplotlib import pyplot as plt
from PIL import Image
from playwright import sync_api

from leakage.audits import data, figures, writing
from leakage.audits.exposure import Exposed
from leakage.audits.findings import Finding, Limit, Power
from leakage.audits.origin import Folder, Origin
from leakage.audits.page import to_html
from leakage.audits.per_image import ImageScores
from leakage.audits.report import Audit
from leakage.estimate import FOLDS_DISAGREE, Estimate
from leakage.estimators.leak_maps import LeakMap

SCHEMA = json.loads(Path(data.__file__).with_name("report.schema.json").read_text())
NAME = "a_very_long_name_of_a_file_from_somebody" * 5 + "<script>alert('$x$')</script>&.png"
NOTHING = pd.DataFrame()
MAP = LeakMap(np.eye(3), np.eye(3) / 2, np.eye(3) > 0, np.array(0.01), 0.01, 8, 4, (16, 16), "<c>")


def found_leak() -> Audit:
    estimate = Estimate(0.5, 0.4, 0.6, 0.001, 100, "plug-in", "estimate", ("few",))
    findings = (
        Finding("structure", "clear <b> planes & more_1", True, "50 % of it.", "Look <here>."),
        Finding("embedding", "stem", True, "It tells.", "Find.", 1e-9, estimate, "image"),
        Finding("patch", "neighbours $x$", False, "Nothing.", "Find.", 0.4,
                replace(estimate, bits=-0.01, low=-0.2, high=0.1), "patch"),
        Finding("embedding", "head", False, "Unclear.", "Find.", np.float64(1),
                replace(estimate, bits=7.0, flags=(FOLDS_DISAGREE,)), "image"),
        Finding("pixel", NAME, None, "Too few.", "Give more.", math.nan,
                replace(estimate, bits=math.inf, low=None, high=None, n=np.int64(3)), "sample"),
    )  # fmt: skip
    metrics = pd.DataFrame(
        {"value": [7.9, math.nan, math.inf], "null_mean": [8.0, math.nan, -1e-15],
         "null_sd": [0.1, math.nan, 1.0], "p_value": [0.3, math.nan, 0.0],
         "remark": ["", "left out <b>", ""]},
        index=["Entropy, bit", "LPIPS", "PSNR, dB"],
    )  # fmt: skip
    settings = {
        "pairs": np.int64(3), "scheme": "Etc(<x>)", "folder": Path("here") / NAME,
        "sizes": [np.float32(1.5), (2, math.inf)], "not text": "\udcff",
    }  # fmt: skip
    noise = np.random.default_rng(0).integers(0, 256, (3, 600, 32), np.uint8)
    pictures = {
        "plain": noise, "cipher": np.ones((8, 9, 9, 3), np.uint8), 'a "<jigsaw>"': noise,
        "most exposed": noise, "most exposed, encrypted": noise,
    }  # fmt: skip
    exact = replace(estimate, kind="exact", low=None, high=None)
    scores = ImageScores(("0f" * 8,), (0,), (63,), {"bit planes": (0.5,)}, (0,))
    origin = Origin(
        "A <title>", "2026-01-02T03:04:05Z", "leakage audit '<x>' c -o r",
        (Folder("plain", "<x>", 3, "ab" * 32),), "gray, 8 bits a sample", ("A <remark>.",),
    )  # fmt: skip
    return Audit(
        True, "A <verdict>.", findings, 0.25, None, exact, metrics, settings, pictures, scores,
        origin, (Exposed(3, NAME, "<b>: 2 bits", 4.5),), (), MAP,
        (Limit(NAME, 0.1, 0.2, 0.05, 60, 0.84), Limit("knows", 0.0, 0.1, 0.01, 60, None)),
    )  # fmt: skip


def found_nothing() -> Audit:
    found = found_leak()
    findings = tuple(replace(finding, leaks=False) for finding in found.findings)
    power = (Power("pixel", None, "sample", "<b>"), Power("embedding", 0.12, "image", NAME))
    return replace(
        found, leaks=False, findings=findings, certified_bits=0.0, detectable_bits=0.12,
        exposed=(), power=power, where=None,
    )  # fmt: skip


def undecided() -> Audit:
    return Audit(None, "Too few pairs.", (), 0.0, None, None, NOTHING, {"pairs": 3})


AUDITS = {"leak": found_leak, "nothing": found_nothing, "undecided": undecided}
audits = pytest.mark.parametrize("audit", AUDITS.values(), ids=AUDITS)


@audits
def test_json_keeps_its_schema(audit):
    found = audit().to_dict()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json.dumps(found, allow_nan=False)), SCHEMA)
    assert found["leaks"] is audit().leaks
    assert len(found["findings"]) == len(audit().findings)


def test_the_schema_forbids_what_is_not_described():
    found = found_leak().to_dict()
    for wrong in ({"key": "00"}, {"leaks": "no"}, {"certified_bits": -1}, {"schema": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(found | wrong, SCHEMA)


def test_the_schema_describes_everything():
    definitions = SCHEMA["$defs"]
    without = ("exposed", "folder", "limit", "metric", "power", "scores", "where")
    objects = [SCHEMA, *(definitions[n] for n in ("finding", *without))]
    described = [field for part in objects for field in part["properties"].values()]
    for field in described:
        assert field.get("description") or "$ref" in field
    assert all("description" in definitions[n] for n in definitions if n not in without)


def test_numbers_that_json_does_not_know():
    found = found_leak().to_dict()
    assert found["metrics"][1]["value"] is None
    assert found["findings"][4]["p_value"] is None
    assert found["findings"][4]["bits"] is None
    assert found["settings"]["sizes"] == [1.5, [2, None]]
    assert found["infinite"] == [
        "/findings/4/bits is inf", "/metrics/2/value is inf", "/settings/sizes/1/1 is inf",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "secret", [b"key", bytearray(2), np.bytes_(b"key"), [{"k": b"key"}], {b"key": 0}]
)
def test_no_bytes_in_a_report(secret, tmp_path):
    audit = replace(undecided(), settings={"secret": secret})
    for render in (data.to_dict, to_html, lambda a: a.save(tmp_path / "new")):
        with pytest.raises(ValueError, match="key material does not belong"):
            render(audit)
    assert not list(tmp_path.iterdir())


def test_no_unknown_objects_in_a_report():
    with pytest.raises(TypeError, match="/settings/scheme is a object"):
        data.to_dict(replace(undecided(), settings={"scheme": object()}))


def test_latex_is_escaped():
    lines = found_leak().to_latex().splitlines()
    assert lines[1] == r"\toprule"
    assert r"structure & clear \textless{}b\textgreater{} planes \& more\_1 & yes &" in lines[4]
    assert lines[5].endswith(r"& $0.500$ [$0.400$, $0.600$] & image & $<0.001$ \\")
    assert lines[6].startswith(r"patch & neighbours \$x\$ & no & $-0.010$ [$-0.200$, $0.100$] &")
    assert "unreliable: folds disagree" in lines[7]
    assert r"alert('\$x\$')" in lines[8]
    assert "nan" not in lines[8]
    assert undecided().to_latex().splitlines()[2].startswith("Level & Finding")


class Page(HTMLParser):
    """Tags, attributes and text, and whether all that was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open and self.open[-1] != "style" else ""

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


@audits
def test_page_is_whole_and_accessible(audit):
    text = to_html(audit())
    page = Page(text)
    assert not page.open
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("h1")) == 1
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert headings == ["h1"] + ["h2"] * (len(headings) - 1)
    assert all(th.get("scope") in ("col", "row") for th in page.all("th"))
    images = page.all("img")
    assert all(image["alt"] for image in images)
    assert len({image["alt"] for image in images}) == len(images)
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "b", "x"})
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert "secure" not in text.lower()
    assert audit().verdict in page.text


def test_page_tells_what_was_found():
    text = Page(to_html(found_leak())).text
    for part in (
        "0.25 bits an image", "0.5 bits a sample", "clear <b> planes & more_1", "Look <here>.",
        "0.500 [0.400, 0.600]", "unreliable: folds disagree", NAME, "7.9", "∞", "left out <b>",
        'What an attack made of the ciphertexts: a "<jigsaw>" (one in 3 of the rows and columns)',
        "so not drawn: 2", "Here 1 of the 2 with a p-value", "no proof that there is none",
    ):  # fmt: skip
        assert part in text
    assert "7.000" not in text
    assert "0.12 bits an image" in Page(to_html(found_nothing())).text
    empty = Page(to_html(undecided())).text
    assert "No question was asked." in empty
    assert "None was computed." in empty


def test_pictures_on_the_page_are_those_of_the_audit():
    pictures = {"plain": np.arange(64, dtype=np.uint8).reshape(1, 8, 8)}
    page = Page(to_html(replace(undecided(), pictures=pictures)))
    address = page.all("img")[0]["src"].removeprefix("data:image/png;base64,")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))))
    assert np.array_equal(shown, pictures["plain"][0])


@audits
def test_text_form_is_short(audit):
    found = audit()
    found = replace(found, verdict=found.verdict + " And more." * 100)
    assert repr(found) == str(found)
    assert len(repr(found)) <= 400
    assert repr(found).startswith(audit().verdict)
    assert f"{len(found.findings)} findings" in repr(found)


def test_text_form_counts():
    assert repr(found_leak()).splitlines()[1:] == [
        "5 findings: 2 leak, 1 open, 2 not found",
        "certified: 0.25 bits an image or more, at 95 % confidence",
    ]
    assert repr(undecided()).endswith("certified: no lower bound")


@audits
def test_cell_is_whole_escaped_and_without_resources(audit):
    text = audit()._repr_html_()
    cell = Page(text)
    assert not cell.open
    assert audit().verdict in cell.text
    assert all(finding.name in cell.text for finding in audit().findings)
    assert {tag for tag, _ in cell.tags} <= {
        "div", "style", "p", "strong", "span", "em", "table", "thead", "tbody", "tr", "th", "td",
        "details", "summary",
    }  # fmt: skip
    assert "<script" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_table_has_p_values_for_readers():
    assert found_leak().table()["p"].tolist() == ["", "< 0.001", "0.400", "1.000", ""]


def test_figures_leave_pyplot_alone():
    before = plt.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)
    figure = figures.forest(found_leak())
    assert [axis.get_xlabel() for axis in figure.axes] == [
        "bits, of one patch", "bits, of one image",
    ]  # fmt: skip
    bound = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_linestyle() == "--"]
    assert bound == [0.25]
    figures.pictures(found_leak())
    assert (plt.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)) == before
    assert figures.forest(undecided()) is None
    assert figures.pictures(undecided()) is None


FILES = {"report.html", "report.json", "findings.tex", "estimates.png", "estimates.svg",
         "pictures.png", "pictures.svg"}  # fmt: skip


def test_files(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    paths = found_leak().save(tmp_path)
    assert set(paths) == FILES
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"kept.txt"}
    assert (tmp_path / "kept.txt").read_text() == "mine"
    again = found_leak().save(str(tmp_path / "new" / "folder"))
    for name, path in paths.items():
        assert path.read_bytes() == again[name].read_bytes()
        assert path.stat().st_mode == (tmp_path / "kept.txt").stat().st_mode
    assert again["report.html"].parent.stat().st_mode == (tmp_path / "new").stat().st_mode
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["folder"]
    assert json.loads(paths["report.json"].read_text())["leaks"] is True
    assert set(undecided().save(tmp_path / "few")) == {
        "report.html", "report.json", "findings.tex",
    }  # fmt: skip


def test_a_file_is_no_folder(tmp_path, monkeypatch):
    file = tmp_path / "report.txt"
    file.write_text("mine")
    monkeypatch.setattr(writing, "to_html", None)  # would fail if there were any work before
    for folder in (file, file / "below"):
        with pytest.raises(ValueError, match=r"report.txt is no folder; name another"):
            undecided().save(folder)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_half_written_stays_behind(exists, tmp_path, monkeypatch):
    folder = tmp_path / "report"
    if exists:
        undecided().save(folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    write = Path.write_bytes

    def full_disk(path, data):
        if path.name == "findings.tex":
            raise OSError("no space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space"):
        found_leak().save(folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"] * exists


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Every text with what is painted behind it, the nearest opaque background.
COLOURS = """[...document.querySelectorAll('main *')].filter(
        e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest('svg')
    ).map(e => {
        let behind = e;
        while (behind !== document.body &&
               getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)')
            behind = behind.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(behind).backgroundColor];
    })"""
FORCED_OPEN = "document.querySelectorAll('details').forEach(d => (d.open = true))"
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(
    e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@audits
def test_page_in_a_browser(audit, scheme, browser, tmp_path):
    """Offline, wide and on a phone: nothing asked for, nothing too wide, and enough contrast."""
    address = audit().save(tmp_path)["report.html"].as_uri()
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    page.evaluate(FORCED_OPEN)
    for width in (1200, 400):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.evaluate(TOO_WIDE)
        axe = Axe().run(page)
        assert not axe.violations_count, axe.generate_report()
    assert min(contrast(*pair) for pair in page.evaluate(COLOURS)) >= 4.5
    if audit is not undecided:
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert page.evaluate(outline) == "solid"
    context.close()
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert not errors


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_print_shows_what_is_folded(browser, tmp_path):
    page = browser.new_page(color_scheme="dark")
    page.goto(found_nothing().save(tmp_path)["report.html"].as_uri())
    shown = "[...document.querySelectorAll('details p')].every(p => p.checkVisibility())"
    height = "document.querySelector('details').getBoundingClientRect().height"
    folded = page.evaluate(height)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(shown)
    assert page.evaluate(height) > folded
    page.close()


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
