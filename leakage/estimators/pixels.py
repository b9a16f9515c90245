"""Mutual information of single samples and their ciphertexts, through the planes that tell most."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple, NoReturn

import numpy as np
from scipy.special import stdtrit  # of Student's distribution, the quantile

from leakage.arguments import check_pairs, check_seed
from leakage.estimate import Estimate
from leakage.estimators.corrections import jackknife_mi, jackknifed_log, plug_in_mi
from leakage.estimators.counting import SAMPLES_PER_CELL
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import permutation_p_value

#: Side in pixels of the blocks that permutations and intervals treat as one piece.
BLOCK = 16
#: Couples are swapped in so many bundles at most, each with a table of its own.
FEWEST_COUPLES, BUNDLES = 10, 64
#: Sets of swaps that are scored together: their tables stay in the cache.
AT_ONCE = 16
#: Counts whose part in an entropy is looked up.
_LOOKED_UP = 1 << 12

# The data-processing inequality allows any mask: I(X & m; Y & m) <= I(X; Y). Few planes make small
# tables, whose bias can be corrected.
MASKS = {
    "all planes": 0xFF,
    **{f"the {j} least significant planes" if j > 1 else "the least significant plane": (1 << j) - 1
       for j in range(1, 8)},
    **{f"the {j} most significant planes" if j > 1 else "the most significant plane":
       0xFF & (0xFF << (8 - j)) for j in range(1, 8)},
}  # fmt: skip


def reduced(table: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Tables of bytes, (..., 256, 256), seen through every mask, by its name.

    Each is summed from the table that has a plane more.
    """
    names = {mask: name for name, mask in MASKS.items()}
    yield names[0xFF], table
    for low in (True, False):
        small = table
        for planes in range(7, 0, -1):
            half = 1 << planes
            two = (np.s_[:half], np.s_[half:]) if low else (np.s_[::2], np.s_[1::2])
            a, b, c, d = (small[..., i, j] for i in two for j in two)
            small = a + b + c + d
            yield names[(1 << planes) - 1 if low else 0xFF & (0xFF << (8 - planes))], small


def _best_mask(table: np.ndarray) -> tuple[float, str, float, float]:
    """Score, name, bits and null standard deviation of the mask with the clearest information."""
    found = []
    for name, small in reduced(table):
        rows, columns = (int(np.count_nonzero(small.sum(axis))) for axis in (1, 0))
        if small.sum() < SAMPLES_PER_CELL * np.count_nonzero(small) or min(rows, columns) < 2:
            continue
        bits = jackknife_mi(small)
        noise = _noise(rows, columns, small.sum())
        found.append((bits - 3 * noise, name, bits, noise))
    if not found:
        _refuse(table)
    return max(found)


def _noise(rows: int, columns: int, samples: float) -> float:
    """Standard deviation of the information in a table of independent samples, in bits."""
    return float(np.sqrt(2 * (rows - 1) * (columns - 1)) / (2 * samples * np.log(2)))


def _refuse(table: np.ndarray) -> NoReturn:
    for side, axis in (("plain", 1), ("cipher", 0)):
        if np.count_nonzero(table.sum(axis)) < 2:
            raise ValueError(
                f"{side} is constant: all its {int(table.sum())} samples are equal, so it "
                "carries no information; give images that show something"
            )
    raise ValueError(
        f"{int(table.sum())} samples are too few for any group of planes in which the images "
        "vary; give more images, or larger ones"
    )


def pieces(images: np.ndarray) -> np.ndarray:
    """What is permuted: (N, H, W[, 3]) cut to (blocks, samples a block), without narrow margins."""
    n, height, width, *channels = images.shape
    side = min(BLOCK, height, width)
    rows, columns = height // side, width // side
    cut = images[:, : rows * side, : columns * side]
    grid = cut.reshape(n, rows, side, columns, side, *channels).swapaxes(2, 3)
    return grid.reshape(n * rows * columns, -1)


def _byte_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    pair = x.ravel().astype(np.uint16) << 8 | y.ravel()
    return np.bincount(pair, minlength=65536).reshape(256, 256)


def pixel_mi(
    plain: np.ndarray, cipher: np.ndarray, *, permutations: int = 199, seed: int = 0
) -> Estimate:
    """Mutual information of a sample and its ciphertext, pooled over all samples of an image set.

    The 256 x 256 table of all eight planes is biased most where encryption is strongest. By data
    processing, the table of fewer planes can only hold less information, and it has less bias. We
    look through all groups of low and of high planes, correct each by the jackknife, and report
    the one whose information is clearest of noise: the method names it, so the value also tells
    which planes leak.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, of one shape, (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    permutations : int
        Behind the p-value: blocks of 16 x 16 pixels of the ciphertext are shuffled, and the choice
        of planes is made anew each time. 0 gives none.
    seed : int
        Of the permutations.

    Returns
    -------
    Estimate
        In bits a sample; blind to anything but a sample and its own ciphertext, for instance to
        a permutation of pixels. Blocks are taken for independent pieces: where one key byte serves
        a whole image or a row, the few keys of the set are found, and not the law of a sample
        (`leakage.neighbourhood_mi` with ``views="samples"`` judges images by others). The interval
        is over blocks. Details: ``plug-in`` (all planes, uncorrected), ``bias`` (that minus the
        value).

    Raises
    ------
    ValueError, TypeError
        Images of different shape, dtype or size 0; too few samples.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> plain = load_images(count=16).images
    >>> cipher = get_scheme("bitplane", bits=5).encrypt(plain, bytes(16))
    >>> estimate = pixel_mi(plain, cipher)
    >>> print(estimate.method)
    plug-in of the 3 least significant planes, jackknife
    """
    check_seed(seed)
    plain, cipher = check_pairs(plain, cipher)
    table = _byte_table(plain, cipher)
    _, name, bits, noise = _best_mask(table)
    raw = plug_in_mi(table)

    x, y = pieces(plain), pieces(cipher)
    low = high = p_value = None
    if len(x) > 1:
        mask = np.uint8(MASKS[name])
        chosen = dict(reduced(table))[name]
        low, high = _block_interval(bits, noise, chosen, x & mask, y & mask, int(mask))
    if len(x) > 1 and permutations:
        rng = np.random.default_rng(seed)
        null = [
            _best_mask(_byte_table(x, y[rng.permutation(len(y))]))[0] for _ in range(permutations)
        ]
        observed = _best_mask(_byte_table(x, y))[0]
        p_value = permutation_p_value(observed, np.array(null))
    return Estimate(
        bits,
        low,
        high,
        p_value,
        int(table.sum()),
        f"plug-in of {name}, jackknife",
        "estimate",
        (),
        {"plug-in": raw, "bias": raw - bits},
    )


def pixel_swap_p_value(
    plain: np.ndarray,
    cipher: np.ndarray,
    partners: np.ndarray,
    couples: np.ndarray,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> float | None:
    """p-value of `pixel_mi` for ciphertexts that may differ from place to place.

    Blocks of two images at the same places form a couple. If images tell nothing of their
    ciphertexts, the ciphertexts of a couple may be swapped; shuffling blocks over all places, as
    `pixel_mi` does, would take a header or a vignette of the ciphertexts for a leak.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (B, H, W) or (B, H, W, 3)
        Blocks of images and of their ciphertexts.
    partners : ndarray of int, shape (B,)
        Block at the same place of the couple's other image; -1 for blocks that stay as they are.
    couples : ndarray of int, shape (B,)
        Label of the couple.
    permutations : int
        Random sets of swaps; the choice of planes is made anew each time.
    seed : int
        Of the swaps.

    Returns
    -------
    float or None
        None with fewer than ten couples.

    Raises
    ------
    ValueError
        Too few samples, or constant ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> plain = rng.integers(0, 256, (40, 16, 16), np.uint8)
    >>> partners, couples = np.arange(40) ^ 1, np.arange(40) // 2
    >>> pixel_swap_p_value(plain, plain ^ 255, partners, couples, permutations=99)
    0.01
    """
    check_seed(seed)
    tables = CoupledTables.of(plain, cipher, partners, couples)
    if tables is None:
        return None
    null = tables.swapped(permutations, np.random.default_rng(seed))
    return permutation_p_value(tables.score(), null)


class CoupledTables(NamedTuple):
    """Counts of plain and cipher values of blocks whose ciphertexts may be swapped, by couples.

    Attributes
    ----------
    together : ndarray of float32, shape (256, 256)
        What own and swapped ciphertexts have in common.
    gains : ndarray of float32, shape (C, 256, 256)
        What own ones have beyond that, couple by couple; couples are bundled if they are many.
    """

    together: np.ndarray
    gains: np.ndarray

    @classmethod
    def of(
        cls, plain: np.ndarray, cipher: np.ndarray, partners: np.ndarray, couples: np.ndarray
    ) -> "CoupledTables | None":
        """The tables of blocks, as `pixel_swap_p_value` takes them; None of too few couples."""
        if not enough_couples(partners, couples):
            return None
        coupled = np.flatnonzero(partners >= 0)
        names, which = np.unique(couples[coupled], return_inverse=True)
        bundles = min(len(names), BUNDLES)
        which = which % bundles
        fixed = np.setdiff1d(np.arange(len(plain)), coupled)
        together = _byte_table(plain[fixed], cipher[fixed]).astype(np.float32)
        gains = np.empty((bundles, 256, 256), np.float32)
        for bundle in range(bundles):
            rows = coupled[which == bundle]
            own = _byte_table(plain[rows], cipher[rows])
            swapped = _byte_table(plain[rows], cipher[partners[rows]])
            together += (own + swapped) / 2
            gains[bundle] = (own - swapped) / 2
        return cls(together, gains)

    @classmethod
    def own(cls, plain: np.ndarray, cipher: np.ndarray) -> "CoupledTables":
        """The table of own ciphertexts, of which nothing is to be swapped."""
        table = _byte_table(plain, cipher).astype(np.float32)
        return cls(table, np.empty((0, 256, 256), np.float32))

    def score(self) -> float:
        """The best planes' information, of own ciphertexts."""
        return float(self._scores(np.ones((1, len(self.gains)), np.float32))[0])

    def swapped(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Scores of so many random sets of swaps."""
        return self._scores(rng.choice(np.array([-1, 1], np.float32), (count, len(self.gains))))

    def _scores(self, signs: np.ndarray) -> np.ndarray:
        """The best planes' information with each set of signs of the gains."""
        best = np.full(len(signs), -np.inf)
        for (_, table), (_, gains) in zip(reduced(self.together), reduced(self.gains), strict=True):
            # swaps change neither how often a plain value occurs nor how often a cipher value
            sides = [table.sum(axis, dtype=float) for axis in (1, 0)]
            rows, columns = (int(np.count_nonzero(side)) for side in sides)
            if min(rows, columns) < 2:
                continue
            samples = sides[0].sum()
            apart = float(jackknifed_log(samples)) - sum(_parts(s).sum() for s in sides) / samples
            apart -= 3 * _noise(rows, columns, samples)
            gains = gains.reshape(len(gains), table.size)
            for start in range(0, len(signs), AT_ONCE):
                some = np.s_[start : start + AT_ONCE]
                # halves of whole numbers are exact in single precision
                counts = table.ravel() + signs[some] @ gains
                enough = samples >= SAMPLES_PER_CELL * np.count_nonzero(counts, axis=1)
                scores = apart + _parts(counts).sum(1) / samples
                best[some] = np.maximum(best[some], np.where(enough, scores, -np.inf))
        if np.isneginf(best).any():
            _refuse(self.together)
        return best


def enough_couples(partners: np.ndarray, couples: np.ndarray) -> bool:
    """Whether there are couples enough to be swapped, of blocks as of `pixel_swap_p_value`."""
    return len(np.unique(couples[partners >= 0])) >= FEWEST_COUPLES


def _parts(counts: np.ndarray) -> np.ndarray:
    """Part of each count in `leakage.estimators.corrections.jackknife_entropy`."""
    if counts.max() < _LOOKED_UP:
        return _looked_up().take(counts.astype(np.intp))
    return counts * jackknifed_log(np.maximum(counts, 1.0, dtype=float))


@cache
def _looked_up() -> np.ndarray:
    counts = np.arange(float(_LOOKED_UP))
    return counts * jackknifed_log(np.maximum(counts, 1))


def pixel_mi_in_batches(
    batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    *,
    permutations: int = 199,
    seed: int = 0,
) -> Estimate:
    """The same as `pixel_mi` of any number of images, in the memory that one batch needs.

    Parameters
    ----------
    batches : callable
        Gives pairs of images and their ciphertexts anew at each call, uint8 and of one shape
        within a pair: the tables are counted first, the spread over blocks in a second pass.
    permutations : int
        Blocks are shuffled within their batch, which is as exact a test. The tables of all
        permutations are kept, half a megabyte each.
    seed : int
        Of the permutations.

    Returns
    -------
    Estimate
        As of `pixel_mi`, and equal to it where one batch holds all images.

    Raises
    ------
    ValueError, TypeError
        As `pixel_mi`.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> plain = load_images(count=16).images
    >>> cipher = get_scheme("bitplane", bits=5).encrypt(plain, bytes(16))
    >>> halves = lambda: ((plain[i : i + 8], cipher[i : i + 8]) for i in (0, 8))
    >>> whole = pixel_mi(plain, cipher, permutations=9)
    >>> pixel_mi_in_batches(halves, permutations=9).bits == whole.bits
    True
    """
    check_seed(seed)
    rng = np.random.default_rng(seed)
    table, inside = np.zeros((2, 256, 256), np.int64)
    null = np.zeros((permutations, 256, 256), np.int64)
    count = 0
    for plain, cipher in batches():
        plain, cipher = check_pairs(plain, cipher)
        table += _byte_table(plain, cipher)
        x, y = pieces(plain), pieces(cipher)
        inside += _byte_table(x, y)
        for one in null:
            one += _byte_table(x, y[rng.permutation(len(y))])
        count += len(x)
    _, name, bits, noise = _best_mask(table)
    raw = plug_in_mi(table)
    low = high = p_value = None
    if count > 1:
        mask = MASKS[name]
        small = dict(reduced(table))[name]
        moments = (0, 0.0, 0.0)
        for plain, cipher in batches():
            x, y = (pieces(side) & np.uint8(mask) for side in (plain, cipher))
            moments = _merged(moments, _influence(small, x, y, mask))
        low, high = _widened(bits, noise, _interval(bits, *moments))
        if permutations:
            found = np.array([_best_mask(one)[0] for one in null])
            p_value = permutation_p_value(_best_mask(inside)[0], found)
    return Estimate(
        bits,
        low,
        high,
        p_value,
        int(table.sum()),
        f"plug-in of {name}, jackknife",
        "estimate",
        (),
        {"plug-in": raw, "bias": raw - bits},
    )


def _merged(moments: tuple[int, float, float], values: np.ndarray) -> tuple[int, float, float]:
    """Count, mean and sum of squared deviations, with more values (Chan et al., 1979)."""
    n, mean, squares = moments
    step, total = values.mean() - mean, n + len(values)
    squares += ((values - values.mean()) ** 2).sum() + step**2 * n * len(values) / total
    return total, mean + step * len(values) / total, squares


def _interval(bits: float, n: int, _mean: float, squares: float) -> tuple[float, float]:
    """That of `clustered_interval` with every value its own cluster."""
    half = stdtrit(n - 1, 0.975) * np.sqrt(squares * n / (n - 1)) / n
    return bits - half, bits + half


def _influence(table: np.ndarray, x: np.ndarray, y: np.ndarray, mask: int) -> np.ndarray:
    """First-order contribution of each block to the information in a table."""
    shift = 0 if mask & 1 else 8 - mask.bit_count()
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    pointwise = np.log2(np.maximum(table, 1) / np.maximum(expected, 1e-12))
    return pointwise[x >> shift, y >> shift].mean(1)


def _block_interval(
    bits: float, noise: float, table: np.ndarray, x: np.ndarray, y: np.ndarray, mask: int
) -> tuple[float, float]:
    """Interval over blocks."""
    influence = _influence(table, x, y, mask)
    interval = clustered_interval(bits, influence, np.arange(len(influence)))
    return _widened(bits, noise, interval)


def _widened(bits: float, noise: float, interval: tuple[float, float]) -> tuple[float, float]:
    """An interval widened by the estimator's own noise at independence."""
    half = np.hypot((interval[1] - interval[0]) / 2, 1.96 * noise)
    return float(bits - half), float(bits + half)
