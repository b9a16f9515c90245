"""Leaks that lie between samples and not in them, and leaks that lie in samples alone.

Schemes and channels under which a sample tells nothing, or next to nothing, of its own plain
sample, while neighbours together tell much; and the opposite. All values are known.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import binom

from leakage.arguments import check_one_of, check_seed
from leakage.estimate import Estimate, entropy
from leakage.schemes.base import Scheme
from leakage.schemes.keyed_randomness import keystream
from leakage.schemes.permutations import BlockShuffle, PixelShuffle
from leakage.truth.channels import check_positive
from leakage.truth.closed_forms import capacity

Shared = Literal["image", "row"]
Combined = Literal["xor", "add"]


@dataclass(frozen=True)
class SharedKey(Scheme):
    """One key byte for a whole image, or one for each row, fresh for every image: broken.

    A key byte is uniform, so that every single sample is independent of its ciphertext. But two
    samples under one byte keep their XOR, or their difference.

    Parameters
    ----------
    shared : {"image", "row"}
        Which samples one byte serves, in all channels.
    combined : {"xor", "add"}
        How it meets them; ``"add"`` is modulo 256.

    Examples
    --------
    >>> plain = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    >>> cipher = SharedKey("row").encrypt(plain, bytes(16))
    >>> bool((cipher[:, :, :2] ^ cipher[:, :, 1:] == plain[:, :, :2] ^ plain[:, :, 1:]).all())
    True
    """

    name: ClassVar[str] = "shared-key"
    family: ClassVar[str] = "truth"
    reference: ClassVar[str] = "a one-time pad whose pad is too short (Shannon, 1949)"
    clear: ClassVar[str] = "XORs or differences of samples under one byte"
    shared: Shared = "image"
    combined: Combined = "xor"

    def __post_init__(self) -> None:
        check_one_of("shared", self.shared, get_args(Shared))
        check_one_of("combined", self.combined, get_args(Combined))

    def _bytes(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        count = 1 if self.shared == "image" else len(image)
        return keystream(key, self.name, index, count).reshape(-1, *[1] * (image.ndim - 1))

    def _encrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        pad = self._bytes(image, key, index)
        return image ^ pad if self.combined == "xor" else image + pad

    def _decrypt(self, image: np.ndarray, key: bytes, index: int) -> np.ndarray:
        pad = self._bytes(image, key, index)
        return image ^ pad if self.combined == "xor" else image - pad


class SpatialPairs(NamedTuple):
    """Images, ciphertexts, and their information: of a whole image, of neighbours, of a sample.

    Attributes
    ----------
    plain, cipher : ndarray of uint8, shape (N, size, size)
        Independent images.
    exact : Estimate
        In bits an image.
    of_pair : Estimate or None
        Of two neighbours in a row and their two ciphertexts, at a place that is told, the mean over
        places, in bits; None where it is not worked out.
    of_sample : Estimate
        Of a sample and its own ciphertext, in bits.
    """

    plain: np.ndarray
    cipher: np.ndarray
    exact: Estimate
    of_pair: Estimate | None
    of_sample: Estimate


def _exact(bits: float, n: int, name: str) -> Estimate:
    return Estimate(bits, bits, bits, None, n, name, "exact")


def _known(
    plain: np.ndarray,
    cipher: np.ndarray,
    name: str,
    image: float,
    pair: float | None,
    sample: float,
) -> SpatialPairs:
    n = len(plain)
    of_pair = None if pair is None else _exact(pair, n, f"{name}, a pair of neighbours")
    of_image = _exact(image, n, f"{name}, an image")
    return SpatialPairs(
        plain, cipher, of_image, of_pair, _exact(sample, n, f"{name}, a sample")
    )  # fmt: skip


def _uniform(n: int, size: int, levels: int, rng: np.random.Generator) -> np.ndarray:
    check_positive(n=n, size=size)
    if levels not in (2, 4, 8, 16, 32, 64, 128, 256):
        raise ValueError(f"levels must be a power of two from 2 to 256, not {levels}")
    return rng.integers(0, levels, (n, size, size)).astype(np.uint8)


def shared_key_bits(samples: int, levels: int, combined: Combined) -> float:
    """Information of independent uniform samples and their ciphertexts under one key byte, in bits.

    Under XOR all but as much as one sample holds: (samples - 1) log2 levels. Under addition the
    ciphertext leaves as many keys as the range of its samples does: of the information of all
    samples E log2(levels - range) stays hidden, and 8 bits where the alphabet is that of the key.

    Parameters
    ----------
    samples : int
        Under one byte, at least 1.
    levels : int
        Of each sample, a power of two.
    combined : {"xor", "add"}
        As of `SharedKey`.

    Returns
    -------
    float
        In bits; 0 of a single sample.

    Examples
    --------
    >>> shared_key_bits(4096, 256, "xor"), shared_key_bits(1, 4, "add")
    (32760.0, 0.0)
    >>> round(shared_key_bits(2, 2, "add"), 3)  # of two bits their difference, -1 to 1
    1.5
    """
    held = samples * math.log2(levels)
    if combined == "xor" or levels == 256:
        return held - math.log2(levels)
    spread = np.arange(levels)
    wide, own, narrow = ((np.clip(spread + i, 0, None) / levels) ** samples for i in (1, 0, -1))
    law = (levels - spread) * (wide - 2 * own + narrow)
    law[0] = levels * (1 / levels) ** samples
    return float(held - law @ np.log2(levels - spread))


def shared_key_images(
    n: int,
    *,
    size: int = 64,
    levels: int = 256,
    shared: Shared = "image",
    combined: Combined = "xor",
    seed: int = 0,
) -> SpatialPairs:
    """Uniform samples under `SharedKey`: a sample leaks 0 bits, its image nearly all of them.

    Parameters
    ----------
    n, size : int
        Number of images, and their side in pixels.
    levels : int
        Samples are 0 to levels - 1; a power of two.
    shared, combined : str
        As of `SharedKey`.
    seed : int
        Of the images and the key.

    Returns
    -------
    SpatialPairs
        Exact values by `shared_key_bits`.

    Raises
    ------
    ValueError
        A size below 1, levels that are no power of two, an unknown word.

    Examples
    --------
    >>> pairs = shared_key_images(10, size=8)
    >>> pairs.exact.bits, pairs.of_pair.bits, pairs.of_sample.bits
    (504.0, 8.0, 0.0)
    """
    check_seed(seed)
    rng = np.random.default_rng(seed)
    plain = _uniform(n, size, levels, rng)
    scheme = SharedKey(shared, combined)
    cipher = scheme.encrypt(plain, rng.bytes(16))
    served, times = (size * size, 1) if shared == "image" else (size, size)
    image = times * shared_key_bits(served, levels, combined)
    pair = shared_key_bits(2, levels, combined)
    name = f"one key byte for each {shared}"
    return _known(plain, cipher, name, image, pair, 0.0)


def shuffled_images(
    n: int, *, size: int = 64, levels: int = 256, block: int = 1, seed: int = 0
) -> SpatialPairs:
    """Images of independent uniform samples whose blocks, or pixels, are put in a secret order.

    Of m blocks with V possible contents each, the ciphertext hides in which order they were: of
    log2 m! bits those that equal blocks do not need,
    ``I = m log2 V - log2 m! + V E log2 (count of one content)!``. A sample still stands at its own
    place with probability 1 / m.

    Parameters
    ----------
    n, size : int
        Number of images, and their side in pixels, a multiple of `block`.
    levels : int
        Samples are 0 to levels - 1; a power of two.
    block : int
        Side of the blocks that move; 1 moves pixels.
    seed : int
        Of the images and the key.

    Returns
    -------
    SpatialPairs
        Without `of_pair`.

    Raises
    ------
    ValueError
        Sizes below 1, a side that is no multiple of the block, a single block, levels that are no
        power of two.

    Examples
    --------
    >>> pairs = shuffled_images(10, size=2, levels=2)
    >>> round(pairs.exact.bits, 3)  # of four bits, how many are set
    2.031
    """
    check_seed(seed)
    check_positive(block=block)
    if size % block or size <= block:
        raise ValueError(f"size must be a multiple of block above {block}, not {size}")
    rng = np.random.default_rng(seed)
    plain = _uniform(n, size, levels, rng)
    scheme = PixelShuffle() if block == 1 else BlockShuffle(block=block)
    cipher = scheme.encrypt(plain, rng.bytes(16))
    m, depth = (size // block) ** 2, math.log2(levels)
    contents = 2.0 ** (depth * block * block)
    times = np.arange(2, m + 1)
    equal = contents * (binom.pmf(times, m, 1 / contents) @ gammaln(times + 1))
    image = m * depth * block * block + (float(equal) - float(gammaln(m + 1))) / math.log(2)
    return _known(
        plain, cipher, f"secret order of {m} blocks", image, None, _kept_bits(1 / m, levels)
    )


def _kept_bits(kept: float, values: int) -> float:
    """Of a uniform value that stays with this probability, and else is drawn anew."""
    same = kept + (1 - kept) / values
    other = (1 - kept) / values
    nats = xlogy(same, same * values) + (values - 1) * xlogy(other, other * values)
    return max(0.0, float(nats) / math.log(2))


def difference_scenes(
    n: int, *, size: int = 64, step: int = 32, flip: float = 0.0, seed: int = 0
) -> SpatialPairs:
    """Hidden bits in the sign of the step between two neighbours: columns 0 and 1, 2 and 3, ...

    Of each couple the left sample is uniform, and the right one is `step` above or below it modulo
    256, as a hidden bit says. The ciphertext is a scene drawn anew, with the same hidden bits, each
    changed with probability `flip`. So samples are independent of all of the other image, and what
    is shared are the bits: ``I = size**2 / 2 (1 - h2(flip))`` an image.

    Parameters
    ----------
    n, size : int
        Number of images, and their side in pixels, even.
    step : int
        1 to 127.
    flip : float
        Probability that a hidden bit changes on the way.
    seed : int
        Of the draws.

    Returns
    -------
    SpatialPairs
        `of_pair` is the mean over all places of two neighbours in a row, of which
        ``size / 2`` of ``size - 1`` hold a hidden bit.

    Raises
    ------
    ValueError
        An odd side, a step or a probability out of range.

    Examples
    --------
    >>> difference_scenes(10, size=8).exact.bits
    32.0
    """
    check_seed(seed)
    check_positive(n=n, size=size)
    if size % 2:
        raise ValueError(f"size must be even, not {size}")
    if not 1 <= step <= 127:
        raise ValueError(f"step must be 1 to 127, not {step}")
    if not 0 <= flip <= 1:
        raise ValueError(f"flip must be 0 to 1, not {flip}")
    rng = np.random.default_rng(seed)
    hidden = rng.integers(0, 2, (n, size, size // 2)).astype(bool)
    partner = hidden ^ (rng.random(hidden.shape) < flip)

    def drawn(bits: np.ndarray) -> np.ndarray:
        left = rng.integers(0, 256, bits.shape)
        couple = np.stack([left, left + np.where(bits, step, -step)], axis=-1)
        return (couple % 256).astype(np.uint8).reshape(n, size, size)

    kept = 1 - entropy(np.array([flip, 1 - flip]))
    bits = size * size / 2 * kept
    pair = size / 2 / (size - 1) * kept
    return _known(drawn(hidden), drawn(partner), "hidden steps", bits, pair, 0.0)


def independent_samples(scheme: Scheme, n: int, *, size: int = 64, seed: int = 0) -> SpatialPairs:
    """The opposite: uniform samples, and a leak that each sample has by itself.

    Parameters
    ----------
    scheme : Scheme
        One that XORs each sample with symbols of its own, as `leakage.capacity` knows it.
    n, size : int
        Number of images, and their side in pixels.
    seed : int
        Of the images and the key.

    Returns
    -------
    SpatialPairs
        The samples' values add up: a pair has twice that of a sample.

    Raises
    ------
    ValueError
        A size below 1, or a scheme without a known law of its keystream.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> pairs = independent_samples(get_scheme("bitplane", bits=6), 10, size=8)
    >>> pairs.of_sample.bits, pairs.exact.bits
    (2.0, 128.0)
    """
    check_seed(seed)
    one = capacity(scheme).bits
    rng = np.random.default_rng(seed)
    plain = _uniform(n, size, 256, rng)
    cipher = scheme.encrypt(plain, rng.bytes(16))
    return _known(plain, cipher, "independent samples", size * size * one, 2 * one, one)
