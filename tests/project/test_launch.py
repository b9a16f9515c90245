"""Launch buttons and the cell that installs the package, as a publisher's readers get them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "book" / "_ext")]

import book_repo  # noqa: E402
import bootstrap  # noqa: E402

URL = "https://github.com/someone/their-book"
NOTEBOOK = "notebooks/chapter.ipynb"


@pytest.fixture
def book(tmp_path):
    """A book of one page and one notebook, with this book's settings, outside of any repository."""
    for folder in ("book", "notebooks"):
        (tmp_path / folder).mkdir()
    shutil.copytree(ROOT / "book" / "_ext", tmp_path / "book" / "_ext")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "_static", tmp_path / "_static")
    (tmp_path / "book" / "references.bib").touch()
    (tmp_path / "book" / "intro.md").write_text("# A page\n")
    cells = [nbformat.v4.new_markdown_cell("# A chapter"), nbformat.v4.new_code_cell("1 + 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / NOTEBOOK)
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["execute"] = {"execute_notebooks": "off"}
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    toc = {"format": "jb-book", "root": "book/intro", "chapters": [{"file": NOTEBOOK}]}
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(toc))
    return tmp_path


def links(book, **environment):
    """Addresses of launch and repository buttons on the built notebook's page."""
    names = ("BOOK_REPO_URL", "BOOK_REPO_BRANCH", "GITHUB_REPOSITORY", "GITHUB_REF_NAME")
    clean = {k: v for k, v in os.environ.items() if k not in names}
    subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", ".", "--all", "-q"],
        cwd=book, env=clean | environment, check=True, capture_output=True,
    )  # fmt: skip
    page = (book / "_build/html/notebooks/chapter.html").read_text("utf8")
    found = re.findall(r'href="(https?://[^"]*(?:binder|colab|github)[^"]*)"', page)
    return sorted({address for address in found if "sphinx" not in address})


def test_buttons_of_whoever_publishes(book):
    environment = {"BOOK_REPO_URL": URL, "BOOK_REPO_BRANCH": "next"}
    binder = "https://mybinder.org/v2/gh/someone/their-book/next?urlpath=lab/tree/notebooks/chapter.ipynb"
    found = links(book, **environment)
    assert binder in found
    assert not [address for address in found if "colab" in address], "it could not install"

    bootstrap.write_cell(book / NOTEBOOK, bootstrap.cell_source(bootstrap.pip_address(URL, "next")))
    found = links(book, **environment)
    assert binder in found
    colab = "github/someone/their-book/blob/next/notebooks/chapter.ipynb"
    assert f"https://colab.research.google.com/{colab}" in found


def test_no_buttons_without_a_repository(book):
    assert links(book) == []


def test_ci_names_the_repository(book):
    options = {}
    config = SimpleNamespace(html_theme_options=options)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BOOK_REPO_URL", raising=False)
        patch.setenv("GITHUB_REPOSITORY", "someone/their-book")
        patch.setenv("GITHUB_REF_NAME", "main")
        book_repo._set_buttons(SimpleNamespace(srcdir=book), config)
    assert options["repository_url"] == URL
    assert "colab_url" not in options["launch_buttons"]


def test_the_cell_is_written_once(book):
    for address in ("", f"git+{URL}@main"):
        bootstrap.write_cell(book / NOTEBOOK, bootstrap.cell_source(address))
    code = [c for c in nbformat.read(book / NOTEBOOK, 4).cells if c.cell_type == "code"]
    assert [c.source for c in code] == [bootstrap.cell_source(f"git+{URL}@main"), "1 + 1"]
    assert book_repo.installs_from(book, URL)
    assert not book_repo.installs_from(book, "https://github.com/someone/their")


def test_publishing_fills_in_the_address_and_new_chapters_keep_it(book, monkeypatch):
    monkeypatch.setattr(bootstrap, "ROOT", book)
    monkeypatch.setenv("BOOK_REPO_URL", URL)
    assert bootstrap.main(publish=True) == 0
    monkeypatch.delenv("BOOK_REPO_URL")
    shutil.copy(book / NOTEBOOK, book / "notebooks" / "other.ipynb")
    bootstrap.write_cell(book / "notebooks" / "other.ipynb", bootstrap.cell_source())
    assert bootstrap.main() == 0
    assert book_repo.installs_from(book, URL)


def test_publishing_from_nowhere_changes_nothing(book, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "ROOT", book)
    for name in ("BOOK_REPO_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    before = (book / NOTEBOOK).read_bytes()
    assert bootstrap.main(publish=True) == 1
    assert "BOOK_REPO_URL" in capsys.readouterr().err
    assert (book / NOTEBOOK).read_bytes() == before


@pytest.fixture
def cell(monkeypatch, tmp_path):
    """Run the first cell in a folder where the package is not installed; what pip is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEAKAGE_SOURCE", raising=False)
    # all that Python finds is a folder of that name, if there is one
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: SimpleNamespace(origin=None) if Path(name).is_dir() else None,
    )

    def run(address=""):
        asked, names = [], {}
        shell = SimpleNamespace(run_line_magic=lambda name, line: asked.append(line))
        names["get_ipython"] = lambda: shell
        exec(TransformerManager().transform_cell(bootstrap.cell_source(address)), names)
        return asked[0].format(_source=names["_source"])  # as IPython fills it in

    return run


def test_the_first_cell_installs_what_is_missing(cell, monkeypatch, tmp_path):
    with pytest.raises(ModuleNotFoundError, match="does not say from where"):
        cell()
    assert "git+https://a/b@main" in cell("leakage[scale] @ git+https://a/b@main")
    monkeypatch.setenv("LEAKAGE_SOURCE", "leakage @ file:///else")
    assert "file:///else" in cell()


def test_a_clone_named_leakage_is_installed_from_its_parent_folder(cell, tmp_path):
    (tmp_path / "leakage").mkdir()
    with pytest.raises(ModuleNotFoundError):  # a folder of that name, but no clone
        cell()
    (tmp_path / "leakage" / "pyproject.toml").touch()
    assert (tmp_path / "leakage").as_uri() in cell()
