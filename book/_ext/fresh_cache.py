"""Local Sphinx extension: never show outputs that an older version of the package computed."""

from pathlib import Path

from leakage.notebook.chapters import digest, drop_stale


def _drop_stale(app, config):
    now = digest(Path(app.srcdir))
    # A config value of the "env" kind: Sphinx itself reads every page again when it has changed,
    # also after a build that was cut short between here and there.
    config.leakage_digest = now
    drop_stale(
        Path(config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache"), now
    )


def setup(app):
    app.add_config_value("leakage_digest", "", "env")
    app.connect("config-inited", _drop_stale)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
