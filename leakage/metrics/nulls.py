"""What a measure gives on noise."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats.distributions import rv_frozen

#: Five expected counts for each of the 256 values: below it the limit laws behind the p-values
#: are not trusted.
ENOUGH_SAMPLES = 1280


@dataclass(frozen=True)
class Null:
    """Distribution of a measure, averaged over images, on uniform independent ciphertexts.

    Attributes
    ----------
    distribution : frozen distribution of scipy.stats
        Of the measure divided by `unit`.
    tail : {"low", "high", "two-sided"}
        Which values count against the hypothesis.
    unit : float
        Of the measure, where `distribution` is one of counts.
    counts : bool
        Whether `distribution` is one of whole numbers. Its p-values are then exact.
    trusted : bool
        Whether the images are large enough for a p-value, see `ENOUGH_SAMPLES`.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> null = Null(norm(10, 2), "two-sided")
    >>> null.mean, null.sd, round(null.p_value(6), 3)
    (10.0, 2.0, 0.046)
    """

    distribution: rv_frozen
    tail: Literal["low", "high", "two-sided"]
    unit: float = 1.0
    counts: bool = False
    trusted: bool = True

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(self.distribution.mean() * self.unit)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return float(self.distribution.std() * self.unit)

    def p_value(self, value: float) -> float:
        """Probability of a value at least this far out.

        Parameters
        ----------
        value : float
            The measure, averaged over the images.

        Returns
        -------
        float
            0 to 1; NaN where none is trusted, or for a value that is NaN.

        Examples
        --------
        >>> from scipy.stats import norm
        >>> Null(norm(0, 1), "low").p_value(0.0)
        0.5
        """
        if not self.trusted or math.isnan(value):
            return math.nan
        # half a count makes "at least" and "at most" of whole numbers, whatever the rounding
        half = 0.5 if self.counts else 0.0
        low = float(self.distribution.cdf(value / self.unit + half))
        high = float(self.distribution.sf(value / self.unit - half))
        return {"low": low, "high": high, "two-sided": min(1.0, 2 * min(low, high))}[self.tail]


def mean_of_defined(values: np.ndarray) -> float:
    """Mean without the NaNs, NaN where nothing else is left.

    Examples
    --------
    >>> mean_of_defined(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
