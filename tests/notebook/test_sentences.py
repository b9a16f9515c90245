"""Sentences and claims, as cells show them."""

import pandas as pd
import pytest

from leakage.notebook import claim, forget_claims, readable, say, say_claims


@pytest.fixture(autouse=True)
def _fresh():
    forget_claims()
    yield
    forget_claims()


def test_a_sentence_is_markdown_without_the_cells_indentation(capsys):
    say(
        """
        One.

        - two
        """
    )
    assert capsys.readouterr().out == "One.\n\n- two\n"


def test_all_claims_hold(capsys):
    claim("a is 1", True)
    claim("b is 2", True)
    say_claims()
    shown = capsys.readouterr().out
    assert shown.startswith("**All 2 claims** of this chapter hold")
    assert "✗" not in shown


def test_what_does_not_hold_comes_first(capsys):
    claim("a is 1", True)
    claim("b is 2: 3", pd.Series([False]).all())
    say_claims()
    shown = capsys.readouterr().out
    assert "**1 of the 2 claims** of this chapter **does not hold**" in shown
    assert shown.index("✗ b is 2: 3") < shown.index("✓ a is 1")


def test_a_claim_made_again_replaces_the_first(capsys):
    claim("a is 1", False)
    claim("a is 1", True)
    say_claims()
    assert "**The one claim** of this chapter holds" in capsys.readouterr().out


def test_a_table_for_readers():
    table = pd.DataFrame({"bits": [1.23456, -0.0], "p": [1e-12, 0.3]})
    assert readable(table, 2).values.tolist() == [[1.23, "< 0.001"], [0, "0.300"]]
