"""How a chapter's cells speak to its prose: numbers for the text, claims that are checked."""

import re

import pandas as pd
from IPython.display import display

from leakage.estimate import p_text

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


def readable(table: pd.DataFrame, digits: int) -> pd.DataFrame:
    """A table for readers: rounded, p-values never as 0, and empty where it has no number.

    Parameters
    ----------
    table : DataFrame
        Columns named ``p``, ``p_value`` or ``p`` and something hold p-values.
    digits : int
        Decimals that are kept.

    Returns
    -------
    DataFrame
        Of numbers and text.

    Examples
    --------
    >>> table = pd.DataFrame({"bits": [0.1234, float("nan")], "p": [0.0421, 1e-9]})
    >>> readable(table, 2).values.tolist()
    [[0.12, '0.042'], ['', '< 0.001']]
    """
    rounded = table.round(digits)
    shown = rounded.where(rounded != 0, 0).astype(object).where(table.notna(), "")
    for name in table.columns:
        if re.fullmatch(r"p|p_value|p .*", str(name)):
            shown[name] = table[name].map(p_text)
    return shown
