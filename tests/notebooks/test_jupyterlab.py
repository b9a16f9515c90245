"""Chapters in a real JupyterLab, driven in Chromium: Run All, and once more. Skipped without it."""

import json
import shutil
from pathlib import Path

import nbformat
import papermill.parameterize
import pytest
import yaml
from papermill.iorw import load_notebook_node
from playwright import sync_api

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = yaml.safe_load((ROOT / "tests" / "overrides.yaml").read_text(encoding="utf8"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHAPTERS = ["encryption", "mine", "explorer"]
#: What MyST's markup looks like where nothing has made it into text.
MARKUP = ("{glue", "{cite", "{doc}", "{term}", "```{", ":::")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def jupyterlab(serve, tmp_path_factory):
    """Address of a server whose folder holds the chapters, with the tests' parameters."""
    folder = tmp_path_factory.mktemp("lab")
    for name in CHAPTERS:
        notebook = load_notebook_node(str(ROOT / "notebooks" / f"{name}.ipynb"))
        given = papermill.parameterize.parameterize_notebook(notebook, OVERRIDES[name])
        nbformat.write(given, folder / f"{name}.ipynb")
    settings = folder / ".settings"
    settings.mkdir()
    whole = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
    (settings / "overrides.json").write_text(json.dumps(whole))  # cells off screen are there too
    options = [
        "--allow-root", "--IdentityProvider.token=", "--expose-app-in-browser",
        f"--LabApp.app_settings_dir={settings}", f"--notebook-dir={folder}",
    ]  # fmt: skip
    threads = {"OMP_NUM_THREADS": "1"}
    with serve("jupyterlab", *options, log=settings / "log", answers="api", **threads) as address:
        yield address


@pytest.mark.parametrize("name", CHAPTERS)
def test_run_all_twice(jupyterlab, name):
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{jupyterlab}lab/tree/{name}.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.isReady")
        for _ in range(2):
            page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
            assert errors.all_inner_texts() == []
        last = page.locator(".jp-CodeCell").last
        assert "claim" in last.locator(".jp-OutputArea-output").inner_text()
        assert not last.locator(".jp-InputArea-editor").is_visible(), "plumbing is not folded"
        shown = page.locator(".jp-Notebook").inner_text()
        assert not [mark for mark in MARKUP if mark in shown]
        browser.close()
