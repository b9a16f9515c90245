"""The one type in which every amount of information is reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["exact", "estimate", "lower bound", "upper bound"]


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

    def __str__(self) -> str:
        text = f"{self.bits:.3f} bit"
        if self.low is not None and self.high is not None:
            text += f" [{self.low:.3f}, {self.high:.3f}]"
        if self.p_value is not None:
            text += f", p = {self.p_value:.2g}"
        text += f", n = {self.n}, {self.method} ({self.kind})"
        return text + "".join(f"; {flag}" for flag in self.flags)
