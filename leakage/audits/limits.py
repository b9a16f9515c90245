"""From above: what named adversaries reach at most, trained on other images of the audit."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import beta, binom

from leakage.attacks import infer_attribute
from leakage.attacks.success import Attack
from leakage.audits import levels
from leakage.audits.findings import Finding, Limit
from leakage.audits.levels import FEWEST_IDENTIFIED, Identified, Sample

#: False positives at which pairs are asked whether they belong together.
FALSE_POSITIVES = (0.01, 0.001)
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


class SaidOfWhole(NamedTuple):
    """What an audit says of whole images: findings, certified bits, limits."""

    findings: list[Finding]
    certified: float
    limits: tuple[Limit, ...]


def said_of_whole(sample: Sample, seed: int) -> SaidOfWhole:
    """The views of whole images, with what is certified of them, and from above."""
    identified = levels.identified(sample, seed)
    findings = levels.embedding_findings(sample, seed)
    findings += levels.identification_findings(sample, identified, seed)
    certified = levels.certified_bits(sample, seed)
    return SaidOfWhole(findings, certified, limits_of(sample, identified, seed))


def limits_of(sample: Sample, found: Identified | None, seed: int) -> tuple[Limit, ...]:
    """Limits of all adversaries together, each of whom was trained on other images.

    Some look for the image of a ciphertext among some forty, by a critic of whole images, or say of
    an image and a ciphertext whether they belong together, with so many false positives; some tell
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
        Empty where images are too few, or all look alike. False positives are asked where there are
        pairs enough for one of them.

    References
    ----------
    Carlini et al. (2022), Membership inference attacks from first principles, for rates at few
    false positives; Chatzikokolakis, Cherubin, Palamidessi & Troncoso (2023), Bayes security: a not
    so average metric.
    """
    if found is None:
        return ()
    groups, sources = sample.groups, len(np.unique(sample.groups))
    ranks = {"first of all": 1, "among the first five": 5}
    finding = {f"finds the image of a ciphertext, {where}": found.first(count)
               for where, count in ranks.items()}  # fmt: skip
    guessing = {
        f"tells whether an image has more {what} than the middle one": attack
        for what, values in _attributes(sample.plain["histogram"]).items()
        if (attack := _told(found.y, values, groups, seed)) is not None
    }
    asked = [(name, attack, found.sources) for name, attack in finding.items() if attack]
    asked += [(name, attack, sources) for name, attack in guessing.items()]
    own, others = own_and_others(found.told)
    shares = [share for share in FALSE_POSITIVES if share * len(others) >= 1]
    error = ERROR / (len(asked) + len(shares))
    limits = []
    for name, attack, trials in asked:
        # whoever does worse may guess instead
        limit = max(attack.chance, upper_limit(attack.rate, trials, error))
        security = (1 - limit) / (1 - attack.chance)
        limits.append(Limit(name, attack.rate, limit, attack.chance, trials, security))
    for share in shares:
        rate, limit = recognised(own, others, share, found.sources, error)
        name = f"knows that image and ciphertext belong together, at {share:.1%} false positives"
        limits.append(Limit(name, rate, max(share, limit), share, found.sources, None))
    return tuple(limits)


def own_and_others(told: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of own pairs, and of pairs of two groups, of what `scored_folds` gives.

    Examples
    --------
    >>> own, others = own_and_others([(np.eye(3), np.array([0, 1, 1]))])
    >>> own.tolist(), others.tolist()
    ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    """
    own = [scores.diagonal() for scores, _ in told]
    others = [scores[groups[:, None] != groups] for scores, groups in told]
    return np.concatenate(own), np.concatenate(others)


def recognised(
    own: np.ndarray, others: np.ndarray, share: float, trials: int, error: float
) -> tuple[float, float]:
    """Share of own pairs that pass where so many others do, and its upper limit.

    The limit counts those that pass a lower threshold, which lets more than so many others pass but
    for half of the error, as if others were independent pairs. Of pairs that score alike a random
    part passes.

    Parameters
    ----------
    own, others : ndarray of float
        Scores of pairs that belong together, and of others.
    share : float
        Of the others that may pass.
    trials : int
        Independent ones among the own.
    error : float
        Chance that the limit is too low.

    Examples
    --------
    >>> rate, limit = recognised(np.arange(100.0), np.arange(1000.0) / 10, 0.01, 100, 0.05)
    >>> round(rate, 2), 0.01 < limit < 0.1
    (0.01, True)
    >>> recognised(np.zeros(100), np.zeros(1000), 0.01, 100, 0.05)[0]
    0.01
    """
    down = np.sort(others)[::-1]
    more = min(int(binom.isf(error / 2, len(down), share)) + 1, len(down))
    lenient = _passing(own, down, more)
    return _passing(own, down, int(share * len(down))), upper_limit(lenient, trials, error / 2)


def _passing(own: np.ndarray, down: np.ndarray, count: int) -> float:
    """Share of own pairs that pass where so many of the others, from the highest down, do."""
    at = down[count - 1]
    part = (count - np.count_nonzero(down > at)) / np.count_nonzero(down == at)
    return float(np.mean(own > at) + part * np.mean(own == at))


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
