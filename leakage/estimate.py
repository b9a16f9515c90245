"""The one type in which every amount of information is reported, and entropy in bits."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

Kind = Literal["exact", "estimate", "lower bound", "upper bound"]

#: Flag of an estimate that is not to be relied on: neither drawn nor printed as a number.
FOLDS_DISAGREE = "folds disagree"
#: The smallest p-value that is told as a number. What permutations can tell ends near here, and no
#: decision of a reader depends on the digits below.
SMALLEST_P = 0.001


def p_text(p_value: float | None, digits: int = 3) -> str:
    """A p-value for readers: never 0, and no digits where none can be relied on.

    Examples
    --------
    >>> p_text(0.0421), p_text(1e-9), p_text(None)
    ('0.042', '< 0.001', '')
    """
    if p_value is None or math.isnan(p_value):
        return ""
    return f"< {SMALLEST_P}" if p_value < SMALLEST_P else f"{p_value:.{digits}f}"


@dataclass(frozen=True)
class Estimate:
    """An amount of information in bits, with what is needed to judge it.

    Attributes
    ----------
    bits : float
        The value, signed: sampling noise around zero is shown, not clamped.
    low, high : float or None
        95 % interval in bits, None where no honest one is known.
    p_value : float or None
        Of the hypothesis that the two samples are independent.
    n : int
        Number of samples behind the value.
    method : str
        How it was obtained.
    kind : {"exact", "estimate", "lower bound", "upper bound"}
        What the value is in relation to the true mutual information.
    flags : tuple of str
        Reasons to be careful, for instance ``"saturated"``.
    details : mapping of str to float or tuple
        Intermediate values of the method, for instance the bias that was subtracted.

    Examples
    --------
    >>> print(Estimate(1.234, 1.1, 1.37, 0.001, 500, "plug-in", "estimate"))
    1.234 bit [1.100, 1.370], p = 0.001, n = 500, plug-in (estimate)
    """

    bits: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    method: str
    kind: Kind
    flags: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __float__(self) -> float:
        """The value in bits.

        Examples
        --------
        >>> float(Estimate(1.5, None, None, None, 10, "plug-in", "estimate"))
        1.5
        """
        return float(self.bits)

    def __str__(self) -> str:
        text = f"{self.bits:.3f} bit"
        if self.low is not None and self.high is not None:
            text += f" [{self.low:.3f}, {self.high:.3f}]"
        if shown := p_text(self.p_value):
            text += f", p {shown}" if shown.startswith("<") else f", p = {shown}"
        text += f", n = {self.n}, {self.method} ({self.kind})"
        return text + "".join(f"; {flag}" for flag in self.flags)

    def __format__(self, spec: str) -> str:
        """Format the bits as a number, or everything where no format is given.

        Examples
        --------
        >>> f"{Estimate(1.5, None, None, None, 10, 'plug-in', 'estimate'):.2f} bit"
        '1.50 bit'
        """
        return format(self.bits, spec) if spec else str(self)

    def row(self, name: str = "bits") -> dict[str, object]:
        """The value as a row of a table: bits, its interval, p, flags in short.

        Parameters
        ----------
        name : str
            Of the column of the value.

        Returns
        -------
        dict
            The value in bits, ``low``, ``high`` and ``p``, NaN where there is none, and ``flag``,
            which is text. `leakage.notebook.readable` shows a table of such rows.

        Examples
        --------
        >>> Estimate(1.5, 1.0, 2.0, 0.01, 10, "plug-in", "estimate").row("held out")
        {'held out': 1.5, 'low': 1.0, 'high': 2.0, 'p': 0.01, 'flag': ''}
        """
        low, high, p = (
            math.nan if value is None else value for value in (self.low, self.high, self.p_value)
        )
        flag = "; ".join(flag.split(":")[0] for flag in self.flags)
        return {name: self.bits, "low": low, "high": high, "p": p, "flag": flag}

    def against(self, exact: float | Estimate) -> Estimate:
        """The same estimate, with a flag where its whole interval is above the exact value.

        Parameters
        ----------
        exact : float or Estimate
            What is true, in bits.

        Returns
        -------
        Estimate
            Flagged ``"above the exact value of ... bit"`` where `low` (the value itself, if there
            is no interval) exceeds it.

        Examples
        --------
        >>> found = Estimate(1.5, 1.0, 2.0, 0.001, 10, "plug-in", "estimate")
        >>> found.against(0.5).flags, found.against(1.2).flags
        (('above the exact value of 0.500 bit',), ())
        """
        truth = float(exact)
        least = self.bits if self.low is None else self.low
        if least <= truth:
            return self
        return replace(self, flags=(*self.flags, f"above the exact value of {truth:.3f} bit"))

    def _repr_html_(self) -> str:
        """The value with a small bar: its interval, over the 0 that independence would give."""
        if not math.isfinite(self.bits):
            return f"<span>{html.escape(str(self))}</span>"
        low, high = (self.bits if end is None or not math.isfinite(end) else end
                     for end in (self.low, self.high))  # fmt: skip
        left, right = min(low, 0.0), max(high, 0.0, self.bits)
        scale = 150 / ((right - left) or 1.0)
        zero, start, stop, dot = (5 + scale * (v - left) for v in (0.0, low, high, self.bits))
        return (
            f'<span><svg role="img" aria-label="{html.escape(str(self))}" width="160" height="16" '
            'viewBox="0 0 160 16" style="vertical-align:middle;margin-right:.6em">'
            f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="16" stroke="currentColor" '
            'stroke-dasharray="2 2"/>'
            f'<line x1="{start:.1f}" x2="{stop:.1f}" y1="8" y2="8" stroke="#0072B2" '
            'stroke-width="5"/>'
            f'<circle cx="{dot:.1f}" cy="8" r="4" fill="#0072B2"/></svg>'
            f"{html.escape(str(self))}</span>"
        )


def as_estimate(found: object, n: int, name: str) -> Estimate:
    """What an estimator of somebody's own gave, if it can be one.

    Parameters
    ----------
    found : Estimate or number
        Of bits; a number has neither interval nor p-value.
    n : int
        Samples that it was given.
    name : str
        Of the estimator.

    Raises
    ------
    ValueError
        It is neither; its numbers are none, p is no probability, the ends of the interval are in
        the wrong order.

    Examples
    --------
    >>> as_estimate(np.float32(1.5), 40, "mine").bits
    1.5
    >>> as_estimate("much", 40, "mine")
    Traceback (most recent call last):
    ValueError: must give an Estimate or a number of bits, not a str
    """
    if not isinstance(found, Estimate):
        try:
            if isinstance(found, str | bytes | bool | np.bool_):
                raise TypeError
            bits = float(found)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            kind = type(found).__name__
            raise ValueError(f"must give an Estimate or a number of bits, not a {kind}") from None
        return Estimate(bits, None, None, None, n, name, "estimate")
    for what in ("bits", "low", "high", "p_value"):
        value = getattr(found, what)
        if value is None and what != "bits":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ValueError(f"gave an Estimate whose {what} is no number: {value!r}")
    if found.p_value is not None and not 0 <= found.p_value <= 1:
        raise ValueError(f"gave an Estimate whose p_value is {found.p_value:g}; give 0 to 1")
    if found.low is not None and found.high is not None and found.low > found.high:
        raise ValueError(
            f"gave an Estimate whose low is above its high, {found.low:g} and {found.high:g}"
        )
    return found


def entropy(counts: np.ndarray) -> float:
    """Shannon entropy in bits of a distribution proportional to `counts`.

    Parameters
    ----------
    counts : array_like of float
        Of each value; of any shape, at least one above 0.

    Returns
    -------
    float
        In bits.

    Examples
    --------
    >>> entropy([1, 1, 2])
    1.5
    """
    counts = np.asarray(counts).ravel()
    p = counts[counts > 0] / counts.sum()
    return float(-(p @ np.log2(p))) + 0.0  # not -0.0
