"""How a chapter speaks: sentences with numbers of the run at hand, claims that are checked."""

import re
from inspect import cleandoc

import pandas as pd
from IPython.display import Markdown, display

from leakage.estimate import p_text

_claims: dict[str, bool] = {}  # of the chapter that runs in this kernel, in their order


def say(text: str) -> None:
    """Show Markdown: sentences whose numbers, and words where they may differ, were computed.

    It reads the same in the book, in JupyterLab, in Colab and in papermill's output.

    Parameters
    ----------
    text : str
        CommonMark with formulas. Indentation that all lines share is taken off.

    Examples
    --------
    >>> bits = 0.25
    >>> say(f"It leaks {bits:.2f} bit." if bits > 0.1 else "It leaks little.")
    It leaks 0.25 bit.
    """
    display(_Sentence(cleandoc(text)))


class _Sentence(Markdown):
    """Markdown that is readable in a terminal too."""

    def __repr__(self) -> str:
        return str(self.data)


def claim(text: str, holds: bool) -> None:
    """Note whether a statement of this chapter holds on the images at hand.

    Parameters
    ----------
    text : str
        The statement, best with its numbers.
    holds : bool
        Whether it is so. On a reader's own images a claim may fail, and the chapter goes on.

    Examples
    --------
    >>> forget_claims()
    >>> claim("two is even", 2 % 2 == 0)
    >>> claim("three is even", 3 % 2 == 0)
    >>> say_claims()
    On these pictures **1 of the 2 claims** of this chapter **does not hold**.
    <BLANKLINE>
    - ✗ three is even
    <BLANKLINE>
    <details><summary>The claim that holds</summary>
    <BLANKLINE>
    - ✓ two is even
    <BLANKLINE>
    </details>
    """
    _claims[text] = bool(holds)


def forget_claims() -> None:
    """Begin anew, as `check_parameters` does where a chapter begins."""
    _claims.clear()


def say_claims() -> None:
    """Show which claims of this chapter hold on the images at hand: its last cell.

    In the book all must hold: `scripts/check_book.py` fails the build on a page that shows a cross.
    """
    failed = [text for text, holds in _claims.items() if not holds]
    held = [text for text, holds in _claims.items() if holds]
    if not failed:
        which = "The one claim" if len(held) == 1 else f"All {len(held)} claims"
        hold = "holds" if len(held) == 1 else "hold"
        opening = f"**{which}** of this chapter {hold} on these pictures."
    else:
        do = "does" if len(failed) == 1 else "do"
        opening = (
            f"On these pictures **{len(failed)} of the {len(_claims)} claims** of this chapter "
            f"**{do} not hold**."
        )
    parts = [opening, *(["\n".join(f"- ✗ {text}" for text in failed)] if failed else [])]
    if held:
        title = "The claim that holds" if len(held) == 1 else "The claims that hold"
        lines = "\n".join(f"- ✓ {text}" for text in held)
        parts += [f"<details><summary>{title}</summary>", lines, "</details>"]
    say("\n\n".join(parts))


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
