"""The one type of an amount of information: its forms for readers, its place beside the truth."""

import math
import re

import numpy as np
import pytest

from leakage.estimate import Estimate, as_estimate, entropy, p_text

FOUND = Estimate(1.234, 1.1, 1.37, 0.0421, 500, "plug-in", "estimate")


def test_text_and_number():
    assert str(FOUND) == "1.234 bit [1.100, 1.370], p = 0.042, n = 500, plug-in (estimate)"
    assert float(FOUND) == 1.234
    assert f"{FOUND:.1f}" == "1.2"
    assert f"{FOUND}" == str(FOUND)


@pytest.mark.parametrize("p_value", [1e-4, 1e-300, 5e-324])
def test_no_p_value_is_shown_as_zero(p_value):
    small = Estimate(1.0, None, None, p_value, 10, "plug-in", "estimate")
    for shown in (str(small), small._repr_html_(), p_text(p_value)):
        assert "0.000" not in shown
        assert not re.search(r"\de-\d", shown)
    assert "p < 0.001" in str(small)


def test_no_p_value_no_text():
    assert p_text(None) == p_text(math.nan) == ""
    assert "p" not in str(Estimate(1.0, None, None, None, 10, "count", "exact")).split(",")[0]


def test_row():
    flagged = Estimate(1.0, None, None, 0.5, 10, "x", "estimate", ("saturated: 99 %", "low"))
    row = flagged.row()
    assert row["flag"] == "saturated; low"
    assert math.isnan(row["low"])
    assert list(FOUND.row("held out").values()) == [1.234, 1.1, 1.37, 0.0421, ""]


def test_against_the_truth():
    assert FOUND.against(1.2).flags == ()
    assert FOUND.against(1.0).flags == ("above the exact value of 1.000 bit",)
    exact = Estimate(0.5, None, None, None, 1, "closed form", "exact")
    assert "0.500" in FOUND.against(exact).flags[0]
    bare = Estimate(1.0, None, None, None, 10, "x", "estimate", ("first",))
    assert bare.against(0.9).flags == ("first", "above the exact value of 0.900 bit")
    assert bare.against(1.0).flags == ("first",)


@pytest.mark.parametrize(
    "found",
    [
        FOUND,
        Estimate(-0.1, -0.3, 0.1, 0.6, 10, "x", "estimate"),
        Estimate(0.0, None, None, None, 10, "x", "exact"),
        Estimate(2.0, 2.0, None, 0.1, 10, "x", "lower bound"),
        Estimate(math.inf, None, None, None, 10, "x", "upper bound"),
        Estimate(1.0, -math.inf, math.inf, 0.5, 10, "<script>alert(1)</script>", "estimate"),
    ],
)
def test_html(found):
    """A bar whose every point is inside its box, and nothing that could run."""
    page = found._repr_html_()
    assert "<script" not in page
    assert f"{found.bits:.3f} bit" in page
    places = [float(v) for v in re.findall(r'(?:x1|x2|cx)="([-\d.]+)"', page)]
    assert all(0 <= place <= 160 for place in places)
    assert bool(places) == math.isfinite(found.bits)


def test_entropy_of_counts():
    assert entropy([1, 1, 2]) == 1.5
    assert entropy(np.array([[5, 0], [0, 0]])) == 0.0
    assert math.copysign(1, entropy([3])) == 1


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "not a NoneType"),
        (True, "not a bool"),
        ("1.5", "not a str"),
        (Estimate("3 bits", None, None, None, 9, "m", "estimate"), "bits is no number: '3 bits'"),
        (Estimate(1.0, None, None, 5.0, 9, "m", "estimate"), "p_value is 5"),
        (Estimate(1.0, 3.0, 2.0, None, 9, "m", "estimate"), "low is above its high, 3 and 2"),
    ],
)
def test_what_is_no_estimate(found, says):
    with pytest.raises(ValueError, match=says):
        as_estimate(found, 9, "own")
