"""Figures that move without a server: frames computed beforehand, and controls of plain HTML.

A player needs no network and no library. Without scripts, on paper and in a PDF it is a film
strip of all its frames.
"""

import base64
import html
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from leakage.pictures.thumbnails import data_address, png

#: Bytes of all frames together, as they are written into the page.
MOST_BYTES = 2_000_000
#: Frames in a row of the film strip.
COLUMNS = 6

_STYLE = """<style>
.frame-player .controls { display: none; flex-wrap: wrap; gap: .5rem 1.5rem; margin-bottom: .5rem; }
.frame-player.live .controls { display: flex; }
.frame-player .controls > span { white-space: nowrap; }
.frame-player input { vertical-align: middle; width: 10rem; }
.frame-player .frames { display: flex; flex-wrap: wrap; gap: 1rem; }
.frame-player figure { margin: 0; width: 8rem; text-align: left; }
.frame-player figcaption { color: inherit; font-size: .9em; text-align: left; }
.frame-player img { width: 100%; image-rendering: pixelated; }
.frame-player.live figure { width: 100%; }
.frame-player.live img { width: 256px; max-width: 100%; }
.frame-player.live figure[hidden] { display: none; }
@media print {
  .frame-player.live .controls { display: none; }
  .frame-player.live figure { width: 8rem; }
  .frame-player.live figure[hidden] { display: block !important; }
  .frame-player.live img { width: 100%; }
}
</style>"""

# Frames are in the order of itertools.product over the controls. A control that is used is put
# into words for screen readers too, which would otherwise read out its position.
_SCRIPT = """<script>
document.querySelectorAll(".frame-player:not(.live)").forEach(function (player) {
  var box = player.querySelector(".controls");
  box.innerHTML = box.dataset.html;
  var controls = box.querySelectorAll("input, select");
  var frames = player.querySelectorAll("figure");
  function show() {
    var chosen = 0;
    controls.forEach(function (control) {
      var slider = control.type === "range";
      var values = slider ? JSON.parse(control.dataset.values) : control.options;
      var at = slider ? +control.value : control.selectedIndex;
      chosen = chosen * values.length + at;
      if (slider) {
        control.setAttribute("aria-valuetext", values[at]);
        control.closest("span").querySelector("output").textContent = values[at];
      }
    });
    frames.forEach(function (frame, i) { frame.hidden = i !== chosen; });
  }
  controls.forEach(function (control) { control.addEventListener("input", show); });
  player.classList.add("live");
  show();
});
</script>"""


@dataclass(frozen=True)
class Frame:
    """One picture of a player.

    Attributes
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
    alt : str
        What the picture shows, for who cannot see it.
    text : str
        What is to be said beside it, numbers for instance.
    """

    picture: np.ndarray
    alt: str
    text: str


def _control(name: str, values: Sequence, start: int) -> str:
    """Numbers become a slider, words a menu."""
    label, texts = html.escape(name), [html.escape(str(value)) for value in values]
    if all(isinstance(value, int | float | np.number) for value in values):
        data = html.escape(json.dumps([str(value) for value in values]))
        return (
            f'<span><label>{label} <input type="range" min="0" max="{len(values) - 1}" step="1" '
            f'value="{start}" autocomplete="off" data-values="{data}" '
            f'aria-valuetext="{texts[start]}"></label> <output>{texts[start]}</output></span>'
        )
    options = "".join(
        f"<option{' selected' if i == start else ''}>{text}</option>"
        for i, text in enumerate(texts)
    )
    return f'<span><label>{label} <select autocomplete="off">{options}</select></label></span>'


@dataclass(frozen=True)
class Player:
    """Frames, one for each combination of what the controls can be set to.

    Shown by Jupyter and in the book as HTML, elsewhere as a film strip. `player` makes one.

    Attributes
    ----------
    frames : tuple of Frame
        In the order of ``itertools.product`` over the controls.
    controls : dict of str to sequence
        What each control is called, and its values.
    start : dict of str to object
        Where controls stand at first, if not at their first value.
    """

    frames: tuple[Frame, ...]
    controls: Mapping[str, Sequence]
    start: Mapping[str, object]

    def _repr_html_(self) -> str:
        files = [png(frame.picture) for frame in self.frames]
        if (size := sum(map(len, files))) > MOST_BYTES:
            raise ValueError(
                f"the frames of this player are {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6}: "
                "cut the pictures or offer fewer values"
            )
        controls = "".join(
            _control(name, values, list(values).index(self.start.get(name, values[0])))
            for name, values in self.controls.items()
        )
        frames = "".join(
            f'<figure><img src="{data_address(file)}" alt="{html.escape(frame.alt)}">'
            f"<figcaption>{html.escape(frame.text)}</figcaption></figure>"
            for frame, file in zip(self.frames, files, strict=True)
        )
        return (
            f'<div class="frame-player">{_STYLE}'
            # put in by the script: where none may run, there are no controls that do nothing
            f'<div class="controls" data-html="{html.escape(controls)}"></div>'
            f'<div class="frames" aria-live="polite">{frames}</div></div>{_SCRIPT}'
        )

    def film_strip(self) -> np.ndarray:
        """All frames side by side, 6 in a row, on white.

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)
            The pictures as they are, each with a margin of 2 or more white pixels to the next.
        """
        high = max(frame.picture.shape[0] for frame in self.frames) + 4
        wide = max(frame.picture.shape[1] for frame in self.frames) + 4
        columns = min(COLUMNS, len(self.frames))
        rows = -(-len(self.frames) // columns)
        strip = np.full((rows * high, columns * wide, 3), 255, np.uint8)
        for i, frame in enumerate(self.frames):
            top, left = i // columns * high, i % columns * wide
            picture = frame.picture if frame.picture.ndim == 3 else frame.picture[..., None]
            strip[top : top + len(picture), left : left + picture.shape[1]] = picture
        return strip

    # Jupyter may name the forms that it wants; it picks from all of them as well
    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        strip = base64.b64encode(png(self.film_strip())).decode("ascii")
        text = "\n".join(frame.text for frame in self.frames)
        return {"text/html": self._repr_html_(), "image/png": strip, "text/plain": text}


def player(
    draw: Callable[..., Frame],
    controls: Mapping[str, Sequence],
    start: Mapping[str, object] | None = None,
) -> Player:
    """A figure that readers move.

    Parameters
    ----------
    draw : callable
        Makes the frame for one value of each control, given in the order of `controls`.
    controls : mapping of str to sequence
        Names of controls and their values: numbers make a slider, words a menu. One or two: every
        combination is a frame, and all are in the page.
    start : mapping of str to object, optional
        Values to start with.

    Returns
    -------
    Player

    Raises
    ------
    ValueError
        No control, a control without values, or a start that is none of them.

    Examples
    --------
    >>> def draw(grey):
    ...     return Frame(np.full((4, 4), grey, np.uint8), f"a square of grey {grey}", f"{grey}")
    >>> shown = player(draw, {"grey": [0, 100, 200]}, start={"grey": 100})
    >>> len(shown.frames), shown.film_strip().shape
    (3, (8, 24, 3))
    """
    controls = {name: list(values) for name, values in controls.items()}
    start = dict(start or {})
    if prod(map(len, controls.values())) == 0 or not controls:
        raise ValueError("a player needs controls, each with at least one value")
    for name, value in start.items():
        if value not in controls.get(name, ()):
            raise ValueError(f"start: {name}={value!r} is no value of a control")
    frames = tuple(draw(*values) for values in itertools.product(*controls.values()))
    return Player(frames, controls, start)
