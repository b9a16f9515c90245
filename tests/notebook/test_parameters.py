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


def kernel(*cells, **left_behind):
    """A kernel's globals after these cells, the last of which is the check that runs now."""
    namespace = dict(left_behind)
    for cell in cells:
        exec(cell, namespace)
    return {**namespace, "In": ["", *cells, "check_parameters(globals(), ...)"]}


def test_what_an_earlier_run_left_does_not_count():
    given = kernel("bits: int = 3  # planes", levels=[1], picture=0.5, text="of an earlier run")
    check_parameters(given, bits=(int, range(9)))


def test_what_papermill_adds_is_looked_at_every_time():
    given = kernel("import math", "bits: int = 3", "# Parameters\nbits = 4\nbit = 3\n", bit=3)
    for _ in range(2):
        with pytest.raises(ParameterError, match="bit: unknown parameter; did you mean 'bits'"):
            check_parameters(given, bits=(int, range(9)))


def test_a_parameter_that_is_no_longer_there_is_missing():
    given = kernel("count: int = 3", bits=4)
    with pytest.raises(ParameterError, match="bits: is missing"):
        check_parameters(given, bits=(int, range(9)), count=(int, None))


def test_the_check_alone_looks_at_what_the_kernel_holds():
    given = kernel("bits: int = 9", "print('between')", other=3)
    with pytest.raises(ParameterError, match="bits: 9 is not one of 0 to 8"):
        check_parameters(given, bits=(int, range(9)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"levels": "[0, 2]"}, r"expected list, got str .*-y 'levels: \[1, 2\]'"),
        ({"source": 2024}, "expected str, got int .*-r source 2024"),
        ({"source": " "}, "source: is empty"),
        ({"levels": [1.0]}, r"levels: \[1\.0\] not among 0 to 8"),
        ({"levels": [True]}, r"levels: \[True\] not among"),
    ],
)
def test_where_people_stumble(change, says):
    with pytest.raises(ParameterError, match=says):
        check_parameters({**GOOD, **change}, **RULES)


def test_a_number_far_away_is_refused_at_once():
    with pytest.raises(ParameterError, match="seed: -1 is not one of"):
        check_parameters({"seed": -1}, seed=(int, range(2**62)))
