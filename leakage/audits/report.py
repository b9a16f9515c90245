"""An audit as a page, as JSON, as a LaTeX table and as figures."""

import base64
import html
import io
import json
import math
import re
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from leakage import __version__
from leakage.audits.findings import Audit, Finding
from leakage.estimate import Estimate
from leakage.style import COLOURS, STYLE

#: Version of the form of `to_dict`; `report.schema.json` beside this file describes it.
SCHEMA = 1
#: Flag of estimates that are not to be relied on: neither drawn nor printed as a number.
UNRELIABLE = "folds disagree"

_UNITS = ("sample", "patch", "image")
_SIGNS = {True: "✗", False: "○", None: "?"}  # no tick: nothing found is no seal of approval
_WORDS = {True: "leak", False: "not found", None: "open"}
_HEADLINES = {True: "Leak detected", False: "No leak detected", None: "Undecided"}
_CLASSES = {True: "leak", False: "none", None: "open"}
_METRICS = ("value", "null_mean", "null_sd", "p_value")
_CAPTIONS = {"plain": "Images", "cipher": "Their ciphertexts"}

_MOST = 6  # pictures of a kind
_LARGEST = 256  # side of a picture on the page, in samples
_LONGEST = 60  # characters of a name in a figure
_INK = "#1a1a1a"  # of figures; on the page it becomes the colour of the text around
_STYLE = STYLE | {
    "svg.hashsalt": "leakage", "font.family": "DejaVu Sans", "axes.grid": False,
    "axes.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
}  # fmt: skip

# Only what is written here can be loaded or run, whatever the names of files contain.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --mild: #55595e; --paper: #fff; --line: #c8ccd0;
  --soft: #f3f4f6; --leak: #a11212; --none: #0a5c2b; --open: #6b4a00; --focus: #0a58ca; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --mild: #a9b0b7;
  --paper: #14171a; --line: #454b52; --soft: #1f2429; --leak: #ff9d9d; --none: #8fe0ae;
  --open: #f0cf86; --focus: #8ab4ff; } }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 56rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { max-width: 44rem; }
.leak { color: var(--leak); } .none { color: var(--none); } .open { color: var(--open); }
.verdict { display: flex; gap: .9rem; border: 2px solid; border-left-width: .6rem;
  border-radius: .4rem; padding: .7rem 1rem; background: var(--soft); font-size: 1.1rem; }
.verdict span { font-size: 1.8rem; font-weight: bold; line-height: 1.2; }
.verdict p { margin: 0; color: var(--ink); }
.mild { color: var(--mild); font-size: .88rem; font-weight: normal; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr));
  gap: .7rem; margin: 1rem 0; }
.numbers div { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem; }
.numbers dd { margin: 0; } .numbers .value { font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .94rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .5rem; vertical-align: top; }
thead th { background: var(--soft); border-bottom: 2px solid var(--line); overflow-wrap: normal; }
tbody tr { border-bottom: 1px solid var(--line); }
.number { overflow-wrap: normal; min-width: 5rem; } .number span { display: block; }
.short { white-space: nowrap; }
.state { display: inline-block; min-width: 6.2rem; }
details p { margin: .3rem 0 .4rem; }
summary { cursor: pointer; }
summary:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
figure { margin: 1rem 0; }
figcaption { font-size: .92rem; max-width: 44rem; }
figure svg { width: 100%; max-width: 32rem; height: auto; display: block; }
.strip { display: grid; gap: .3rem; grid-template-columns: repeat(6, minmax(0, 9rem)); }
.strip img { width: 100%; max-height: 16rem; object-fit: contain; object-position: left top;
  image-rendering: pixelated; }
@media (max-width: 30rem) { th, td { padding: .3rem .25rem; } table { font-size: .88rem; }
  .state { display: inline; } .spread { display: none; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  details::details-content { content-visibility: visible; height: auto; display: block; }
  tr, figure, .verdict, .numbers div { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def to_dict(audit: Audit) -> dict[str, object]:
    """An audit ready for JSON; `report.schema.json` beside this file describes it.

    Numbers that do not exist are null. So are infinite ones, which ``remarks`` lists.

    Parameters
    ----------
    audit : Audit
        What was found.

    Raises
    ------
    ValueError
        Bytes among the settings: key material does not belong into a report.
    TypeError
        Settings that JSON has no form for.

    Examples
    --------
    >>> found = Audit(False, "None found.", (), 0.0, np.inf, None, pd.DataFrame(), {"seed": 0})
    >>> data = to_dict(found)
    >>> data["detectable_bits"], data["remarks"], data["settings"]
    (None, ['/detectable_bits is inf'], {'seed': 0})
    """
    remarks: list[str] = []
    data = {
        "schema": SCHEMA,
        "version": __version__,
        "leaks": audit.leaks,
        "verdict": audit.verdict,
        "certified_bits": audit.certified_bits,
        "detectable_bits": audit.detectable_bits,
        "exact": None if audit.exact is None else _values(audit.exact),
        "findings": [_finding(finding) for finding in audit.findings],
        "metrics": [
            {"metric": str(name), **{column: row[column] for column in (*_METRICS, "remark")}}
            for name, row in audit.metrics.iterrows()
        ],
        "settings": audit.settings,
    }
    return {**_plain(data, "", remarks), "remarks": remarks}


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "level": finding.level,
        "name": finding.name,
        "leaks": finding.leaks,
        **_values(finding.estimate),
        "p_value": finding.p_value,
        "unit": finding.unit,
        "meaning": finding.meaning,
        "how": finding.how,
    }


def _values(estimate: Estimate | None) -> dict[str, object]:
    names = ("bits", "low", "high", "n", "method", "kind")
    if estimate is None:
        return dict.fromkeys(names) | {"flags": []}
    return {name: getattr(estimate, name) for name in names} | {"flags": estimate.flags}


def _plain(value: object, where: str, remarks: list[str]) -> object:
    """`value` in the types that JSON knows; `where` is its place, as a JSON pointer."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"{where} holds bytes; key material does not belong into a report")
    if isinstance(value, Mapping):
        return {
            str(_plain(key, where, remarks)): _plain(item, f"{where}/{key}", remarks)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}/{i}", remarks) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            remarks.append(f"{where} is {value}")
        return None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bool | int | float | str | None):
        return value
    # not its repr, which of an unknown object may well print a key
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON has no form for")


def to_latex(audit: Audit) -> str:
    """A table of the findings in the style of the LaTeX package booktabs, which it needs.

    Parameters
    ----------
    audit : Audit
        What was found.

    Examples
    --------
    >>> finding = Finding("pixel", "single_samples", False, "Nothing.", "Count.", 0.4)
    >>> found = Audit(False, "None found.", (finding,), 0.0, None, None, pd.DataFrame(), {})
    >>> print(to_latex(found).splitlines()[4])
    pixel & single\\_samples & no &  &  & $0.400$ \\\\
    """
    rows = [
        {
            "Level": finding.level,
            "Finding": _latex(finding.name),
            "Leak": {True: "yes", False: "no", None: "open"}[finding.leaks],
            # a minus is one only in mathematics
            "Bits": re.sub(r"-?\d+(\.\d+)?", r"$\g<0>$", _latex(_bits(finding.estimate))),
            "Unit": _latex(finding.unit),
            "$p$": _latex_p(finding.p_value),
        }
        for finding in audit.findings
    ]
    columns = ["Level", "Finding", "Leak", "Bits", "Unit", "$p$"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.to_latex(index=False, escape=False, column_format="lllllr")


_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _latex_p(p_value: float | None) -> str:
    shown = _p(p_value)
    return f"${shown}$".replace(" ", "") if shown else ""


def _bits(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if UNRELIABLE in estimate.flags:
        return f"unreliable: {UNRELIABLE}"
    bits = f"{estimate.bits:z.3f}"
    if estimate.low is None or estimate.high is None:
        return bits
    return f"{bits} [{estimate.low:z.3f}, {estimate.high:z.3f}]"


def _p(p_value: float | None) -> str:
    if p_value is None or math.isnan(p_value):
        return ""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    # no pyplot: its list of open figures and its backend belong to the caller
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def _drawn(audit: Audit) -> list[Finding]:
    """Findings that have their place in a forest plot."""
    return [
        finding for finding in audit.findings
        if (e := finding.estimate) is not None and UNRELIABLE not in e.flags
        and finding.unit in _UNITS
        and np.isfinite([e.bits, *(math.nan if b is None else b for b in (e.low, e.high))]).all()
    ]  # fmt: skip


def forest(audit: Audit) -> Figure | None:
    """Estimates with their 95 % intervals, a panel for what they count: sample, patch or image.

    A dashed line marks the certified bound, which is in bits an image. Names stand above the
    intervals, so that they can be read on a phone too. None where there is nothing to draw.

    Parameters
    ----------
    audit : Audit
        What was found.
    """
    found = _drawn(audit)
    panels = {unit: [f for f in found if f.unit == unit] for unit in _UNITS}
    panels = {unit: findings for unit, findings in panels.items() if findings}
    if not panels:
        return None
    heights = [0.6 + 0.46 * len(findings) for findings in panels.values()]
    with _figure(4.4, 0.3 + sum(heights)) as figure:
        axes = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
        for axis, (unit, findings) in zip(axes, panels.items(), strict=True):
            for place, finding in enumerate(reversed(findings)):
                e = finding.estimate
                colour, marker = (COLOURS[1], "s") if finding.leaks else (COLOURS[0], "o")
                axis.plot([e.low, e.high], [place, place], color=colour, lw=2.5)
                axis.plot(e.bits, place, marker, color=colour, ms=7)
                axis.text(
                    0, place + 0.22, _short(f"{finding.level}: {finding.name}"), fontsize=9.5,
                    transform=axis.get_yaxis_transform(), parse_math=False,
                )  # fmt: skip
            axis.axvline(0, color="0.6", lw=1, zorder=0)
            if unit == "image" and audit.certified_bits > 0:
                axis.axvline(audit.certified_bits, color=COLOURS[2], lw=2, ls="--", zorder=0)
            axis.locator_params("x", nbins=5)
            axis.set(yticks=[], ylim=(-0.4, len(findings) - 0.2), xlabel=f"bits, of one {unit}")
            axis.spines[["top", "right", "left"]].set_visible(False)
    return figure


def pictures(audit: Audit) -> Figure | None:
    """The pictures of an audit, a row for each kind; None where there are none.

    Parameters
    ----------
    audit : Audit
        What was found.
    """
    kinds = {name: images[:_MOST] for name, images in audit.pictures.items() if len(images)}
    if not kinds:
        return None
    columns = max(map(len, kinds.values()))
    with _figure(1.3 * columns, 1.5 * len(kinds)) as figure:
        axes = figure.subplots(len(kinds), columns, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for row, (name, images) in zip(axes, kinds.items(), strict=True):
            row[0].set_title(_short(name), loc="left", fontsize=9, parse_math=False)
            for axis, image in zip(row, images, strict=False):
                axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    return figure


def _short(name: str) -> str:
    return textwrap.shorten(name, _LONGEST, placeholder="…")


def _file(figure: Figure, form: str, **options: object) -> bytes:
    # no date and no version of a program: the same audit makes the same file
    nothing = {"svg": ("Creator", "Date", "Format", "Type"), "png": ("Software",)}[form]
    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(file, format=form, metadata=dict.fromkeys(nothing), **options)
    return file.getvalue()


def to_html(audit: Audit) -> str:
    """One page that needs nothing else: no script, no network, no other file.

    Parameters
    ----------
    audit : Audit
        What was found.

    Examples
    --------
    >>> found = Audit(None, "Too few <pairs>.", (), 0.0, None, None, pd.DataFrame(), {"seed": 0})
    >>> page = to_html(found)
    >>> "Undecided" in page, "Too few &lt;pairs&gt;." in page, "<script" in page
    (True, True, False)
    """
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Audit: {_HEADLINES[audit.leaks]}</title><style>{_CSS}</style></head><body><main>",
        "<h1>What these ciphertexts give away of their images</h1>",
        f'<div class="verdict {_CLASSES[audit.leaks]}">{_sign(audit.leaks)}'
        f"<p>{_text(audit.verdict)}</p></div>",
        _key_numbers(audit),
        *_strips(audit),
        "<h2>Findings</h2>",
        *_findings(audit.findings),
        *_estimates(audit),
        "<h2>Classical metrics of the same ciphertexts</h2>",
        *_metrics(audit),
        "<h2>How this was made</h2>",
        _settings(to_dict(audit)["settings"]),
        f'<p class="mild">Page written by leakage {__version__}.</p>',
        "<h2>Limits</h2>",
        "<p>A leak that is not found is no proof that there is none. An audit sees what its checks "
        "and representations see, in these pairs: other images, more pairs or a cleverer attack "
        "may show more. That a key is public, short or used elsewhere cannot be seen in pairs.</p>",
        "</main></body></html>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _text(text: object) -> str:
    return html.escape(str(text))


def _sign(leaks: bool | None) -> str:
    """For the eye only: a word follows."""
    return f'<span aria-hidden="true">{_SIGNS[leaks]}</span>'


def _key_numbers(audit: Audit) -> str:
    detectable, exact = audit.detectable_bits, audit.exact
    cards = [
        ("Certified", f"{audit.certified_bits:.3g} bits an image",
         "at least this much is given away, at 95 % confidence" if audit.certified_bits > 0
         else "no lower bound could be certified"),
        ("Detectable", "–" if detectable is None else f"{detectable:.2g} bits an image",
         "a leak was found, the question does not arise" if audit.leaks
         else "not known for these pairs" if detectable is None
         else "would have been found in eight of ten cases"),
        ("Closed form", "–" if exact is None else f"{exact.bits:.4g} bits a sample",
         "not known for this scheme" if exact is None else exact.method),
    ]  # fmt: skip
    items = "".join(
        f'<div><dt>{name}</dt><dd class="value">{value}</dd><dd class="mild">{_text(remark)}</dd>'
        "</div>"
        for name, value, remark in cards
    )
    return f'<h2>In numbers</h2><dl class="numbers">{items}</dl>'


def _strips(audit: Audit) -> list[str]:
    kinds = {name: images[:_MOST] for name, images in audit.pictures.items() if len(images)}
    if not kinds:
        return []
    strips = ["<h2>Pictures</h2>"]
    for name, images in kinds.items():
        caption = _CAPTIONS.get(name, f"What an attack made of the ciphertexts: {name}")
        # every k-th sample, not a mean: the mean of noise is gray
        step = -(-max(images.shape[1:3]) // _LARGEST)
        shown = "".join(
            f'<img alt="{_text(caption)}, {i} of {len(images)}" src="data:image/png;base64,'
            f'{base64.b64encode(_png(image[::step, ::step])).decode()}">'
            for i, image in enumerate(images, 1)
        )
        thinned = f" (one in {step} of the rows and columns)" if step > 1 else ""
        strips.append(
            f'<figure><div class="strip">{shown}</div>'
            f"<figcaption>{_text(caption)}{thinned}</figcaption></figure>"
        )
    return strips


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG")
    return file.getvalue()


def _table(head: Iterable[str], body: str) -> str:
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f"<table><thead><tr>{columns}</tr></thead>{body}</table>"


def _findings(findings: Iterable[Finding]) -> list[str]:
    introduction = (
        "<p>The gravest first. <em>Structure</em> is checked exactly, bit for bit. "
        "<em>Pixel</em>, <em>patch</em> and <em>embedding</em> look for information in single "
        "samples, small squares and whole images; <em>identification</em> asks whether an image is "
        "found among others by its ciphertext. p is corrected for all tests of the audit; a check "
        "in which chance plays no part has none.</p>"
    )
    rows = "".join(map(_finding_row, findings))
    if not rows:
        return ["<p>No question was asked.</p>"]
    return [introduction, _table(("Finding", "Bits", "p"), f"<tbody>{rows}</tbody>")]


def _finding_row(finding: Finding) -> str:
    e, source = finding.estimate, ""
    if e is not None:
        flags = f" Careful: {', '.join(e.flags)}." if e.flags else ""
        source = f'<p class="mild">{_text(f"{e.method} ({e.kind}), n = {e.n}.{flags}")}</p>'
    return (
        f"<tr><td><details{' open' if finding.leaks else ''}><summary>"
        f'<span class="state {_CLASSES[finding.leaks]}">{_sign(finding.leaks)} '
        f"{_WORDS[finding.leaks]}</span> <strong>{_text(finding.name)}</strong> "
        f'<span class="mild">{_text(finding.level)}</span></summary>'
        f"<p>{_text(finding.meaning)}</p><p><em>How to see it:</em> {_text(finding.how)}</p>"
        f'{source}</details></td><td class="number">{_text(_bits(e))} '
        f'<span class="mild">{_each(finding) if e else ""}</span></td>'
        f'<td class="short">{_text(_p(finding.p_value))}</td></tr>'
    )


def _each(finding: Finding) -> str:
    article = "an" if finding.unit == "image" else "a"
    return f"{article} {_text(finding.unit)}" if finding.unit else ""


def _estimates(audit: Audit) -> list[str]:
    figure = forest(audit)
    if figure is None:
        return []
    svg = _file(figure, "svg", facecolor="none").decode()
    # without the head of a file of its own, and with the colours of the page
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    drawn = _drawn(audit)
    described = "; ".join(f"{f.level}, {f.name}: {_bits(f.estimate)} {_each(f)}" for f in drawn)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{_text(described)}"', 1)
    caption = "Estimates with their 95 % intervals; orange squares are leaks, blue discs are not."
    if audit.certified_bits > 0:
        caption += " Dashed: the certified bound."
    missing = sum(f.estimate is not None for f in audit.findings) - len(drawn)
    if missing:
        caption += f" Without an interval to rely on, and so not drawn: {missing}."
    return [f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"]


def _metrics(audit: Audit) -> list[str]:
    if audit.metrics.empty:
        return ["<p>None was computed.</p>"]
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}{_remark(row["remark"])}</th>'
        f'<td class="short">{_number(row["value"])}</td>'
        f'<td class="short">{_number(row["null_mean"])}{_spread(row["null_sd"])}</td>'
        f'<td class="short">{_text(_p(row["p_value"])) or "–"}</td></tr>'
        for name, row in audit.metrics.iterrows()
    )
    p = audit.metrics["p_value"].dropna()
    return [
        "<p>Beside each value: what noise in the place of the ciphertexts gives. These metrics "
        "look at a ciphertext, at its own image, or at two ciphertexts of one image. They miss a "
        "keystream that serves two images, a key that is public, and whatever only shows across "
        f"images: passing all of them proves little. Here {(p > 0.01).sum()} of the {len(p)} with "
        "a p-value are as on noise (p above 0.01, each by itself).</p>",
        _table(("Metric", "Value", "On noise", "p"), f"<tbody>{rows}</tbody>"),
    ]


def _remark(remark: object) -> str:
    return f' <span class="mild">{_text(remark)}</span>' if isinstance(remark, str) else ""


def _spread(sd: float) -> str:
    return f' <span class="mild spread">± {sd:.2g}</span>' if math.isfinite(sd) else ""


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{0 if abs(value) < 1e-12 else value:.4g}"


def _settings(settings: Mapping[str, object]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th>'
        f"<td>{_text(value if isinstance(value, str) else json.dumps(value))}</td></tr>"
        for name, value in settings.items()
    )
    return _table(("Setting", "Value"), f"<tbody>{rows}</tbody>")


def save(audit: Audit, folder: str | Path) -> dict[str, Path]:
    """Write ``report.html``, ``report.json``, ``findings.tex`` and the figures into a folder.

    The figures are ``estimates`` and ``pictures``, each as SVG and PNG, where there is something
    to draw. All files are complete before the first takes its place, and each takes it in one
    step. Files of the same names are replaced, others are kept.

    Parameters
    ----------
    audit : Audit
        What was found.
    folder : str or Path
        Made if need be.

    Returns
    -------
    dict of str to Path
        Where each file is, by its name.

    Raises
    ------
    ValueError
        `folder`, or a folder it is to be in, is a file; or the settings hold bytes.

    Examples
    --------
    >>> found = Audit(None, "Too few pairs.", (), 0.0, None, None, pd.DataFrame(), {})
    >>> with tempfile.TemporaryDirectory() as place:
    ...     sorted(save(found, Path(place, "report")))
    ['findings.tex', 'report.html', 'report.json']
    """
    folder = Path(folder)
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(f"{path} is a file; name a folder for the report")
    files = _files(audit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # An existing folder may be a file system of its own, into which nothing can be moved in one
    # step from outside.
    with tempfile.TemporaryDirectory(
        prefix=".report-", dir=folder if folder.exists() else folder.parent
    ) as scratch:
        made = Path(scratch, "report")
        made.mkdir()
        for name, data in files.items():
            (made / name).write_bytes(data)
        if folder.exists():
            for name in files:
                (made / name).replace(folder / name)
        else:
            made.rename(folder)
    return {name: folder / name for name in files}


def _files(audit: Audit) -> dict[str, bytes]:
    # "replace": names of files need not be text
    files = {
        "report.html": to_html(audit).encode("utf8", "replace"),
        "report.json": (json.dumps(to_dict(audit), indent=1, allow_nan=False) + "\n").encode(),
        "findings.tex": to_latex(audit).encode("utf8", "replace"),
    }
    for name, figure in {"estimates": forest(audit), "pictures": pictures(audit)}.items():
        if figure is not None:
            for form in ("svg", "png"):
                files[f"{name}.{form}"] = _file(figure, form, dpi=200)
    return files
