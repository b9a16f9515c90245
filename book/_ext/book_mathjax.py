"""Local Sphinx extension: formulas without a network.

MathJax is copied into the book from the package sphinx-mathjax-offline, which `pip install .[book]`
brings along, so that reading a page asks nothing of any other site. It is the build that holds
every TeX extension and draws SVG: one file, with no fonts or further scripts to load later. Where
the package is missing, pages load MathJax from a public server, as Sphinx has them do by default.
"""

from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

SCRIPT = "tex-svg-full.js"
# The menu of a formula would load further scripts, and make every formula a stop of the Tab key.
# Screen readers do not need it: they read the MathML beside each drawing.
OPTIONS = {"options": {"enableMenu": False}}


def find_script():
    """The vendored MathJax, or None where the package is not installed."""
    package = find_spec("sphinx-mathjax-offline")
    if package is None:
        return None
    script = Path(package.origin).parent / "static" / "mathjax" / SCRIPT
    return script if script.is_file() else None


def _use_own_copy(app, config):
    config.mathjax3_config = OPTIONS | (config.mathjax3_config or {})
    if find_script() is not None:
        config.mathjax_path = SCRIPT


def _copy(app):
    script = find_script()
    if script is not None and app.builder.format == "html":
        static = Path(app.outdir, "_static")
        static.mkdir(parents=True, exist_ok=True)
        copyfile(script, static / SCRIPT)


def setup(app):
    app.connect("config-inited", _use_own_copy)
    app.connect("builder-inited", _copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
