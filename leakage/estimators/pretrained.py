"""Evidence from a handful of pictures: what the critic that the package carries says of them.

It was taught once, on generated scenes under simulated ciphers (`benchmarks/train_critic.py`), so
none of the user's pictures is spent on training. Ciphertexts change places between pictures, whole:
the p-value holds whatever taught the critic. Each of its scores is asked on both sides, for a leak
may also make own pairs less alike than others.
"""

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import permutations as every_order
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import logsumexp, ndtri

from leakage.devices import found_device
from leakage.estimate import Estimate
from leakage.estimators import likeness
from leakage.estimators.bounds import ceiling_of
from leakage.estimators.pair_critic import PairCritic, with_weights
from leakage.estimators.pretrained_bounds import CertifiedBits
from leakage.estimators.threads import one_thread
from leakage.evidence.exchange import Strata
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import few_exchanges

#: The weights, and what they must be.
FILE = Path(__file__).with_name("pretrained_critic.npz")
SHA256 = "10ed7abcae6e88e7f2adb7d0c80addede2d25a6c711f44673a1ae01dddba73fc"
#: Groups of pictures that are compared with one another, all pairs of them: more are dealt into
#: parts of about this size.
TOGETHER = 12
#: Pairs of patches that are read in all, and the fewest and most places of a picture.
READ, FEWEST_PLACES, MOST_PLACES = 8192, 16, 256
#: Exchanges that are gone through one by one, those of eight pictures; of more, random ones.
COUNTABLE, RANDOM = math.factorial(8), 9_999
#: Factors on the scores, chosen on other pictures: 0 where the critic has nothing to say, below 0
#: where own pairs are less alike than others.
FACTORS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.3, -0.02, -0.05, -0.1, -0.2, -0.5)
#: What a factor other than 0 must gain on those pictures, in standard errors.
CAUTION = 2.0
#: And in bits, beyond rounding.
LEAST = 1e-6
#: As near to the ceiling, in bits, the true value may be anything above.
NEAR_CEILING = 0.1
#: Of the certified bits.
CONFIDENCE = 0.95


@lru_cache(maxsize=4)
def load_critic(file: Path = FILE, sha256: str = "") -> PairCritic:
    """A critic from its file, of which the checksum is verified; nothing in it is executed.

    Parameters
    ----------
    file : Path
        As `benchmarks/train_critic.py` writes it.
    sha256 : str
        Of the file; that of the package's own by default.

    Raises
    ------
    ValueError
        The file is missing, or is not what it was.

    Examples
    --------
    >>> load_critic().heads[0]
    'all'
    """
    mend = "reinstall the package, or make it anew: python benchmarks/train_critic.py"
    try:
        data = Path(file).read_bytes()
    except OSError:
        raise ValueError(f"the pretrained critic is missing, {file}; {mend}") from None
    found, expected = hashlib.sha256(data).hexdigest(), sha256 or SHA256
    if found != expected:
        raise ValueError(f"{Path(file).name} has SHA-256 {found}, expected {expected}; {mend}")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        heads, families = (tuple(stored[name].tolist()) for name in ("heads", "families"))
        return with_weights(heads, families, stored.__getitem__)


class Places(NamedTuple):
    """Where patches lie in every picture: channel, top and left of each."""

    channel: np.ndarray
    top: np.ndarray
    left: np.ndarray
    patch: int

    @classmethod
    def drawn(
        cls, shape: tuple[int, ...], patch: int, count: int, rng: np.random.Generator
    ) -> "Places":
        """At most so many, side by side in (H, W) or (H, W, 3), all channels.

        Examples
        --------
        >>> len(Places.drawn((16, 16, 3), 8, 5, np.random.default_rng(0)).top)
        5
        """
        channels = shape[2] if len(shape) == 3 else 1
        tops, lefts = (np.arange(0, side - patch + 1, patch) for side in shape[:2])
        grid = np.stack([v.ravel() for v in np.meshgrid(range(channels), tops, lefts)], 0)
        kept = np.sort(rng.permutation(grid.shape[1])[:count])
        channel, top, left = grid[:, kept]
        return cls(channel, top, left, patch)

    @classmethod
    def for_parts(
        cls,
        shape: tuple[int, ...],
        patch: int,
        together: list[np.ndarray],
        rng: np.random.Generator,
        read: int = READ,
    ) -> "Places":
        """As many as reading about so many pairs of patches allows, of all pairs within parts."""
        pairs = sum(len(block) * block.size for block in together)
        count = int(np.clip(read // pairs, FEWEST_PLACES, MOST_PLACES))
        return cls.drawn(shape, patch, count, rng)

    def cut(self, images: np.ndarray) -> torch.Tensor:
        """Patches (n, places, P, P) of uint8 images (n, H, W[, C])."""
        wide = images[..., None] if images.ndim == 3 else images
        side = np.arange(self.patch)
        down = self.top[:, None, None] + side[:, None]
        right = self.left[:, None, None] + side
        return torch.from_numpy(wide[:, down, right, self.channel[:, None, None]])


class Told(NamedTuple):
    """What a critic says of one part: G groups, m pictures of each, all pairs of aligned ones."""

    patches: np.ndarray  # (m, G, G, places, heads), nats
    images: np.ndarray  # (m, G, G, views), nats
    block: np.ndarray  # (G, m), pictures

    @property
    def sums(self) -> np.ndarray:
        """Scores of groups with one another, (heads and views, G, G)."""
        both = self.patches.mean(3), self.images
        return np.moveaxis(np.concatenate(both, 3).sum(0, dtype=float), 2, 0)


def parts(groups: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Groups of like size that are compared with one another, as arrays of pictures (G, m).

    Examples
    --------
    >>> [part.shape for part in parts(np.arange(26), np.random.default_rng(0))]
    [(9, 1), (9, 1), (8, 1)]
    """
    found = []
    for block in Strata.of(groups, rng).blocks:
        count = -(-len(block) // TOGETHER)
        order = np.arange(len(block)) if count == 1 else rng.permutation(len(block))
        found += [block[np.sort(some)] for some in np.array_split(order, count)]
    return found


def tell(
    critic: PairCritic, plain: np.ndarray, cipher: np.ndarray, block: np.ndarray, places: Places
) -> Told:
    """Scores of all pairs of a part's groups."""
    patches, images = [], []
    for rows in block.T:
        x, c = (places.cut(side[rows]) for side in (plain, cipher))
        n, count = x.shape[:2]
        scores = [
            critic.of_patches(
                one.repeat(n, 1, 1), c.reshape(n * count, *c.shape[2:])
            ).reshape(n, count, -1)
            for one in x
        ]  # fmt: skip
        patches.append(np.stack(scores))
        images.append(critic.of_images(plain[rows], cipher[rows]))
    return Told(np.stack(patches), np.stack(images), block)


def pretrained_mi(
    batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    patch: int,
    permutations: int,
    seed: int,
    device: str,
    critic: PairCritic | None = None,
) -> Estimate:
    """As `leakage.patch_mi` with ``critic="pretrained"``, in the memory that one batch needs.

    `batches`: checked images, ciphertexts and groups, whole groups, at least two in each batch.
    `critic`: another than that of the package.
    """
    critic = (load_critic() if critic is None else critic).on(found_device(device))
    rng = np.random.default_rng(seed)
    certified, places = CertifiedBits(len(critic.heads)), None
    sums, locals_ = [], []
    alike: list[np.ndarray] = []
    with one_thread():
        for plain, cipher, groups in batches:
            together = parts(groups, rng)
            places = places or Places.for_parts(plain.shape[1:], patch, together, rng)
            for block in together:
                told = tell(critic, plain, cipher, block, places)
                sums.append(told.sums)
                if len(alike) < likeness.MOST_PARTS:
                    alike.append(likeness.of_part(plain, cipher, block))
                locals_.append(local_bits(told.patches))
                certified.bets(told.patches, np.random.default_rng([seed, len(sums)]))
    assert places is not None
    local = np.concatenate(locals_)
    bits, low, high, factors = _held_out(local, rng)
    tested = exchanged(sums, permutations, rng, alike)
    ceiling = ceiling_of([len(part) for part in locals_])
    names = (*critic.names, *likeness.NAMES)
    named = [critic.heads[k // len(FACTORS)] for k in factors]
    details = {
        "z": float(np.abs(tested.zs).max()),
        "head": names[int(np.abs(tested.zs).argmax())],
        "heads": dict(zip(names, tested.zs.tolist(), strict=True)),
        "exchanged": f"{len(local)} groups",
        "reach": tested.reach,
        "ceiling": ceiling,
        "certified": certified.at(CONFIDENCE),
        "factors": tuple((name, FACTORS[k % len(FACTORS)])
                         for name, k in zip(named, factors, strict=True)),
        "places": len(places.top),
    }  # fmt: skip
    return Estimate(
        bits, low, high, tested.p_value if permutations else None, len(local) * len(places.top),
        "pretrained critic, trained on no picture of these", "estimate",
        tuple(reservations(low, high, ceiling, tested.reach if permutations else 0.0)), details,
    )  # fmt: skip


def reservations(
    low: float | None, high: float | None, ceiling: float, reach: float
) -> Iterator[str]:
    """What a reader must know of an interval and of the least p-value.

    Examples
    --------
    >>> list(reservations(2.9, 3.0, 3.0, 0.001)), list(reservations(-1.0, 3.0, 3.0, 0.001))
    (['saturated: told apart among 8, there may be far more'], [])
    """
    yield from few_exchanges(reach, "pictures")
    if low is None or high is None:
        yield "no patch told from another: 0 is no estimate"
    elif low > 0 and high > ceiling - NEAR_CEILING:
        yield f"saturated: told apart among {round(2**ceiling)}, there may be far more"


def local_bits(scores: np.ndarray) -> np.ndarray:
    """InfoNCE of each group's own patches, (m, G, G, places, heads) to (G, heads x FACTORS), bits.

    A patch is told from those at its place in the other groups by the ciphertext of its own.
    """
    count = scores.shape[1]
    found = []
    for head in np.moveaxis(scores.astype(float), 4, 0):
        for factor in FACTORS:
            scaled = factor * head
            own = np.einsum("miip->mip", scaled)
            local = own - logsumexp(scaled, axis=2) + math.log(count)
            found.append(local.mean((0, 2)) / math.log(2))
    return np.stack(found, 1)


def surely(local: np.ndarray) -> np.ndarray:
    """Mean over groups less its error, CAUTION times; 0 where that is not above 0.

    Examples
    --------
    >>> surely(np.array([[3.0, 1.0, 0.0], [1.0, 1.0, -1.0]])).tolist()
    [0.0, 1.0, 0.0]
    """
    count = len(local)
    spread = local.std(0, ddof=1) if count > 1 else np.full(local.shape[1], np.inf)
    sure = local.mean(0) - CAUTION * spread / math.sqrt(count)
    return np.where(sure > LEAST, sure, 0)


def _held_out(
    local: np.ndarray, rng: np.random.Generator
) -> tuple[float, float | None, float | None, list[int]]:
    """Mean over groups, with interval: head and factor are chosen on the other half of them.

    Where both halves choose 0, the critic tells no patch from another, and has no interval.
    """
    half = np.zeros(len(local), bool)
    half[rng.permutation(len(local))[: len(local) // 2]] = True
    values, chosen = np.zeros(len(local)), []
    for judged in (half, ~half):
        others = local[~judged]
        best = int(np.argmax(surely(others)))  # the first factor is 0
        chosen.append(best)
        values[judged] = local[judged][:, best]
    if not any(FACTORS[k % len(FACTORS)] for k in chosen):
        return 0.0, None, None, chosen
    low, high = clustered_interval(values.mean(), values, np.arange(len(values)))
    return float(values.mean()), low, high, chosen


class Exchanged(NamedTuple):
    """What exchanges say.

    Attributes
    ----------
    p_value : float
        Of the score that stands out most, on either side, among exchanges of all of them.
    reach : float
        The least that it could have been.
    zs : ndarray of float, shape (scores,)
        Distance of each score from its mean over all exchanges, in standard deviations.
    """

    p_value: float
    reach: float
    zs: np.ndarray


def exchanged(
    sums: list[np.ndarray],
    permutations: int,
    rng: np.random.Generator,
    alike: Sequence[np.ndarray] = (),
) -> Exchanged:
    """Test of own pairs against all exchanges of groups within parts, of several scores together.

    The largest distance of any score is compared with what it is under the same exchange of all of
    them, so that asking many scores, and on both sides, costs no error.

    Parameters
    ----------
    sums : list of ndarray of float, shape (scores, G, G)
        Of each part the scores of its groups with one another.
    permutations : int
        At least so many random exchanges where there are too many to go through.
    rng : numpy.random.Generator
        Draws them.
    alike : sequence of ndarray of float, shape (views, 2, G, G)
        Of the first parts the distances of images and of ciphertexts, to be compared as well, on
        one side: of pictures that are alike, ciphertexts may be.

    Examples
    --------
    >>> found = exchanged([-np.eye(6)[None]], 99, np.random.default_rng(0))
    >>> round(found.p_value * 720), round(found.reach * 720), found.zs.round(3).tolist()
    (1, 1, [-5.0])
    """
    centred = [
        part - part.mean(1, keepdims=True) - part.mean(2, keepdims=True)
        + part.mean((1, 2), keepdims=True)
        for part in sums
    ]  # fmt: skip
    variance = sum((part**2).sum((1, 2)) / max(len(part[0]) - 1, 1) for part in centred)
    rounding = 1e-20 * sum((part**2).sum((1, 2)) for part in sums)
    deviation = np.sqrt(np.where(variance > rounding, variance, np.inf))
    sizes = [part.shape[1] for part in centred]
    total: np.ndarray | float = 0.0
    covary: np.ndarray | float = 0.0
    for i, orders in enumerate(_orders(sizes, permutations, rng)):
        cells = np.arange(sizes[i]) * sizes[i] + orders  # of a matrix laid out in one row
        total = total + np.stack([score.take(cells).sum(1) for score in centred[i]])
        if i < len(alike):
            covary = covary + np.stack(list(likeness.covariances(alike[i], orders)))
    zs = total / deviation[:, None]
    largest = np.abs(zs).max(0)
    if alike:
        standard = _standardised(np.asarray(covary))
        largest = np.maximum(largest, standard.max(0))
        zs = np.concatenate([zs, standard])
    p_value = float(np.mean(largest >= largest[0] - 1e-9))
    # two groups are as far apart in either order, on one side or the other
    least = 2 if max(sizes) == 2 else 1
    return Exchanged(p_value, least / len(largest), zs[:, 0])


def _standardised(values: np.ndarray) -> np.ndarray:
    """Distances of (scores, exchanges) from their means, in standard deviations; 0 if constant.

    Distance covariances have a long tail above: where it says more, the share of exchanges that
    reach as far counts, as it would of normal scores.
    """
    centred = values - values.mean(1, keepdims=True)
    spread = centred.std(1, keepdims=True)
    varied = spread > 1e-9 * np.abs(values).max()
    standard = centred / np.where(varied, spread, np.inf)
    ordered = np.sort(standard, 1)
    count = values.shape[1]
    below = np.stack([np.searchsorted(o, s - 1e-9) for o, s in zip(ordered, standard, strict=True)])
    return np.where(varied, np.maximum(standard, -ndtri((count - below) / count / 2)), 0)


def _orders(sizes: list[int], permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Orders of the groups of each part, (exchanges, G): their own first, all if countable."""
    if len(sizes) == 1 and math.factorial(sizes[0]) <= COUNTABLE:
        yield np.array(list(every_order(range(sizes[0]))), np.int8)
        return
    count = max(permutations, RANDOM)
    for size in sizes:
        own = np.arange(size)
        yield np.concatenate([own[None], rng.permuted(np.tile(own, (count, 1)), axis=1)])
