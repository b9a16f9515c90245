"""What a pipeline asks of an audit: exit codes, a baseline, tests in JUnit's XML, a table."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import leakage
from leakage.__main__ import main
from leakage.audits.findings import Finding, Findings
from leakage.audits.origin import Origin
from leakage.audits.pipeline import conditions, to_junit
from leakage.options import parser

LEAK = Finding("structure", "keystream reused", True, "Two share it.", "XOR them.")
OPEN = Finding("embedding", "stem", None, "Too few.", "Give more.")
NONE = Finding("pixel", "single samples", False, "Nothing.", "Count.", 0.5)


def audit(*findings, leaks, title=""):
    return Findings(leaks, "Words.", findings, 0.0, None, None, pd.DataFrame(), {},
                    origin=Origin(title=title))  # fmt: skip


def suite_of(data):
    return xml.fromstring(data).find("testsuite")


def test_a_leak_is_a_failure_and_an_open_question_is_skipped():
    suite = suite_of(to_junit(audit(LEAK, OPEN, NONE, leaks=True), ["leak"]))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "4", "failures": "1", "skipped": "1", "errors": "0",
    }  # fmt: skip
    failed = suite.find("testcase[failure]")
    assert failed.get("name") == "keystream reused"
    assert failed.find("failure").get("message") == "Two share it."


def test_what_is_not_failed_on_is_told_all_the_same():
    suite = suite_of(to_junit(audit(LEAK, leaks=True), ["undecided"]))
    assert suite.get("failures") == "0"
    assert "leak, not failed on: Two share it." in suite.find(".//skipped").get("message")


def test_undecided_and_worse():
    suite = suite_of(to_junit(audit(OPEN, leaks=None), ["undecided", "worse"], ["B leaks more."]))
    assert suite.get("failures") == "2"
    calm = suite_of(to_junit(audit(OPEN, leaks=None), ["worse"], []))
    assert calm.get("failures") == "0"


def test_a_title_that_xml_has_no_signs_for():
    data = to_junit(audit(NONE, leaks=False, title="a\x00<b>\ud800"), [])
    assert suite_of(data).get("name") == "a\N{REPLACEMENT CHARACTER}<b>\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("text", ["", "leaks", "leak,,worse", "leak worse"])
def test_words_that_are_no_conditions(text):
    with pytest.raises(ValueError, match="write leak, undecided, worse"):
        conditions(text, True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Forty scenes, under AES and with two and three planes encrypted."""
    place = tmp_path_factory.mktemp("pipeline")
    images = leakage.load_images("scenes", size=40, count=40).images
    sides = {"plain": images}
    for bits in (2, 3, 8):
        scheme = leakage.get_scheme("bitplane", bits=bits)
        sides[f"planes{bits}"] = scheme.encrypt(images, bytes(16))
    for name, side in sides.items():
        (place / name).mkdir()
        for i, image in enumerate(side):
            Image.fromarray(image).save(place / name / f"{i}.png")
    leakage.audit(255 - images, images, progress=False).save(place / "others")
    return place


def test_a_pipeline_fails_on_a_leak_and_passes_on_aes(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    fails = ["audit", "plain", "planes3", "-o", "before", "--fail-on", "leak", "--junit", "r/a.xml"]
    assert main(fails) == 1
    assert int(suite_of(Path("r/a.xml").read_bytes()).get("failures")) > 0
    passes = ["audit", "plain", "planes8", "-o", "aes", "--fail-on", "leak,worse",
              "--baseline", "before", "--junit", "r/b.xml"]  # fmt: skip
    assert main(passes) == 0
    assert "not seen to be worse" in capsys.readouterr().out
    assert suite_of(Path("r/b.xml").read_bytes()).get("failures") == "0"
    worse = ["audit", "plain", "planes2", "-o", "worse", "--fail-on", "worse",
             "--baseline", "before/report.json", "--junit", "r/c.xml"]  # fmt: skip
    assert main(worse) == 5
    assert "worse than before: B leaks more" in capsys.readouterr().out
    last = suite_of(Path("r/c.xml").read_bytes())
    assert last.find("testcase[failure]").get("name") == "not worse"

    for suffix in (".csv", ".tex", ".html"):
        assert main(["table", "before", "aes", "worse", "-o", f"r/all{suffix}"]) == 0
    table = pd.read_csv("r/all.csv", index_col="audit")
    assert table.index.tolist() == ["before", "aes", "worse"]
    assert table["answer"].tolist() == ["leak", "open", "leak"]  # of 40 nobody is cleared
    assert table["pairs"].tolist() == [40, 40, 40]
    assert "bits" not in Path("r/all.html").read_text("utf8").replace("size", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fail-on", "worse"], "needs --baseline"),
        (["--fail-on", "bad"], "write leak, undecided, worse"),
        (["--baseline", "plain"], "cannot be read as a report"),
        (["--baseline", "others"], "has none of these images"),
        (["--seconds", "5"], "limits a program"),
        (["--junit", "planes2"], "is a folder"),
        (["--junit", "plain/a.xml"], "is in plain"),
        (["--junit", "plain/0.png/a.xml"], "is in plain"),
    ],
)
def test_bad_input_is_told_before_the_work(folders, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(folders)
    assert main(["audit", "plain", "planes3", "-o", "never", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not Path("never").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plain", "-o", "t.csv"], "cannot be read as a report"),
        (["plain", "-o", "t.xlsx"], "ends in .csv, .tex, .html"),
        (["plain", "-o", "plain"], "is a folder"),
    ],
)
def test_no_table(folders, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(folders)
    assert main(["table", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not Path("t.csv").exists()


def test_audits_of_one_name_are_told_apart(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32), np.uint8)
    found = leakage.audit(images, images, title="mine", progress=False)
    for name in "ab":
        found.save(tmp_path / name)
    table = leakage.audit_table([tmp_path / "a", tmp_path / "b" / "report.json"])
    assert table.index.tolist() == ["mine", "mine #2"]


def test_the_workflow_in_the_book(tmp_path):
    """It is a workflow, and its command line is one that the program takes."""
    page = Path(leakage.__file__).parents[1] / "book" / "commands.md"
    text = re.search(r"```yaml\n(.*?)```", page.read_text("utf8"), re.DOTALL)[1]
    file = tmp_path / "leakage.yml"
    file.write_text(text)
    schema = ["--builtin-schema", "vendor.github-workflows"]
    subprocess.run([sys.executable, "-m", "check_jsonschema", *schema, file], check=True)
    steps = yaml.safe_load(text)["jobs"]["audit"]["steps"]
    command = next(step["run"] for step in steps if step.get("run", "").startswith("leakage "))
    options = parser().parse_args(command.split()[1:])
    assert (options.fail_on, options.junit) == ("leak", "audit.xml")


def damaged(report):
    """Reports that no audit wrote, and what they are."""
    huge = 10**30
    scores = report["scores"]
    yield "units", {"scores": {**scores, "units": [huge] * len(scores["units"])}}
    yield "negative units", {"scores": {**scores, "units": [-5] * len(scores["units"])}}
    yield "no byte", {"scores": {**scores, "clear": [999] * len(scores["clear"])}}
    views = {name: [1e308] * len(values) for name, values in scores["views"].items()}
    yield "no bits", {"scores": {**scores, "views": views}}
    yield "title", {"title": ["a"]}
    yield "scheme", {"settings": {**report["settings"], "scheme": 5}}
    yield "p", {"findings": [{**report["findings"][0], "p_value": "x"}]}
    yield "schema", {"schema": True}


def test_damaged_reports_are_named(tmp_path, capsys):
    images = leakage.load_images("scenes", size=32, count=30).images
    leakage.audit(images, images ^ 1, progress=False).save(tmp_path / "whole")
    whole = tmp_path / "whole" / "report.json"
    report = json.loads(whole.read_text("utf8"))
    for what, part in damaged(report):
        bad = tmp_path / "bad.json"
        bad.write_text(json.dumps(report | part))
        for arguments in (["compare", bad, whole], ["table", bad, "-o", tmp_path / "t.csv"]):
            if arguments[0] == "table" and "scores" in part:
                continue
            assert main(list(map(str, arguments))) == 2, what
            assert "bad.json" in capsys.readouterr().err
    for text in ('{"schema": NaN}', f'{{"schema": {"1" * 5000}}}', "[" * 100_000):
        bad.write_text(text)
        assert main(["compare", str(bad), str(whole)]) == 2
        assert "bad.json" in capsys.readouterr().err


def test_the_report_never_takes_the_place_of_the_baseline(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    arguments = ["audit", "plain", "planes3", "-o", "over", "--baseline", "over/report.json"]
    assert main(["audit", "plain", "planes3", "-o", "over"]) == 1
    before = Path("over/report.json").read_bytes()
    assert main([*arguments, "--fail-on", "worse"]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert Path("over/report.json").read_bytes() == before


def test_tests_never_take_the_place_of_the_report(folders, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    for junit in ("never", "never/report.json"):
        assert main(["audit", "plain", "planes3", "-o", "never", "--junit", junit]) == 2
        assert "is where the report goes" in capsys.readouterr().err
