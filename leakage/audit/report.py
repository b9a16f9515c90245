"""An audit as a page, as JSON and as a LaTeX table."""

import base64
import html
import io
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from leakage.audit.findings import Audit, Finding
from leakage.estimate import Estimate
from leakage.plots import COLOURS

SCHEMA = 1
_WORDS = {True: "leak", False: "not found", None: "open"}
_SIGNS = {True: "✗", False: "✓", None: "?"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #c8c8c8; --soft: #f3f4f6;
  --bad: #a11212; --good: #0a5c2b; --open: #6b4a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #14171a; --line: #454b52;
  --soft: #1f2429; --bad: #ff9d9d; --good: #8fe0ae; --open: #f0cf86; } }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.verdict { border: 2px solid; border-radius: .5rem; padding: .8rem 1rem; font-size: 1.1rem; }
.yes { color: var(--bad); } .no { color: var(--good); } .open { color: var(--open); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; }
thead th { background: var(--soft); }
figure { margin: 1rem 0; } figure img { max-width: 100%; background: #fff; border-radius: .25rem; }
figure img.pixels { image-rendering: pixelated; }
figcaption { font-size: .9rem; }
summary { cursor: pointer; }
@media print { details > * { display: block; } }
"""


def to_dict(audit: Audit) -> dict[str, object]:
    """An audit ready for JSON; see `report.schema.json` beside this file.

    Numbers that do not exist are null.

    Raises
    ------
    ValueError
        Bytes among the settings: a key does not belong into a report.
    """
    secret = [name for name, value in audit.settings.items() if isinstance(value, bytes)]
    if secret:
        raise ValueError(f"settings {secret} are bytes; keys do not belong into a report")
    metrics = [
        {"metric": str(name), **{c: _plain(row[c]) for c in audit.metrics.columns}}
        for name, row in audit.metrics.iterrows()
    ]
    return {
        "schema": SCHEMA,
        "leaks": audit.leaks,
        "verdict": audit.verdict,
        "certified_bits": _plain(audit.certified_bits),
        "detectable_bits": _plain(audit.detectable_bits),
        "exact": _estimate(audit.exact),
        "findings": [_finding(finding) for finding in audit.findings],
        "metrics": metrics,
        "settings": {name: _plain(value) for name, value in audit.settings.items()},
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "name": finding.name,
        "leaks": finding.leaks,
        "p_value": _plain(finding.p_value),
        "estimate": _estimate(finding.estimate),
        "unit": finding.unit,
        "meaning": finding.meaning,
        "how": finding.how,
    }


def _estimate(estimate: Estimate | None) -> dict[str, object] | None:
    if estimate is None:
        return None
    return {
        "bits": _plain(estimate.bits), "low": _plain(estimate.low), "high": _plain(estimate.high),
        "n": int(estimate.n), "method": estimate.method, "kind": estimate.kind,
        "flags": list(estimate.flags),
    }  # fmt: skip


def _plain(value: object) -> object:
    """Python's own types; what is no number becomes None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def to_latex(audit: Audit) -> str:
    """A table of the findings in the style of the LaTeX package booktabs, which it needs."""
    table = audit.table().reset_index()
    escaped = table.map(lambda cell: _latex(str(cell)))
    return escaped.to_latex(index=False, escape=False, column_format="lllrrl")


def _latex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join(special.get(sign, sign) for sign in text)


def forest(audit: Audit) -> Figure | None:
    """Estimates with their intervals, one line a finding; None where there are none."""
    shown = [
        f for f in audit.findings
        if f.estimate is not None and f.estimate.low is not None
        and "folds disagree" not in f.estimate.flags
    ]  # fmt: skip
    if not shown:
        return None
    figure = Figure(figsize=(7, 0.9 + 0.35 * len(shown)), layout="constrained")
    axis = figure.add_subplot()
    for place, finding in enumerate(reversed(shown)):
        e = finding.estimate
        colour = COLOURS[1] if finding.leaks else COLOURS[0]
        marker = "s" if finding.leaks else "o"
        axis.plot([e.low, e.high], [place, place], color=colour, lw=2)
        axis.plot(e.bits, place, marker, color=colour, ms=6)
    axis.axvline(0, color="0.4", lw=1)
    names = [f"{f.level}: {f.name}, bit a {f.unit}" for f in reversed(shown)]
    axis.set_yticks(range(len(shown)), names)
    axis.set_xlabel("bits, with 95 % interval (orange squares: leaks)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.3)
    return figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue()


def strip(images: np.ndarray) -> bytes:
    """Images side by side, as a PNG file."""
    from PIL import Image

    gap = np.full((images.shape[1], 4, *images.shape[3:]), 255, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(parts, axis=1)).save(file, "PNG")
    return file.getvalue()


def to_html(audit: Audit) -> str:
    """One page that needs nothing else: no script, no network."""
    state = {True: "yes", False: "no", None: "open"}[audit.leaks]
    numbers = {
        "Certified at 95 %": f"{audit.certified_bits:.3f} bit an image",
        "Would have been detected": "a leak was detected" if audit.leaks
        else "not known" if audit.detectable_bits is None
        else f"{audit.detectable_bits:.2g} bit an image",
        "Closed form of the scheme": "not known" if audit.exact is None
        else f"{audit.exact.bits:.4f} bit ({audit.exact.method})",
    }  # fmt: skip
    parts = [
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Audit: {_WORDS[audit.leaks]}</title><style>{_STYLE}</style></head><body><main>",
        "<h1>What these ciphertexts give away</h1>",
        f'<p class="verdict {state}" role="status"><strong>{_SIGNS[audit.leaks]}</strong> '
        f"{_text(audit.verdict)}</p>",
        "<h2>In numbers</h2>", _pairs(numbers),
        *_pictures(audit),
        "<h2>Findings</h2>", _findings(audit),
        *_forest(audit),
        "<h2>Classical metrics of the same ciphertexts</h2>",
        "<p>They compare ciphertexts with noise and with their images. A scheme without any secret "
        "can pass all of them.</p>",
        _metrics(audit.metrics),
        "<h2>How this was made</h2>", _pairs({k: str(v) for k, v in audit.settings.items()}),
        "<h2>Limits</h2>",
        "<p>A leak that is not found is no proof that there is none. The audit sees what its "
        "checks and representations see, in these pairs. A key that everybody knows cannot be seen "
        "in pairs alone.</p>",
        "</main></body></html>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _text(text: object) -> str:
    return html.escape(str(text))


def _pairs(values: dict[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(k)}</th><td>{_text(v)}</td></tr>' for k, v in values.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _table(head: list[str], rows: list[str]) -> str:
    cells = "".join(f'<th scope="col">{_text(name)}</th>' for name in head)
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="table"><table><thead><tr>{cells}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _findings(audit: Audit) -> str:
    rows = []
    for f, (_, shown) in zip(audit.findings, audit.table().iterrows(), strict=True):
        state = {True: "yes", False: "no", None: "open"}[f.leaks]
        rows.append(
            f'<tr><td class="{state}">{_SIGNS[f.leaks]} {_WORDS[f.leaks]}</td>'
            f'<td>{_text(f.level)}</td><th scope="row">{_text(f.name)}</th>'
            f"<td>{_text(shown['bits'])} {_text(f.unit and f'a {f.unit}') if shown['bits'] else ''}"
            f"</td><td>{_text(shown['p'])}</td>"
            f"<td>{_text(f.meaning)}<details><summary>How to see it</summary>{_text(f.how)}"
            "</details></td></tr>"
        )
    return _table(["", "level", "finding", "bits", "p, corrected", "what it means"], rows)


def _metrics(metrics: pd.DataFrame) -> str:
    rows = []
    for name, row in metrics.iterrows():
        cells = [_number(row[column]) for column in ("value", "null_mean", "null_sd", "p_value")]
        rows.append(
            f'<tr><th scope="row">{_text(name)}</th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + f"<td>{_text(row['remark'])}</td></tr>"
        )
    return _table(["metric", "value", "noise: mean", "sd", "p", "remark"], rows)


def _number(value: float) -> str:
    return "" if not math.isfinite(value) else f"{0 if abs(value) < 1e-12 else value:.4g}"


def _figure(data: bytes, alt: str, caption: str, pixels: bool = False) -> str:
    source = base64.b64encode(data).decode()
    kind = ' class="pixels"' if pixels else ""
    return (
        f'<figure><img{kind} src="data:image/png;base64,{source}" alt="{_text(alt)}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _pictures(audit: Audit) -> list[str]:
    return [
        _figure(strip(images), f"{len(images)} images: {name}", name.capitalize(), pixels=True)
        for name, images in audit.pictures.items()
    ]


def _forest(audit: Audit) -> list[str]:
    figure = forest(audit)
    if figure is None:
        return []
    alt = "; ".join(
        f"{f.name}: {f.estimate.bits:.3f} bit" for f in audit.findings if f.estimate is not None
    )
    return [_figure(_png(figure), alt, "Estimates with their 95 % intervals")]


def save(audit: Audit, folder: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, ``findings.tex`` and the figures into a folder.

    Everything is made before the first file is written, and each file takes its place in one step.

    Raises
    ------
    ValueError
        `folder` is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder for the report")
    files = {
        "report.html": to_html(audit).encode(),
        "report.json": (json.dumps(to_dict(audit), indent=1, ensure_ascii=False) + "\n").encode(),
        "findings.tex": to_latex(audit).encode(),
    }
    figure = forest(audit)
    if figure is not None:
        files |= {"estimates.png": _png(figure), "estimates.svg": _svg(figure)}
    for name, images in audit.pictures.items():
        files[f"{name}.png"] = strip(images)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, folder / name)
    return {name: folder / name for name in files}
