"""The figures of an audit: its estimates with their intervals, and its pictures."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leakage.audits.findings import Finding, Findings
from leakage.audits.words import short
from leakage.estimate import FOLDS_DISAGREE
from leakage.pictures.thumbnails import thumbnail
from leakage.style import COLOURS, STYLE

#: Of text and axes; on a page it becomes the colour of the text around.
INK = "#1a1a1a"

_UNITS = ("sample", "patch", "image")
_MOST = 6  # pictures of a kind
_LARGEST = 400  # pixels of a picture's side: a figure shows no more
_STYLE = STYLE | {
    "svg.hashsalt": "leakage", "font.family": "DejaVu Sans", "axes.grid": False,
    "axes.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}  # fmt: skip


@contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]  # wants a literal for every key
        yield


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    # no pyplot: its list of open figures and its backend belong to the caller
    with _styled():
        yield Figure(figsize=(width, height), layout="constrained")


def figure_file(
    figure: Figure,
    form: Literal["svg", "png"],
    dpi: float | None = None,
    background: str | None = None,
) -> bytes:
    """A figure as the content of a file: the same figure makes the same file.

    Parameters
    ----------
    figure : Figure
        One of this module.
    form : {"svg", "png"}
        Of the file.
    dpi : float, optional
        Dots an inch; those of the figure by default.
    background : str, optional
        A colour or ``"none"``; white by default.

    Returns
    -------
    bytes
        The file, without a date and the version of a program.
    """
    nothing = {"svg": ("Creator", "Date", "Format", "Type"), "png": ("Software",)}[form]
    file = io.BytesIO()
    with _styled():
        figure.savefig(
            file, format=form, metadata=dict.fromkeys(nothing), dpi=dpi, facecolor=background
        )
    return file.getvalue()


class Interval(NamedTuple):
    """A finding that has its place in a forest plot, in bits."""

    finding: Finding
    low: float
    bits: float
    high: float


def intervals(audit: Findings) -> list[Interval]:
    """All that `forest` draws: no estimate whose folds disagree, none without a finite interval."""
    found = []
    for finding in audit.findings:
        e = finding.estimate
        if e is None or FOLDS_DISAGREE in e.flags or finding.unit not in _UNITS:
            continue
        if e.low is not None and e.high is not None and np.isfinite([e.low, e.bits, e.high]).all():
            found.append(Interval(finding, e.low, e.bits, e.high))
    return found


def forest(audit: Findings) -> Figure | None:
    """Estimates with their 95 % intervals, a panel for what they count: sample, patch or image.

    A dashed line marks the certified bound, which is in bits an image. Names stand above the
    intervals, so that they can be read on a phone too.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    Figure or None
        None where there is nothing to draw.
    """
    found = intervals(audit)
    panels = {unit: [drawn for drawn in found if drawn.finding.unit == unit] for unit in _UNITS}
    panels = {unit: inside for unit, inside in panels.items() if inside}
    if not panels:
        return None
    heights = [0.6 + 0.46 * len(inside) for inside in panels.values()]
    with _figure(4.4, 0.3 + sum(heights)) as figure:
        axes = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
        for axis, (unit, inside) in zip(axes, panels.items(), strict=True):
            _panel(axis, inside)
            if unit == "image" and audit.certified_bits > 0:
                axis.axvline(audit.certified_bits, color=COLOURS[2], lw=2, ls="--", zorder=0)
            axis.locator_params("x", nbins=5)
            axis.set(yticks=[], ylim=(-0.4, len(inside) - 0.2), xlabel=f"bits, of one {unit}")
            axis.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _panel(axis: Axes, inside: list[Interval]) -> None:
    for place, (finding, low, bits, high) in enumerate(reversed(inside)):
        colour, marker = (COLOURS[1], "s") if finding.leaks else (COLOURS[0], "o")
        axis.plot([low, high], [place, place], color=colour, lw=2.5)
        axis.plot(bits, place, marker, color=colour, ms=7)
        axis.text(
            0, place + 0.22, short(f"{finding.level}: {finding.name}"), fontsize=9.5,
            transform=axis.get_yaxis_transform(), parse_math=False,
        )  # fmt: skip
    axis.axvline(0, color="0.6", lw=1, zorder=0)


def shown_pictures(audit: Findings) -> dict[str, np.ndarray]:
    """The first few pictures of each kind, without kinds that have none."""
    return {name: images[:_MOST] for name, images in audit.pictures.items() if len(images)}


def pictures(audit: Findings) -> Figure | None:
    """The pictures of an audit, a row for each kind.

    Parameters
    ----------
    audit : Findings
        What was found.

    Returns
    -------
    Figure or None
        None where there are no pictures.
    """
    kinds = shown_pictures(audit)
    if not kinds:
        return None
    columns = max(map(len, kinds.values()))
    with _figure(1.3 * columns, 1.5 * len(kinds)) as figure:
        axes = figure.subplots(len(kinds), columns, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for row, (name, images) in zip(axes, kinds.items(), strict=True):
            row[0].set_title(short(name), loc="left", fontsize=9, parse_math=False)
            for axis, image in zip(row, images, strict=False):
                small = thumbnail(image, _LARGEST)
                axis.imshow(small, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    return figure
