"""Figures of the book: each draws what it says, and leaves the session as it was."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from leakage.estimators.leak_maps import LeakMap
from leakage.notebook import plots
from leakage.style import COLOURS


def image_grid() -> Figure:
    images = [np.full((4, 6), 7, np.uint8), np.full((4, 6, 3), 9, np.uint8)] * 2
    return plots.image_grid(images, ["a", "b", "c", "d"], columns=3)


def curves() -> Figure:
    series = {"plain": ([3, 2, 1],), "with interval": ([1, 2, 3], [0, 1, 1], [2, 4, 5])}
    return plots.curves(
        [1, 10, 100], series, xlabel="planes", ylabel="bits a pixel", exact=[2, 2, 2],
        band=(-0.1, 0.1), logx=True,
    )  # fmt: skip


def scatter_with_bound() -> Figure:
    places = np.arange(8)
    return plots.scatter_with_bound(
        places, 2 * places, (2 * places - 1, 2 * places + 3), list("abcdefgh"),
        np.linspace(0, 7, 50), np.linspace(1, 20, 50), xlabel="bits", ylabel="success",
    )  # fmt: skip


def heatmap() -> Figure:
    return plots.heatmap(
        np.array([[0, 1.25, 9], [3, 4, 8]]), ["r", "s"], ["x", "y", "z"], xlabel="scheme",
        ylabel="layer", label="bits an image", limit=8,
    )  # fmt: skip


def leak_maps() -> Figure:
    bits, marked = np.array([[0.1, 2.0], [0.0, -0.1]]), np.array([[False, True], [False, False]])
    one = LeakMap(bits, np.ones((2, 2)), marked, np.array(0.01), 0.05, 8, 4, (12, 12), "counting")
    each = LeakMap(
        bits[None], np.ones((1, 2, 2)), marked[None], np.array([0.01]), 0.05, 8, 4, (12, 12), "any"
    )
    return plots.leak_maps({"a": one, "b": each})


DRAWN = (image_grid, curves, scatter_with_bound, heatmap, leak_maps)


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    yield
    plt.close("all")


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("interactive", [True, False])
def test_a_session_stays_as_it_was(draw, interactive):
    with plt.rc_context({"lines.linewidth": 7, "axes.grid": False}):
        matplotlib.interactive(interactive)
        before = dict(matplotlib.rcParams)
        figure = draw()
        assert dict(matplotlib.rcParams) == before
        assert plt.isinteractive() is interactive
    assert figure.get_facecolor() == (1, 1, 1, 1)


@pytest.mark.parametrize("draw", DRAWN)
def test_the_first_figure_may_switch_the_interactive_mode_on(draw, monkeypatch):
    """As inline figures of a notebook do: it stays on, or no later figure would be shown."""
    subplots = plt.subplots

    def switched(*args, **kwargs):
        matplotlib.interactive(True)
        return subplots(*args, **kwargs)

    monkeypatch.setattr(plt, "subplots", switched)
    with plt.rc_context():
        matplotlib.interactive(False)
        draw()
        assert plt.isinteractive()


@pytest.mark.parametrize("draw", DRAWN)
def test_every_module_function_is_drawn_and_can_be_saved(draw, tmp_path):
    draw().savefig(tmp_path / "figure.png")
    public = {n for n, f in vars(plots).items() if getattr(f, "__module__", "") == plots.__name__}
    assert {n for n in public if not n.startswith("_")} == {f.__name__ for f in DRAWN}


def test_images_are_shown_as_they_are_on_the_full_scale():
    axes = image_grid().axes
    assert len(axes) == 6  # two rows of three, of which two places are empty
    assert [axis.get_title() for axis in axes] == ["a", "b", "c", "d", "", ""]
    assert [len(axis.images) for axis in axes] == [1, 1, 1, 1, 0, 0]
    gray, colour = axes[0].images[0], axes[1].images[0]
    assert gray.get_clim() == (0, 255)
    assert gray.get_cmap().name == "gray"
    assert gray.get_interpolation() == colour.get_interpolation() == "nearest"
    assert np.array_equal(gray.get_array(), np.full((4, 6), 7))
    assert np.array_equal(colour.get_array(), np.full((4, 6, 3), 9))
    assert not any(axis.axison for axis in axes)


def test_curves_have_intervals_an_exact_line_and_a_band():
    (axis,) = curves().axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("planes", "bits a pixel")
    assert axis.get_xscale() == "log"
    shown = [text.get_text() for text in axis.get_legend().get_texts()]
    assert set(shown) == {"null: shuffled pairs", "exact", "plain", "with interval"}
    lines = {line.get_label(): line for line in axis.lines}
    assert lines["exact"].get_color() == "black"
    assert list(lines["plain"].get_ydata()) == [3, 2, 1]
    assert lines["plain"].get_color() == COLOURS[0]
    (errorbar,) = axis.containers
    line, _, (bars,) = errorbar
    assert list(line.get_ydata()) == [1, 2, 3]
    assert line.get_color() == COLOURS[1]
    ends = [[low, high] for (_, low), (_, high) in bars.get_segments()]
    assert ends == [[0, 2], [1, 4], [1, 5]]
    (band,) = axis.patches
    ends = band.get_path().get_extents(band.get_patch_transform())  # older ones are no rectangle
    assert (ends.y0, ends.y1) == pytest.approx((-0.1, 0.1))


def test_curves_need_neither_band_nor_exact_line():
    (axis,) = plots.curves([1, 2], {"one": ([1, 2],)}, xlabel="x", ylabel="y").axes
    assert len(axis.lines) == 1
    assert not axis.patches
    assert axis.get_xscale() == "linear"


def test_points_are_told_apart_under_their_bound():
    (axis,) = scatter_with_bound().axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("bits", "success")
    (bound,) = (line for line in axis.lines if line.get_label() == "bound")
    assert len(bound.get_xdata()) == 50
    assert len(axis.containers) == 8
    looks = set()
    for i, container in enumerate(axis.containers):
        point, _, (bar,) = container
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (i, 2 * i)
        ((_, low), (_, high)) = bar.get_segments()[0]
        assert (low, high) == (2 * i - 1, 2 * i + 3)
        looks.add((point.get_color(), point.get_marker(), point.get_markerfacecolor()))
    assert len(looks) == 8
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["bound", *"abcdefgh"]


def test_a_heatmap_prints_every_number_and_ends_at_its_limit():
    axis, scale = heatmap().axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("scheme", "layer")
    assert scale.get_ylabel() == "bits an image"
    (image,) = axis.images
    assert image.get_clim() == (0, 8)
    assert [text.get_text() for text in axis.texts] == ["0.0", "1.2", "9.0", "3.0", "4.0", "8.0"]
    assert [text.get_color() for text in axis.texts][:3] == ["white", "white", "black"]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["x", "y", "z"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["r", "s"]


def test_maps_share_a_scale_and_marked_places_are_framed():
    first, second = leak_maps().axes[:2]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0, 2)
    frames = [(patch.get_x(), patch.get_y()) for patch in first.patches]
    assert frames == [(0.5, -0.5)]
