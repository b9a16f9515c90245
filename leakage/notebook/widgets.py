"""Live controls over `leakage.notebook.explorer`, for JupyterLab, Colab and Voila."""

import html
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import ipywidgets as widgets
import pandas as pd

from leakage.estimate import p_text
from leakage.notebook import explorer
from leakage.notebook.explorer import LAYERS, LEVELS, Setting, View
from leakage.pictures.image_sets import load_images
from leakage.pictures.reading import SUFFIXES
from leakage.pictures.thumbnails import data_address, png
from leakage.schemes import list_schemes

_WIDE = {"style": {"description_width": "8.5rem"}, "layout": {"width": "27rem", "max_width": "95%"}}
_STYLE = """<style>
.leakage-pictures { display: flex; flex-wrap: wrap; gap: .8rem; }
.leakage-pictures figure { margin: 0; }
.leakage-pictures img { width: 192px; max-width: 100%; image-rendering: pixelated; }
.leakage-table table { border-collapse: collapse; }
.leakage-table :is(th, td) { padding: .15rem .6rem; text-align: right; }
</style>"""


def pictures_html(view: View) -> str:
    """The pictures of a view side by side, each with its title, also as its description."""
    figures = [
        f'<figure><img alt="{html.escape(title)}" src="{data_address(png(picture))}">'
        f"<figcaption>{html.escape(title)}</figcaption></figure>"
        for title, picture in explorer.panels(view).items()
    ]
    return f'{_STYLE}<div class="leakage-pictures">{"".join(figures)}</div>'


def leaks_as_text(leaks: pd.DataFrame) -> pd.DataFrame:
    """The table of a view, rounded, and empty where there is no number.

    Examples
    --------
    >>> table = pd.DataFrame({"bits": [0.1239, -0.0001], "p": [None, 0.0001]})
    >>> leaks_as_text(table).values.tolist()
    [['0.124', ''], ['0.000', '< 0.001']]
    """
    text = leaks.map(lambda v: "" if pd.isna(v) else f"{round(v, 3) + 0.0:.3f}")
    text["p"] = leaks["p"].map(p_text)
    return text


class Explorer:
    """Choose a picture, a scheme, its level and a layer, and see what leaks.

    Parameters
    ----------
    setting : Setting
        Where to start.

    Attributes
    ----------
    setting : Setting
        As the controls stand.
    view : View or None
        What is shown, None after a setting that cannot be shown.
    widget : ipywidgets.VBox
        All controls and outputs: what a cell has to end in to show them.

    Raises
    ------
    ValueError
        `setting` cannot be shown.

    Examples
    --------
    >>> explorer = Explorer(Setting(scheme="bitplane", level=3, layer="histogram"))
    >>> explorer.level.value = 8
    >>> explorer.setting.level, float(explorer.view.leaks["bits"].iloc[0])
    (8, 0.0)
    """

    def __init__(self, setting: Setting = Setting()) -> None:  # noqa: B008 - it is frozen
        self.setting = setting
        self.view: View | None = None
        self._sources = {setting.source: load_images(setting.source, size=setting.size)}
        self._quiet = False
        self.upload = widgets.FileUpload(
            accept=",".join(SUFFIXES), multiple=False, description="Upload an image"
        )
        self.source = widgets.Dropdown(options=[setting.source], description="source", **_WIDE)
        self.picture = widgets.Dropdown(description="picture", **_WIDE)
        schemes = list(list_schemes().index)
        self.scheme = widgets.Dropdown(options=schemes, description="scheme", **_WIDE)
        self.level = widgets.SelectionSlider(
            options=[0], description="level", continuous_update=False, **_WIDE
        )
        self.layer = widgets.Dropdown(options=LAYERS, description="layer of network", **_WIDE)
        self.pictures, self.leaks = widgets.HTML(), widgets.HTML()
        self.status, self.command = widgets.HTML(), widgets.HTML()
        self._controls = (self.source, self.picture, self.scheme, self.level, self.layer)
        self.widget = widgets.VBox(
            [self.upload, *self._controls, self.status, self.pictures, self.leaks, self.command]
        )
        with self._without_updates():
            self._show_images(setting.picture)
            self.scheme.value = setting.scheme
            self._show_levels(setting.level)
            self.layer.value = setting.layer
        self._show(self._from_controls())
        for control in self._controls:
            control.observe(self._changed, "value")
        self.upload.observe(self._uploaded, "value")

    @contextmanager
    def _without_updates(self) -> Iterator[None]:
        """Setting one control changes others: the view follows once, when all are set."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _show_images(self, picture: int) -> None:
        names = explorer.names_of(self._sources[self.source.value])
        self.picture.options = [(name, i) for i, name in enumerate(names)]
        self.picture.value = picture % len(names)

    def _show_levels(self, wanted: float) -> None:
        has_levels = self.scheme.value in LEVELS
        _, words, values = LEVELS.get(self.scheme.value, ("", "no levels", (0,)))
        self.level.description = words
        self.level.disabled = not has_levels
        self.level.options = values
        self.level.value = wanted if wanted in values else values[len(values) // 2]

    def _from_controls(self) -> Setting:
        # a scheme without levels keeps the level for the next one that has them
        level = self.setting.level if self.level.disabled else self.level.value
        return replace(
            self.setting, source=self.source.value, picture=self.picture.value,
            scheme=self.scheme.value, level=level, layer=self.layer.value,
        )  # fmt: skip

    def _changed(self, change: dict) -> None:
        if self._quiet:
            return
        self._attempt(lambda: self._follow(change["owner"]))

    def _uploaded(self, change: dict) -> None:
        if not change["new"]:
            return
        self._attempt(lambda: self._take(*uploaded_file(change["new"])))

    def _attempt(self, act: Callable[[], None]) -> None:
        """What a control asks for, or the reason why it cannot be: a reader sees no traceback."""
        try:
            act()
        except (ValueError, TypeError) as error:
            self.view = None
            self.pictures.value = self.leaks.value = self.command.value = ""
            self._say(str(error))

    def _take(self, name: str, content: bytes) -> None:
        name = Path(name).name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the status line says it
                self._sources[name] = load_images(path, size=self.setting.size, mode="gray")
        with self._without_updates():
            self.source.options = list(self._sources)
            self.source.value = name
            self._show_images(0)
        self._show(self._from_controls())

    def _follow(self, control: widgets.Widget) -> None:
        with self._without_updates():
            if control is self.source:
                self._show_images(0)
            if control is self.scheme:
                self._show_levels(self.setting.level)
        self._show(self._from_controls())

    def _show(self, setting: Setting) -> None:
        started = time.perf_counter()
        self.setting = setting
        images = self._sources[setting.source].images
        self.view = view = explorer.explore(images[setting.picture], setting)
        self.pictures.value = pictures_html(view)
        table = leaks_as_text(view.leaks).to_html(border=0)
        self.leaks.value = f'<div class="leakage-table">{table}</div>'
        self.command.value = f"<code>{html.escape(setting.command())}</code>"
        notes = "".join(f"; {note}" for note in self._sources[setting.source].notes)
        self._say(f"measured in {time.perf_counter() - started:.1f} s{notes}")

    def _say(self, text: str) -> None:
        self.status.value = f'<p role="status">{html.escape(text)}</p>'


class Upload(TypedDict, total=False):
    """A file as ipywidgets gives it; version 7 has its name elsewhere."""

    name: str
    content: bytes | memoryview


def uploaded_file(value: Mapping[str, Upload] | Sequence[Upload]) -> tuple[str, bytes]:
    """Name and content of the last uploaded file, from ipywidgets 7 (a dict) or 8 (a tuple).

    Examples
    --------
    >>> uploaded_file(({"name": "a.png", "content": memoryview(b"1")},))
    ('a.png', b'1')
    >>> uploaded_file({"a.png": {"metadata": {"name": "a.png"}, "content": b"1"}})
    ('a.png', b'1')
    """
    if isinstance(value, Mapping):
        name, file = list(value.items())[-1]
    else:
        file = value[-1]
        name = file["name"]
    return name, bytes(file["content"])
