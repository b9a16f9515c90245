"""What an audit would have found: leaks of known size are planted into the very pairs it asked."""

from collections.abc import Callable, Collection

import numpy as np

from leakage.audits.critic import Pictures, PlanePlanter
from leakage.audits.findings import Power, View
from leakage.audits.levels import (
    COMPONENTS,
    FEWEST_IDENTIFIED,
    Sample,
    constant,
    coupled_blocks,
    enough,
    identification_p_value,
    patch_vectors,
    rung_estimate,
    swap_p_value,
    whole,
)
from leakage.audits.side_by_side import side_by_side
from leakage.audits.verdicts import ALPHA, LEVELS
from leakage.estimate import entropy
from leakage.estimators.critics import principal_components
from leakage.estimators.swapped_pixels import CoupledTables, enough_couples

#: Of so many plantings so many must be found: a few more than eight of ten, for chance had its
#: part in these.
TRIALS, NEEDED = 20, 17
#: Of patches by the linear critic alone: what it finds in seven of ten, all that an audit asks find
#: in eight to nine (`benchmarks/audit_power.py`).
NEEDED_LINEAR = 14

#: Directions that name an image among others: what is in two alone names few.
MANY = 8

_RUNG = "stem"
_IMAGE_BITS = 2.0 ** np.arange(-5, 4.25, 0.25)
_PATCH_BITS = 2.0 ** np.arange(-10, 3.25, 0.25)
_SAMPLE_BITS = 2.0 ** np.arange(-22, -1.5, 0.5)
#: Of what the lowest plane of a patch holds.
_SHARES = 2.0 ** np.arange(-9, 0.25, 0.25)
#: Random swaps that say how large a score of single samples is by chance.
_SWAPS = 599


_MIXED = "{} random directions of the ciphertext's vector follow as many of the {}'s"
#: What is planted for each view, and what its bits are of.
PLANTED: dict[View, tuple[str, str]] = {
    "pixel": (
        "the lowest bit plane of the ciphertext is the image's more often than not", "sample",
    ),
    "patch": (
        "a random direction of the ciphertext's vector follows one of the patch's", "patch",
    ),
    "critic": (
        "the lowest bit plane of some patches of the ciphertext is the image's", "patch",
    ),
    "embedding": (_MIXED.format(2, "image"), "image"),
    "identification": (_MIXED.format(MANY, "image"), "image"),
}  # fmt: skip


def power_of(
    sample: Sample, pictures: Pictures, seed: int, views: Collection[View] = tuple(PLANTED)
) -> tuple[Power, ...]:
    """The power of these views, at the level that a test has among all tests of an audit."""
    share = ALPHA / len(LEVELS)
    ask: dict[View, Callable[[], float | None]] = {  # what takes longest first
        "critic": lambda: critic_power(pictures, share, seed),
        "identification": lambda: identification_power(sample, share, seed),
        "embedding": lambda: embedding_power(sample, share / len(sample.plain), seed),
        "pixel": lambda: pixel_power(sample, share, seed),
        "patch": lambda: patch_power(sample, share, seed),
    }
    with side_by_side() as threads:
        asked = {view: threads.submit(one) for view, one in ask.items() if view in views}
        return tuple(
            Power(view, asked[view].result(), unit, planted)
            for view, (planted, unit) in PLANTED.items()
            if view in views
        )


def pixel_power(sample: Sample, alpha: float, seed: int) -> float | None:
    """Bits a sample. A bit of the ciphertext agrees with the image's, beyond chance."""
    plain = sample.plain_blocks
    if not enough_couples(sample.partners, sample.couples):
        return None
    plant = plane_planter(sample)
    rank = max(1, int(alpha * (_SWAPS + 1)))
    limits: dict[float, float] = {}  # of each amount once: swaps of every planting take minutes

    def found(bits: float, trial: int) -> bool:
        planted = plant(bits, seed + trial)
        if bits not in limits:
            tables = CoupledTables.of(plain, planted, sample.partners, sample.couples)
            assert tables is not None  # couples are enough
            swapped = tables.swapped(_SWAPS, np.random.default_rng(seed))
            limits[bits] = float(np.sort(swapped)[-rank])
        return CoupledTables.own(plain, planted).score() > limits[bits]

    return smallest(found, _SAMPLE_BITS)


def plane_planter(sample: Sample) -> Callable[[float, int], np.ndarray]:
    """Of bits a sample and a seed to ciphertext blocks whose lowest plane tells so much.

    Ciphertexts of random couples are swapped before, so that no chance agreement stays.
    """
    plain, cipher = sample.plain_blocks, sample.cipher_blocks
    ones = float((plain & 1).mean())
    names, which = np.unique(sample.couples, return_inverse=True)
    partner = np.where(sample.partners >= 0, sample.partners, np.arange(len(plain)))

    def plant(bits: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        swap = rng.random(len(names)) < 0.5
        base = cipher[np.where(swap[which], partner, np.arange(len(plain)))]
        agree = rng.random(plain.shape, np.float32) < _agreement(bits, ones)
        return np.where(agree, (base & 0xFE) | (plain & 1), base)

    return plant


def _agreement(bits: float, ones: float) -> float:
    """How often a bit must be replaced by the image's to tell so much of it, if it was even."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if _told(middle, ones) < bits:
            low = middle
        else:
            high = middle
    return high


def _told(share: float, ones: float) -> float:
    """Bits that an even bit tells of one that is 1 so often, if it is replaced in this share."""
    same, other = (1 + share) / 2, (1 - share) / 2
    out = ones * same + (1 - ones) * other
    return entropy(np.array([out, 1 - out])) - entropy(np.array([same, other]))


def patch_power(sample: Sample, alpha: float, seed: int) -> float | None:
    """Bits a patch, by the linear one of the critics that the audit asks."""
    keep = coupled_blocks(sample, seed)
    groups = sample.block_groups[keep]
    if len(np.unique(groups)) < FEWEST_IDENTIFIED:
        return None
    x, y = (patch_vectors(blocks[keep]) for blocks in (sample.plain_blocks, sample.cipher_blocks))
    if constant(x) or constant(y):
        return None
    couples, partners = sample.couples[keep], np.searchsorted(keep, sample.partners[keep])
    plant = order_planter(x, y)

    def found(bits: float, trial: int) -> bool:
        planted = plant(bits, seed + trial)
        p_value = swap_p_value(
            x, planted, groups, couples, partners, 999, seed + trial, linear=True
        )
        return p_value <= alpha

    return smallest(found, _PATCH_BITS, NEEDED_LINEAR)


def critic_power(pictures: Pictures, alpha: float, seed: int) -> float | None:
    """Bits a patch, of those that the pretrained critic reads."""
    if not pictures.enough:
        return None
    planter = PlanePlanter(pictures, seed)
    if planter.bits == 0:
        return None
    return smallest(
        lambda bits, trial: planter.p_value(bits, seed + trial) <= alpha, planter.bits * _SHARES
    )


def embedding_power(sample: Sample, alpha: float, seed: int) -> float | None:
    """Bits an image, of one rung."""
    if not enough(sample):
        return None
    x, y = sample.plain[_RUNG], sample.cipher[_RUNG]

    def test(planted: np.ndarray, seed: int) -> float | None:
        return rung_estimate(sample, x, planted, 999, seed).p_value

    return _planted_power(x, y, test, alpha, _IMAGE_BITS, seed)


def identification_power(sample: Sample, alpha: float, seed: int) -> float | None:
    """Bits an image, planted into all rungs together, by identification."""
    if len(np.unique(sample.groups)) < FEWEST_IDENTIFIED:
        return None
    x, y = whole(sample.plain), whole(sample.cipher)

    def test(planted: np.ndarray, seed: int) -> float:
        return identification_p_value(sample, x, planted, 499, seed)

    return _planted_power(x, y, test, alpha, _IMAGE_BITS, seed, MANY)


def _planted_power(
    x: np.ndarray,
    y: np.ndarray,
    test: Callable[[np.ndarray, int], float | None],
    alpha: float,
    grid: np.ndarray,
    seed: int,
    count: int = 2,
) -> float | None:
    if constant(x) or constant(y):
        return None
    plant = direction_planter(x, y, count)

    def found(bits: float, trial: int) -> bool:
        p_value = test(plant(bits, seed + trial), seed + trial)
        return p_value is not None and p_value <= alpha

    return smallest(found, grid)


def direction_planter(
    x: np.ndarray, y: np.ndarray, count: int
) -> Callable[[float, int], np.ndarray]:
    """Of bits and a seed to y with so much of x mixed in.

    So many random whitened directions of y are mixed with as many of x, equal bits in each.
    """
    y = y.astype(float)
    bases = [_basis(v.astype(float)) for v in (x, y)]

    def plant(bits: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rho = np.sqrt(1 - 2.0 ** (-2 * bits / count))  # Gaussian channels
        (a, _), (b, along) = (_scores(*basis, count, rng) for basis in bases)
        return y + (rho * a + (np.sqrt(1 - rho**2) - 1) * b) @ along

    return plant


def order_planter(x: np.ndarray, y: np.ndarray) -> Callable[[float, int], np.ndarray]:
    """Of bits and a seed to the rows of y in an order that tells so much of x.

    A random whitened direction of y follows one of x. No value is changed: ranks would tell what
    is mixed into a value that many rows share, however little it is.
    """
    bases = [_basis(v.astype(float)) for v in (x, y)]

    def plant(bits: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rho = np.sqrt(1 - 2.0 ** (-2 * bits))  # a Gaussian channel
        (a, _), (b, _) = (_scores(*basis, 1, rng) for basis in bases)
        wanted = rho * a[:, 0] + np.sqrt(1 - rho**2) * rng.normal(size=len(a))
        planted = np.empty_like(y)
        planted[np.argsort(wanted)] = y[np.argsort(b[:, 0])]
        return planted

    return plant


def smallest(
    found: Callable[[float, int], bool], grid: np.ndarray, needed: int = NEEDED
) -> float | None:
    """The smallest amount of a grid that is found often enough; None if none is.

    Examples
    --------
    >>> smallest(lambda bits, trial: bits > 0.3, np.array([0.1, 0.2, 0.4, 0.8]))
    0.4
    """
    low, high = 0, len(grid)
    while low < high:
        middle = (low + high) // 2
        if _often(found, float(grid[middle]), needed):
            high = middle
        else:
            low = middle + 1
    return float(grid[low]) if low < len(grid) else None


def _often(found: Callable[[float, int], bool], bits: float, needed: int) -> bool:
    """Whether enough plantings are found; it stops where the rest can change nothing."""
    hits = 0
    for trial in range(TRIALS):
        hits += found(bits, trial)
        if hits >= needed or hits + TRIALS - trial - 1 < needed:
            break
    return hits >= needed


def _basis(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardised scores along the first principal components, and these scaled back."""
    pca = principal_components(values, min(COMPONENTS // 2, values.shape[1]), seed=0)
    along = pca.transform(values)
    spread = along.std(0)
    useful = spread > 1e-6 * spread[0]
    return along[:, useful] / spread[useful], spread[useful, None] * pca.components_[useful]


def _scores(
    along: np.ndarray, back: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The same of so many random directions among the components."""
    some = along.shape[1]
    weights = np.linalg.qr(rng.normal(size=(some, min(count, some))))[0]
    return along @ weights, weights.T @ back
