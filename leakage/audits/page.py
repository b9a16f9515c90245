"""An audit as one page of HTML, and as what a notebook shows of it; the templates lie beside."""

import json
import math
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leakage import __version__
from leakage.audits import words
from leakage.audits.data import to_dict
from leakage.audits.figures import INK, figure_file, forest, intervals, shown_pictures
from leakage.audits.findings import Findings, Limit
from leakage.audits.verdicts import LEVELS
from leakage.estimate import p_text
from leakage.pictures.thumbnails import data_address, png, thumbnail

_CLASSES = {True: "leak", None: "open", False: "none"}
_CAPTIONS = {
    "plain": "Images", "cipher": "Their ciphertexts", "most exposed": "The most exposed images",
    "most exposed, encrypted": "Ciphertexts of the most exposed",
}  # fmt: skip
_LARGEST = 256  # side of a picture on the page, in samples


class Card(NamedTuple):
    """A number that sums an audit up."""

    name: str
    value: str
    remark: str


class Strip(NamedTuple):
    """Pictures of one kind, as addresses that hold them; one in `step` rows and columns."""

    caption: str
    addresses: list[str]
    step: int


class Plot(NamedTuple):
    """The estimates as a drawing, and what a caption says of it."""

    svg: Markup
    missing: int


class Measure(NamedTuple):
    """A row of the table of classical metrics."""

    name: str
    remark: str
    value: str
    null: str
    spread: str
    p: str


def to_html(audit: Findings) -> str:
    """One page that needs nothing else: no script, no network, no other file.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    str
        The page, with everything escaped that is not ours.

    Examples
    --------
    >>> found = Findings(
    ...     None, "Too few <pairs>.", (), 0.0, None, None, pd.DataFrame(), {"seed": 0}
    ... )
    >>> page = to_html(found)
    >>> "Undecided" in page, "Too few &lt;pairs&gt;." in page, "<script" in page
    (True, True, False)
    """
    p_values = [] if audit.metrics.empty else audit.metrics["p_value"].dropna()
    return templates().get_template("report.html.j2").render(
        audit=audit, version=__version__, cards=_cards(audit), strips=_strips(audit),
        best=_best(audit), matrix=_matrix(audit), plot=_plot(audit),
        where=Markup(audit.where._repr_html_() if audit.where else ""),
        measures=_measures(audit.metrics), settings=_settings(audit), tested=len(p_values),
        like_noise=sum(p > 0.01 for p in p_values),
    )  # fmt: skip


def to_cell(audit: Findings) -> str:
    """Verdict and findings as a notebook shows them, in the colours and letters around.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    str
        A fragment of HTML, with everything escaped that is not ours.

    Examples
    --------
    >>> found = Findings(None, "Too few <pairs>.", (), 0.0, None, None, pd.DataFrame(), {})
    >>> "Too few &lt;pairs&gt;." in to_cell(found)
    True
    """
    return templates().get_template("cell.html.j2").render(audit=audit)


def templates() -> Environment:
    """Of all pages, which escape whatever is not ours."""
    templates = Environment(
        loader=PackageLoader("leakage.audits", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    templates.filters |= {"p": p_text, "bits": words.bits_text, "unit": words.unit_text}
    templates.globals |= {
        "CLASSES": _CLASSES, "HEADLINES": words.HEADLINES, "SIGNS": words.SIGNS,
        "STATES": words.STATES,
    }  # fmt: skip
    return templates


def _cards(audit: Findings) -> list[Card]:
    certified, detectable, exact = audit.certified_bits, audit.detectable_bits, audit.exact
    return [
        Card(
            "Certified", f"{certified:.3g} bits an image" if certified > 0 else "–",
            "at least this much is given away, at 95 % confidence; lower bounds of different "
            "schemes cannot be ranked" if certified > 0
            else "no amount could be certified, which says nothing against what was found"
            if audit.leaks else "no amount could be certified",
        ),
        Card(
            "Detectable", "–" if detectable is None else f"{detectable:.2g} bits an image",
            "a leak was found, the question does not arise" if audit.leaks
            else "not known for these pairs" if detectable is None
            else "would have been found in eight of ten cases",
        ),
        Card(
            "Closed form", "–" if exact is None else f"{exact.bits:.4g} bits a sample",
            "not known for this scheme" if exact is None else exact.method,
        ),
    ]  # fmt: skip


def _best(audit: Findings) -> Limit | None:
    """The adversary that leaves least Bayes security, among those that guess."""
    guessing = [one for one in audit.limits if one.bayes_security is not None]
    return min(guessing, key=lambda one: one.bayes_security or 0.0, default=None)


def _matrix(audit: Findings) -> dict[str, dict[bool | None, list[str]]]:
    """Names of findings by what looked and what was found, for what was asked at all."""
    rows = {
        level: {
            state: [f.name for f in audit.findings if (f.level, f.leaks) == (level, state)]
            for state in _CLASSES
        }
        for level in LEVELS
    }
    return {level: row for level, row in rows.items() if any(row.values())}


def _strips(audit: Findings) -> list[Strip]:
    strips = []
    for name, images in shown_pictures(audit).items():
        caption = _CAPTIONS.get(name, f"What an attack made of the ciphertexts: {name}")
        small = [thumbnail(image, _LARGEST) for image in images]
        step = -(-max(images.shape[1:3]) // max(small[0].shape[:2]))
        strips.append(Strip(caption, [data_address(png(i)) for i in small], step))
    return strips


def _plot(audit: Findings) -> Plot | None:
    figure = forest(audit)
    if figure is None:
        return None
    found = intervals(audit)
    described = "; ".join(
        f"{f.level}, {f.name}: {words.bits_text(f)} {words.unit_text(f)}" for f, *_ in found
    )
    svg = figure_file(figure, "svg", background="none").decode()
    # without the head of a file of its own, and with the colours of the page
    svg = svg[svg.index("<svg") + 4 :].replace(INK, "currentColor")
    start = Markup('<svg role="img" aria-label="{}"').format(described)
    missing = sum(f.estimate is not None for f in audit.findings) - len(found)
    return Plot(start + Markup(svg), missing)


def _measures(metrics: pd.DataFrame) -> list[Measure]:
    return [
        Measure(
            str(name), row["remark"] if isinstance(row["remark"], str) else "",
            _number(row["value"]), _number(row["null_mean"]),
            f"± {row['null_sd']:.2g}" if math.isfinite(row["null_sd"]) else "",
            p_text(row["p_value"]) or "–",
        )
        for name, row in metrics.iterrows()
    ]  # fmt: skip


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{0 if abs(value) < 1e-12 else value:.4g}"


def _settings(audit: Findings) -> dict[str, str]:
    settings = to_dict(audit)["settings"]
    assert isinstance(settings, dict)
    origin = audit.origin
    made = {
        "made": origin.made, "command": origin.command, "read as": origin.read_as,
        **{
            f"folder, {folder.role}":
            f"{folder.name}: {folder.files} pictures, SHA-256 of names and contents {folder.digest}"
            for folder in origin.folders
        },
        "remarks": "; ".join(origin.remarks),
    }  # fmt: skip
    return {name: value for name, value in made.items() if value} | {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
