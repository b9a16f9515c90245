"""Local Sphinx extension: never show outputs that an older version of the package computed.

Jupyter Book's execution cache compares code cells only, so it does not notice that the package, or
a library that the numbers come from, has changed. Here a digest of all of these lies in the cache;
when it differs the cache is dropped.
"""

import hashlib
import platform
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def digest(root):
    """Of everything besides a notebook's own cells that its outputs depend on."""
    package = (root / "leakage").rglob("*")
    sources = sorted(f for f in package if f.is_file() and "__pycache__" not in f.parts)
    sources += [f for f in (root / "pyproject.toml", root / "constraints.txt") if f.exists()]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))["project"]
    names = [re.match(r"[\w.-]+", d)[0] for d in project["dependencies"]]
    versions = {n: _version(n) for n in names}
    state = hashlib.sha256(repr((platform.python_version(), sorted(versions.items()))).encode())
    for f in sources:
        state.update(f"{f.relative_to(root)}\0{f.stat().st_size}\0".encode())
        state.update(f.read_bytes())
    return state.hexdigest()


def _drop_stale(app, config):
    cache = Path(config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    mark, now = cache / "leakage.digest", digest(Path(app.srcdir))
    # A config value of the "env" kind: Sphinx itself reads every page again when it has changed,
    # also after a build that was cut short between here and there.
    config.leakage_digest = now
    if mark.exists() and mark.read_text() == now:
        return
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    mark.write_text(now)


def setup(app):
    app.add_config_value("leakage_digest", "", "env")
    app.connect("config-inited", _drop_stale)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
