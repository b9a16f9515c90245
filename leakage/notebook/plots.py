"""Every figure of the book. Opaque white background, so that dark pages do not swallow them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from leakage.style import COLOURS, MARKERS, STYLE

if TYPE_CHECKING:  # at run time it would load torch
    from leakage.estimators.leak_maps import LeakMap


@contextmanager
def _style(*, grid: bool = True) -> Iterator[None]:
    # The first figure of a notebook switches the interactive mode on; leaving rc_context would
    # switch it off again, and no later figure would be shown.
    with plt.rc_context(matplotlib.RcParams({**STYLE, "axes.grid": grid})):
        yield
        interactive = plt.isinteractive()
    matplotlib.interactive(interactive)


def image_grid(images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 5) -> Figure:
    """Images side by side, shown pixel by pixel on the full scale from 0 to 255.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W) or (H, W, 3)
        Gray images are shown in gray, others in colour.
    titles : sequence of str
        One an image.
    columns : int
        Images a row.
    """
    rows = -(-len(images) // columns)
    with _style():
        figure, axes = plt.subplots(
            rows, columns, figsize=(1.55 * columns, 1.8 * rows), squeeze=False, layout="constrained"
        )
        for axis in axes.flat:
            axis.axis("off")
        for axis, image, title in zip(axes.flat, images, titles, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_title(title, fontsize=9)
    return figure


def _bars(values: ArrayLike, interval: Sequence[ArrayLike]) -> np.ndarray:
    """How far down and up the ends of intervals are from their values, shape (2, N)."""
    low, high = interval
    return np.abs([np.subtract(low, values), np.subtract(high, values)])


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[ArrayLike]],
    *,
    xlabel: str,
    ylabel: str,
    exact: Sequence[float] | None = None,
    band: tuple[float, float] | None = None,
    logx: bool = False,
) -> Figure:
    """Values against `x`, with intervals, an exact line and a null band where given.

    Parameters
    ----------
    x : sequence of float
        Common to all series.
    series : mapping of str to (values,) or (values, low, high)
        Legend to values and bounds.
    xlabel, ylabel : str
        Of the axes, with units.
    exact : sequence of float, optional
        Drawn as a black line.
    band : (float, float), optional
        What the same procedure gives where there is nothing to find; shaded.
    logx : bool
        Logarithmic horizontal axis.
    """
    with _style():
        figure, axis = plt.subplots(figsize=(4.8, 3.2), layout="constrained")
        if band is not None:
            axis.axhspan(*band, color="0.8", zorder=0, label="null: shuffled pairs")
        if exact is not None:
            axis.plot(x, exact, color="black", lw=1.5, label="exact", zorder=1)
        for i, (label, (values, *interval)) in enumerate(series.items()):
            colour, marker = COLOURS[i % 6], MARKERS[i % 6]
            if interval:
                axis.errorbar(
                    x, values, yerr=_bars(values, interval), capsize=3, ms=5, label=label,
                    color=colour, marker=marker,
                )  # fmt: skip
            else:
                axis.plot(x, values, color=colour, marker=marker, ms=5, label=label)
        if logx:
            axis.set_xscale("log")
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.legend()
    return figure


def scatter_with_bound(
    x: Sequence[float],
    y: Sequence[float],
    interval: tuple[Sequence[float], Sequence[float]],
    labels: Sequence[str],
    grid: Sequence[float],
    bound: Sequence[float],
    *,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Labelled points with vertical intervals, under a curve that bounds them.

    Parameters
    ----------
    x, y : sequence of float
        Where the points are.
    interval : (sequence of float, sequence of float)
        Lower and upper ends around each of `y`.
    labels : sequence of str
        Of the points, in the legend.
    grid, bound : sequence of float
        The curve.
    xlabel, ylabel : str
        Of the axes, with units.
    """
    with _style():
        figure, axis = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
        axis.plot(grid, bound, color="black", lw=1.5, label="bound")
        bars = _bars(y, interval)
        for i, label in enumerate(labels):
            axis.errorbar(
                x[i], y[i], yerr=bars[:, [i]], capsize=3, ms=6, label=label,
                color=COLOURS[i % 6], marker=MARKERS[i % 6], mfc="white" if i >= 6 else None,
                linestyle="none",
            )  # fmt: skip
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.legend(fontsize=9)
    return figure


def heatmap(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    limit: float,
) -> Figure:
    """A table of numbers as colours, each number printed in its cell.

    Parameters
    ----------
    values : ndarray of float, shape (rows, columns)
        Above or at 0.
    rows, columns : sequence of str
        What stands beside and below the table.
    xlabel, ylabel, label : str
        Of the axes and of the scale of colours, with units.
    limit : float
        Where the colours end: larger numbers look like this one.
    """
    with _style(grid=False):
        figure, axis = plt.subplots(
            figsize=(1.9 + 0.58 * len(columns), 1.2 + 0.36 * len(rows)), layout="constrained"
        )
        shown = axis.imshow(values, cmap="viridis", vmin=0, vmax=limit, aspect="auto")
        axis.set_xticks(range(len(columns)), columns)
        axis.set_yticks(range(len(rows)), rows)
        for i, row in enumerate(np.asarray(values)):
            for j, value in enumerate(row):
                colour = "black" if value > 0.6 * limit else "white"
                axis.text(j, i, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=9)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        figure.colorbar(shown, ax=axis, label=label, extend="max")
    return figure


def leak_maps(maps: Mapping[str, LeakMap]) -> Figure:
    """Maps of where the leak is, side by side on one scale, marked places framed.

    Parameters
    ----------
    maps : mapping of str to LeakMap
        Title to a map over a set of images, or to maps of every image, of which the first is drawn.
    """
    most = max(float(one.first.bits.max()) for one in maps.values())
    with _style(grid=False):
        figure, axes = plt.subplots(
            1, len(maps), figsize=(1.75 * len(maps) + 0.6, 2.1), squeeze=False, layout="constrained"
        )
        for axis, (title, several) in zip(axes.flat, maps.items(), strict=True):
            one = several.first
            axis.axis("off")
            shown = axis.imshow(one.bits, cmap="cividis", vmin=0, vmax=max(most, 1e-3))
            for row, column in np.argwhere(one.marked):
                corner = (column - 0.5, row - 0.5)
                axis.add_patch(Rectangle(corner, 1, 1, fill=False, color=COLOURS[1], linewidth=0.8))
            axis.set_title(title, fontsize=9)
        figure.colorbar(shown, ax=axes, label="bit a patch", shrink=0.8)
    return figure
