"""How a chapter's cells speak to its prose: numbers for the text, claims that are checked."""

import pandas as pd
from IPython.display import display

_RECORD = "application/papermill.record/"


def glue(name: str, text: object) -> None:
    """Store `text` under `name`, for the prose to show by ``{glue:text}`name```.

    The same as myst-nb's function of that name, without needing myst-nb where a notebook runs.

    Examples
    --------
    >>> glue("demo", "0.5 bit")  # shows nothing in a notebook
    {'application/papermill.record/text/plain': "'0.5 bit'"}
    """
    bundle = {f"{_RECORD}text/plain": repr(str(text))}
    # as a literal, for myst-nb evaluates what it is given: 65,536 would be shown as a pair
    display(bundle, raw=True, metadata={"scrapbook": {"name": name, "mime_prefix": _RECORD}})


def claim(text: str, holds: bool) -> None:
    """Print whether a statement of the prose holds on the images at hand.

    On a reader's own images a claim may fail, and the notebook goes on. In the book every claim
    must hold: `scripts/check_book.py` fails the build on a page that shows a cross.

    Examples
    --------
    >>> claim("two is even", 2 % 2 == 0)
    ✓ two is even
    """
    print(f"{'✓' if holds else '✗'} {text}")


def without_nan(table: pd.DataFrame, digits: int) -> pd.DataFrame:
    """A table for readers: rounded, and empty where it has no number.

    Examples
    --------
    >>> without_nan(pd.DataFrame({"bits": [0.1234, float("nan")]}), 2)["bits"].tolist()
    [0.12, '']
    """
    rounded = table.round(digits)
    return rounded.where(rounded != 0, 0).astype(object).where(table.notna(), "")
