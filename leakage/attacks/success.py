"""Rates of success, and how they and bits limit each other."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.optimize import brentq
from scipy.special import rel_entr
from scipy.stats import beta

from leakage.arguments import check_images

# By how much the correlations of equal pictures may differ: a product of float32 matrices rounds
# each place of the result in its own order, depending on the processor.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Attack:
    """What an attack achieved.

    Attributes
    ----------
    name : str
        Of the attack.
    rate : float
        Share of trials that succeeded.
    low, high : float
        95 % interval of the rate, as if trials were independent (`binomial_interval`). Patches of
        one photograph are not quite.
    chance : float
        Rate of guessing.
    n : int
        Number of trials.
    success : str
        What counts as one.
    pictures : ndarray of uint8 or None
        What the attack makes of the ciphertexts, one picture a trial.

    Examples
    --------
    >>> found = Attack("guess", 0.5, 0.4, 0.6, 0.25, 100, "the right one of four")
    >>> round(found.bits, 2), round(found.bits_low, 2)
    (0.21, 0.08)
    """

    name: str
    rate: float
    low: float
    high: float
    chance: float
    n: int
    success: str
    pictures: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def bits(self) -> float:
        """Least information a trial that explains the rate; 0 at the rate of guessing or below.

        Without information the rate would be `chance`, so by the data-processing inequality the
        information is at least the divergence between a coin of either rate.
        """
        return _divergence(self.rate, self.chance)

    @property
    def bits_low(self) -> float:
        """The same for the lower end of the interval."""
        return _divergence(self.low, self.chance)


def counted(
    name: str, hits: int, n: int, chance: float, success: str, pictures: np.ndarray | None = None
) -> Attack:
    """An `Attack` from its count of successes.

    Parameters
    ----------
    name : str
        Of the attack.
    hits, n : int
        Successes and trials.
    chance : float
        Rate of guessing.
    success : str
        What counts as one.
    pictures : ndarray of uint8, optional
        What the attack makes of the ciphertexts, one picture a trial.

    Returns
    -------
    Attack
        With the exact 95 % interval of its rate.

    Raises
    ------
    ValueError
        Counts that are impossible.

    Examples
    --------
    >>> found = counted("guess", 50, 100, 0.5, "right")
    >>> found.rate, found.bits, round(found.low, 2), round(found.high, 2)
    (0.5, 0.0, 0.4, 0.6)
    """
    low, high = binomial_interval(hits, n)
    return Attack(name, int(hits) / int(n), low, high, float(chance), int(n), success, pictures)


def binomial_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a success probability (Clopper and Pearson, 1934).

    Parameters
    ----------
    hits, n : int
        Successes and trials.
    level : float
        Least coverage; what is left is shared between both sides.

    Returns
    -------
    low : float
        Lower end, at least 0.
    high : float
        Upper end, at most 1.

    Raises
    ------
    ValueError
        `hits` is not from 0 to `n`, there are no trials, or `level` is no probability.

    Examples
    --------
    >>> low, high = binomial_interval(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} successes of {n} trials are impossible")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    tail = (1 - level) / 2
    low = beta.ppf(tail, hits, n - hits + 1) if hits else 0.0
    high = beta.isf(tail, hits + 1, n - hits) if hits < n else 1.0
    return float(low), float(high)


def _divergence(rate: float, chance: float) -> float:
    """Bits by which a coin of probability `rate` differs from one of `chance`, if above it."""
    if rate <= chance:
        return 0.0
    return float(rel_entr(rate, chance) + rel_entr(1 - rate, 1 - chance)) / math.log(2)


def bits_from_success(rate: float, m: int, first: int = 1) -> float:
    """Least information that finds one of `m` equally likely candidates at this rate.

    Fano's inequality without its usual simplification (Cover and Thomas, 2006, theorem 2.10.1):
    with an error rate e, bits are at least log2(m) - h(e) - e log2(m - 1); and its extension to
    lists of several candidates.

    Parameters
    ----------
    rate : float
        Success probability, 0 to 1.
    m : int
        Number of candidates, at least 2.
    first : int
        Success is to be among that many named candidates, 1 to `m` - 1.

    Returns
    -------
    float
        Bits; 0 at the rate of guessing, ``first / m``, or below.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> bits_from_success(1.0, 16), bits_from_success(1 / 16, 16), bits_from_success(1.0, 16, 4)
    (4.0, 0.0, 2.0)
    """
    chance = _chance(m, first)
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be from 0 to 1, not {rate}")
    return _divergence(rate, chance)


def success_bound(bits: float, m: int, first: int = 1) -> float:
    """Largest rate at which one of `m` equally likely candidates is found with so much information.

    The inverse of `bits_from_success`, solved numerically.

    Parameters
    ----------
    bits : float
        Information; estimates a little below 0 are taken as 0.
    m, first : int
        As of `bits_from_success`.

    Returns
    -------
    float
        From ``first / m`` to 1.

    Raises
    ------
    ValueError
        `bits` is no number, or another argument out of range.

    Examples
    --------
    >>> success_bound(0.0, 16), success_bound(4.0, 16), round(success_bound(1.0, 16), 4)
    (0.0625, 1.0, 0.488)
    """
    chance = _chance(m, first)
    if math.isnan(bits):
        raise ValueError("bits must be a number, not nan")
    if bits <= 0:
        return chance
    if bits >= -math.log2(chance):
        return 1.0
    return float(brentq(lambda rate: _divergence(rate, chance) - bits, chance, 1.0, xtol=1e-14))


def _chance(m: int, first: int) -> float:
    for name, value in (("m", m), ("first", first)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} must be an int, not {value!r}")
    if not 1 <= first < m:
        raise ValueError(
            f"there must be at least 2 candidates, and fewer named than there are, not {first} "
            f"of {m}"
        )
    return first / m


def identify(
    pictures: np.ndarray,
    candidates: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    first: int = 1,
    name: str = "identify",
) -> Attack:
    """Count how often a picture that an attack made fits its own image best, among all.

    Fit is the absolute correlation of the two after a mean over 3 x 3 pixels. Candidates that fit
    equally well count against the attack.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        What an attack made of N ciphertexts.
    candidates : ndarray of uint8, of the shape of `pictures`
        The N plain images in the same order, or what the attack makes of them, for instance
        ``fold(plain)``: whoever has a candidate can compute this too.
    groups : ndarray, shape (N,), optional
        Other candidates of the picture's own group, patches of one photograph, do not compete.
    first : int
        Success is to be among the `first` best.
    name : str
        Of the attack that made the pictures.

    Returns
    -------
    Attack
        `chance` is that of a random order, `bits` what the rate says of an image.

    Raises
    ------
    ValueError
        Shapes differ, or some picture has no more than `first` candidates.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 16, 16)).astype(np.uint8)
    >>> identify(images, images).rate
    1.0
    """
    pictures = check_images(pictures, "pictures")
    candidates = check_images(candidates, "candidates")
    if pictures.shape != candidates.shape:
        raise ValueError(
            f"pictures have shape {pictures.shape}, candidates {candidates.shape}; they are pairs"
        )
    n = len(pictures)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must be one label a picture, ({n},), not {groups.shape}")
    a, b = _directions(pictures), _directions(candidates)
    hits, chance, competing = ranked(np.abs(a @ b.T), groups, first, tie=_ROUNDING)
    return counted(name, hits.sum(), n, chance.mean(), wording(first, competing), pictures)


def _directions(images: np.ndarray) -> np.ndarray:
    """Smoothed images as vectors of mean 0 and length 1, flat ones of length 0."""
    size = (1, 3, 3, 1)[: images.ndim]
    flat = uniform_filter(images.astype(np.float32), size).reshape(len(images), -1)
    flat -= flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # a thousandth of a grey level in every pixel is rounding noise
    return np.where(length > 1e-3 * np.sqrt(flat.shape[1]), flat / np.maximum(length, 1e-6), 0)


def ranked(
    fit: np.ndarray, groups: np.ndarray, first: int, *, tie: float = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which attacked images rank their own candidate among the first, and the chance of that.

    Parameters
    ----------
    fit : ndarray of float, shape (n, n)
        ``fit[i, j]``: how well candidate j fits the attacked image i.
    groups : ndarray, shape (n,)
        Other candidates of the same group are left out.
    first : int
        How many candidates an attack may name.
    tie : float
        A candidate whose fit is lower by no more than this counts as equal.

    Returns
    -------
    hits, chance, competing : ndarray, shape (n,)
        Success, its probability in a random order, and the number of candidates, for each image.

    Raises
    ------
    ValueError
        Some image has no more than `first` candidates.

    Examples
    --------
    >>> hits, chance, competing = ranked(np.eye(3), np.array([0, 1, 1]), 1)
    >>> hits.tolist(), competing.tolist()
    ([True, True, True], [3, 2, 2])
    """
    if isinstance(first, bool) or not isinstance(first, int | np.integer) or first < 1:
        raise ValueError(f"first must be a positive int, not {first!r}")
    rival = groups[:, None] != groups
    competing = 1 + rival.sum(1)
    if competing.min() <= first:
        raise ValueError(
            f"an image has {competing.min()} candidates of other groups, itself included; it takes "
            f"more than {first}"
        )
    hits = ((fit >= fit.diagonal()[:, None] - tie) & rival).sum(1) < first
    return hits, first / competing, competing


def wording(first: int, competing: np.ndarray) -> str:
    """What counts as a success, in words.

    Examples
    --------
    >>> wording(1, np.array([3, 2]))
    'the own image comes first among 2 to 3'
    """
    low, high = competing.min(), competing.max()
    among = f"{low}" if low == high else f"{low} to {high}"
    place = "comes first" if first == 1 else f"is in the first {first}"
    return f"the own image {place} among {among}"
