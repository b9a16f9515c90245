"""Mutual information of single samples and their ciphertexts, through the planes that tell most."""

from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

import numpy as np
from scipy.special import stdtrit  # of Student's distribution, the quantile

from leakage.arguments import check_pairs, check_seed
from leakage.estimate import Estimate
from leakage.estimators.corrections import jackknife_mi, plug_in_mi
from leakage.estimators.counting import SAMPLES_PER_CELL
from leakage.evidence.intervals import clustered_interval
from leakage.evidence.p_values import permutation_p_value

#: Side in pixels of the blocks that permutations and intervals treat as one piece.
BLOCK = 16

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
        noise = noise_of(rows, columns, small.sum())
        found.append((bits - 3 * noise, name, bits, noise))
    if not found:
        refuse(table)
    return max(found)


def noise_of(rows: int, columns: int, samples: float) -> float:
    """Standard deviation of the information in a table of independent samples, in bits."""
    return float(np.sqrt(2 * (rows - 1) * (columns - 1)) / (2 * samples * np.log(2)))


def refuse(table: np.ndarray) -> NoReturn:
    """Say why no mask can be asked of a table."""
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


def byte_table(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How often each two bytes come together, (256, 256)."""
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
        a whole image or a row, or where ciphertexts are smooth as photographs are, what these few
        images and ciphertexts happen to share is found, and not the law of a sample
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
    table = byte_table(plain, cipher)
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
            _best_mask(byte_table(x, y[rng.permutation(len(y))]))[0] for _ in range(permutations)
        ]
        observed = _best_mask(byte_table(x, y))[0]
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
        table += byte_table(plain, cipher)
        x, y = pieces(plain), pieces(cipher)
        inside += byte_table(x, y)
        for one in null:
            one += byte_table(x, y[rng.permutation(len(y))])
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
