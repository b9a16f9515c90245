"""From above: what named adversaries reach at most, trained on other images of the audit."""

import math

import numpy as np
from scipy.stats import beta

from leakage.attacks import infer_attribute
from leakage.attacks.success import Attack
from leakage.audits.findings import Limit
from leakage.audits.levels import FEWEST_IDENTIFIED, Identified, Sample

#: Chance that any of the limits of an audit is below the adversary's true success.
ERROR = 0.05


def upper_limit(rate: float, trials: int, error: float = ERROR) -> float:
    """Exact upper limit of a success probability (Clopper and Pearson, 1934), one-sided.

    Parameters
    ----------
    rate : float
        Share of trials that succeeded; parts of a trial count as a whole one.
    trials : int
        Independent ones.
    error : float
        Chance that the limit is below the probability.

    Examples
    --------
    >>> round(upper_limit(0.0, 100), 4), upper_limit(1.0, 100)
    (0.0295, 1.0)
    """
    hits = math.ceil(rate * trials - 1e-9)
    return float(beta.isf(error, hits + 1, trials - hits)) if hits < trials else 1.0


def limits_of(sample: Sample, found: Identified | None, seed: int) -> tuple[Limit, ...]:
    """Limits of all adversaries together, each of whom was trained on other images.

    Two look for the image of a ciphertext among some forty, by a critic of whole images; two tell
    from the ciphertext whether its image is brighter, or of more contrast, than half of them.

    Parameters
    ----------
    sample : Sample
        Vectors of whole images.
    found : Identified or None
        Of `leakage.audits.levels.identified`.
    seed : int
        Of the folds.

    Returns
    -------
    tuple of Limit
        Empty where images are too few, or all look alike.
    """
    if found is None:
        return ()
    groups, sources = sample.groups, len(np.unique(sample.groups))
    named = {
        "finds the image of a ciphertext, first of all": found.best,
        "finds the image of a ciphertext, among the first five": found.top,
    }
    named |= {
        f"tells whether an image has more {what} than the middle one": attack
        for what, values in _attributes(sample.plain["histogram"]).items()
        if (attack := _told(found.y, values, groups, seed)) is not None
    }
    return tuple(
        Limit(
            name, attack.rate,
            # whoever does worse may guess instead
            max(attack.chance, upper_limit(attack.rate, sources, ERROR / len(named))),
            attack.chance, sources,
        )
        for name, attack in named.items()
    )  # fmt: skip


def _attributes(histograms: np.ndarray) -> dict[str, np.ndarray]:
    """Brightness and contrast, of square roots of histograms."""
    shares, values = histograms.astype(float) ** 2, np.arange(256.0)
    mean = shares @ values
    spread = np.sqrt(np.maximum(shares @ values**2 - mean**2, 0))
    return {"brightness": mean, "contrast": spread}


def _told(y: np.ndarray, values: np.ndarray, groups: np.ndarray, seed: int) -> Attack | None:
    labels = values > np.median(values)
    sources = [len(np.unique(groups[labels == label])) for label in (False, True)]
    if min(sources) < FEWEST_IDENTIFIED // 2:
        return None
    return infer_attribute(y, labels, groups, seed=seed)
