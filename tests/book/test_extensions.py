"""The book's local Sphinx extensions."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import book_mathjax  # noqa: E402
import book_repo  # noqa: E402


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"BOOK_REPO_URL": "https://github.com/a/b.git"}, ("https://github.com/a/b", "main")),
        (
            {"BOOK_REPO_URL": "git@github.com:a/b.git", "BOOK_REPO_BRANCH": "dev"},
            ("https://github.com/a/b", "dev"),
        ),
        ({"BOOK_REPO_URL": "https://u:token@gitlab.com/a/b/"}, ("https://gitlab.com/a/b", "main")),
        (
            {"GITHUB_REPOSITORY": "a/b", "GITHUB_REF_NAME": "next"},
            ("https://github.com/a/b", "next"),
        ),
        ({"BOOK_REPO_URL": "/srv/git/b"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_repository(tmp_path, env, found):
    assert book_repo.find_repo(tmp_path, env) == found


class Application:
    """As much of Sphinx as the extension asks for."""

    def __init__(self, outdir, kind="html"):
        self.outdir, self.builder = outdir, SimpleNamespace(format=kind)
        self.config = SimpleNamespace(mathjax_path="https://cdn.example/x.js", mathjax3_config=None)


def test_formulas_come_from_the_book_itself(tmp_path):
    app = Application(tmp_path)
    book_mathjax._use_own_copy(app, app.config)
    book_mathjax._copy(app)
    script = tmp_path / "_static" / app.config.mathjax_path
    assert "MathJax" in script.read_text(encoding="utf8")[:100_000]
    assert app.config.mathjax3_config["options"] == {"enableMenu": False}


def test_without_the_package_formulas_come_from_a_server(tmp_path, monkeypatch):
    monkeypatch.setattr(book_mathjax, "find_spec", lambda name: None)
    app = Application(tmp_path)
    book_mathjax._use_own_copy(app, app.config)
    book_mathjax._copy(app)
    assert app.config.mathjax_path == "https://cdn.example/x.js"
    assert not list(tmp_path.iterdir())


def test_no_script_goes_into_a_book_for_paper(tmp_path):
    book_mathjax._copy(Application(tmp_path, "latex"))
    assert not list(tmp_path.iterdir())
