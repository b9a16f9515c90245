"""Local Sphinx extension: point the repository, Binder and Colab buttons at this checkout.

Decided when the book is built, so that a fork's book launches the fork: $BOOK_REPO_URL and
$BOOK_REPO_BRANCH; then GitHub Actions' variables; then git's remote `origin`; else no buttons,
since without a repository Jupyter Book silently links to its own.

Binder installs the package of the repository that it opens. Colab opens a notebook alone, whose
first cell must know where the package is: its button is there only if that cell names this very
repository (`scripts/bootstrap.py` sees to that).
"""

import os
import re
import subprocess
from pathlib import Path


def _git(*args, cwd):
    try:
        done = subprocess.run(
            ["git", *args], cwd=cwd, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def find_repo(folder, env=os.environ):
    """The web address and branch of the checkout in `folder`, or (None, None)."""
    url, branch = env.get("BOOK_REPO_URL", ""), env.get("BOOK_REPO_BRANCH", "")
    if not url and env.get("GITHUB_REPOSITORY"):
        url = f"{env.get('GITHUB_SERVER_URL', 'https://github.com')}/{env['GITHUB_REPOSITORY']}"
        branch = branch or env.get("GITHUB_REF_NAME", "")
    url = url or _git("remote", "get-url", "origin", cwd=folder)
    url = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", url)
    url = re.sub(r"//[^/@]+@", "//", url)  # never publish a token that a remote's address holds
    url = re.sub(r"(\.git)?/?$", "", url)
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w./-]+", url):
        return None, None
    branch = branch or _git("rev-parse", "--abbrev-ref", "HEAD", cwd=folder)
    return url, "main" if branch in ("", "HEAD") else branch


def installs_from(folder, url):
    """Whether every notebook in `folder` installs the package from the repository at `url`."""
    notebooks = sorted(Path(folder, "notebooks").glob("*.ipynb"))
    return bool(notebooks) and all(f"git+{url}@" in n.read_text("utf8") for n in notebooks)


def _set_buttons(app, config):
    options = config.html_theme_options
    url, branch = find_repo(app.srcdir)
    if url is None:
        options.update(launch_buttons={}, use_repository_button=False)
        options.pop("repository_url", None)
        return
    buttons = {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
    # Colab opens notebooks from GitHub only
    if url.startswith("https://github.com/") and installs_from(app.srcdir, url):
        buttons["colab_url"] = "https://colab.research.google.com"
    options.update(
        repository_url=url,
        repository_branch=branch,
        use_repository_button=True,
        launch_buttons=buttons,
    )


def setup(app):
    app.connect("config-inited", _set_buttons)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
