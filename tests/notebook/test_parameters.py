import pytest

from leakage.notebook.parameters import ParameterError, check_parameters

RULES = {
    "bits": (int, range(9)), "rate": (float, lambda v: 0 < v < 1), "mode": (str, ["fast", "full"]),
    "levels": (list, range(9)), "source": (str, None), "quiet": (bool, None),
}  # fmt: skip
GOOD = {"bits": 3, "rate": 0.5, "mode": "fast", "levels": [1, 8], "source": "x", "quiet": True}


def test_good():
    check_parameters({**GOOD, "_private": 1, "In": [], "function": print}, **RULES)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bits": 9}, "bits: 9 is not one of 0 to 8"),
        ({"bits": True}, r"bits: expected int, got bool \(True\)"),
        ({"bits": "3"}, "bits: expected int, got str"),
        ({"rate": 1}, "rate: 1 is out of range"),
        ({"mode": "fulll"}, "mode: 'fulll' is not one of 'fast', 'full'; did you mean 'full'"),
        ({"levels": []}, "levels: is an empty list"),
        ({"levels": [1, 9]}, r"levels: \[9\] not among 0 to 8"),
        ({"source": None}, "source: expected str, got NoneType"),
        ({"bit": 3}, "bit: unknown parameter; did you mean 'bits'"),
        ({"zzz": 3}, "zzz: unknown parameter; there are bits, rate"),
    ],
)
def test_bad(change, says):
    with pytest.raises(ParameterError, match=says):
        check_parameters({**GOOD, **change}, **RULES)


def test_all_problems_at_once_and_no_traceback():
    with pytest.raises(ParameterError) as caught:
        check_parameters({"bits": 9, "nonsense": 1}, bits=(int, range(9)), mode=(str, None))
    text = "".join(caught.value._render_traceback_())
    for name in ("bits", "nonsense", "mode"):
        assert f"- {name}:" in text
