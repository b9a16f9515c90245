"""What a scheme leaks in closed form, in bits, under ideal keys that are fresh for every image.

Most schemes that change values XOR each sample with a keystream symbol of a known law q, drawn
independently. Then I(P; C) = H(C) - H(q), whatever the law of the sample P: this is
`exact_leakage`. It holds for one ciphertext under a key of its own. Under ``keying="fixed"`` a
deterministic scheme is one map from images to ciphertexts, and what leaks, given the key, is all
of the image.
"""

import math
from functools import singledispatch

import numpy as np
from scipy.special import gammaln, logsumexp

from leakage.arguments import check_images
from leakage.estimate import Estimate, entropy
from leakage.pictures.value_counts import value_counts
from leakage.schemes.base import Scheme, scheme_name
from leakage.schemes.bit_planes import BitPlane, NonzeroKey
from leakage.schemes.block_cipher import AesEcb
from leakage.schemes.block_scrambling import Etc
from leakage.schemes.blocks import parts, to_blocks
from leakage.schemes.chaos import LogisticXor, PermuteDiffuse
from leakage.schemes.controls import (
    BiasedKeystream,
    Blur,
    Identity,
    PublicKeystream,
    ReusedKeystream,
)
from leakage.schemes.jpeg import JpegScheme, hidden_bits_of_jpeg
from leakage.schemes.jpeg_coding import compressed
from leakage.schemes.learnable import Ele, Le, Skk
from leakage.schemes.permutations import BlockShuffle, CatMap, PixelShuffle
from leakage.schemes.regions import Region
from leakage.schemes.thumbnails import TpeShuffle, TpeSum

_BYTES = np.arange(256)
_XOR = _BYTES[:, None] ^ _BYTES
_OfBlocks = BlockShuffle | Etc | Le | Ele | TpeShuffle


def keystream_law(scheme: Scheme) -> np.ndarray:
    """Law of the symbol that one sample is XORed with, as far as the reader does not know it.

    Parameters
    ----------
    scheme : Scheme
        One that XORs, or changes nothing.

    Returns
    -------
    ndarray of float64, shape (256,)
        Probability of each symbol 0 to 255.

    Raises
    ------
    ValueError
        The scheme is no XOR of single samples with independent symbols.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> np.flatnonzero(keystream_law(get_scheme("nonzero-key", bits=2))).tolist()
    [64, 128, 192]
    """
    match scheme:
        case BitPlane():
            law = (_BYTES & ~scheme.mask) == 0
        case NonzeroKey():
            law = _BYTES % (1 << (8 - scheme.bits)) == 0
            law[0] = scheme.bits == 0
        case Skk(colour_shuffle=False):
            law = (_BYTES == 0) | (_BYTES == 255)
        case BiasedKeystream():
            ones = np.unpackbits(_BYTES.astype(np.uint8)[:, None], axis=1).sum(1)
            law = scheme.bias**ones * (1 - scheme.bias) ** (8 - ones)
        case LogisticXor(r=4.0):  # the arcsine law of x in each interval of 1/256
            law = np.diff(2 / np.pi * np.arcsin(np.sqrt(np.arange(257) / 256)))
        case Identity() | PublicKeystream():
            law = _BYTES == 0
        case _:
            raise ValueError(
                f"no closed form a sample is known for {scheme_name(scheme)}; hidden_bits bounds "
                "what it hides"
            )
    return law / law.sum()


def exact_leakage(scheme: Scheme, images: np.ndarray) -> Estimate:
    """Mutual information of one unit of an image and its ciphertext.

    The unit is the sample (a pixel, or one channel of it), with these exceptions: a pixel of three
    channels for ``skk`` with shuffled colours, a block of one channel for ``tpe-sum``. The law of
    the unit is that of the given images; dependence between units is not counted, so the value is
    neither an upper nor a lower bound of the leakage of whole images divided by their size.

    Parameters
    ----------
    scheme : Scheme
        ``bitplane``: H of the clear planes. ``nonzero-key`` on m bits, with L the clear planes and
        C the encrypted ones: H(L) + H(C | L) - log2(2**m - 1). ``skk``: H(min(p, 255 - p)).
        ``biased-keystream`` and ``logistic-xor`` at r = 4: H(C) - H(q). ``identity`` and
        ``public-keystream``: H(P). ``region``: the mean over samples of what leaks inside and
        outside, the place being known. ``skk`` with shuffled colours: H of the three folded
        values, unordered. ``tpe-sum``, if its rounds mix ideally: H of the block sums.
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Plain images.

    Returns
    -------
    Estimate
        ``kind="exact"``, in bits a unit; `n` counts units.

    Raises
    ------
    ValueError
        No closed form is known.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> exact_leakage(get_scheme("bitplane", bits=3), image).bits
    5.0
    >>> round(exact_leakage(get_scheme("nonzero-key", bits=2), image).bits, 3)
    6.415
    """
    images = check_images(images)
    unit, n = "sample", images.size
    if isinstance(scheme, Region):
        inside = scheme.inside(*images.shape[1:3])
        inner = BitPlane(bits=scheme.bits)
        bits = float(
            inside.mean() * _sample_leakage(inner, images[:, inside])
            + (1 - inside.mean()) * _sample_leakage(Identity(), images[:, ~inside])
        )
    elif isinstance(scheme, Skk) and scheme.colour_shuffle and images.ndim == 4:
        folded = np.sort(np.minimum(images, 255 - images).reshape(-1, 3), axis=1)
        _, counts = np.unique(folded, axis=0, return_counts=True)
        bits, unit, n = entropy(counts), "pixel", len(folded)
    elif isinstance(scheme, TpeSum):
        sums = _block_sums(images, scheme.block)
        _, counts = np.unique(sums, axis=0, return_counts=True)
        bits, unit, n = entropy(counts), "block", len(sums)
    else:
        bits = _sample_leakage(scheme, images)
    return Estimate(bits, bits, bits, None, n, f"closed form, a {unit}", "exact")


def _sample_leakage(scheme: Scheme, samples: np.ndarray) -> float:
    if samples.size == 0:
        return 0.0
    if isinstance(scheme, Skk):  # grey images have no colours to shuffle
        scheme = Skk()
    law = keystream_law(scheme)
    cipher = law[_XOR] @ value_counts(samples)
    return entropy(cipher) - entropy(law)


def _block_sums(images: np.ndarray, block: int) -> np.ndarray:
    """Rows (block height, block width, sum), one for each block and channel of every image."""
    found = []
    height, width = images.shape[1:3]
    deep = images.reshape(*images.shape[:3], -1)
    for rows, columns, high, wide in parts(height, width, block):
        for image in deep:
            sums = to_blocks(image[rows, columns], high, wide).sum((1, 2), dtype=np.int64).ravel()
            found.append(np.stack([np.full_like(sums, high), np.full_like(sums, wide), sums], 1))
    return np.concatenate(found)


def capacity(scheme: Scheme) -> Estimate:
    """Largest mutual information of a sample and its ciphertext over all laws of the sample.

    It depends on no image, so it holds for every one: an upper bound of `exact_leakage`. Uniform
    samples reach it: 8 - H(q).

    Parameters
    ----------
    scheme : Scheme
        One that `keystream_law` knows.

    Returns
    -------
    Estimate
        ``kind="exact"``, in bits a sample, 0 to 8; `n` is 0, as no image is looked at.

    Raises
    ------
    ValueError
        The law of the keystream is not known.

    References
    ----------
    Cover & Thomas (2006), theorem 7.2.1, of symmetric channels.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> [capacity(get_scheme(name, bits=1)).bits for name in ("bitplane", "nonzero-key")]
    [7.0, 8.0]
    """
    bits = 8 - entropy(keystream_law(scheme))
    return Estimate(bits, bits, bits, None, 0, "capacity", "exact")


def maximal_leakage(scheme: Scheme) -> Estimate:
    """By how many bits a ciphertext sample raises the chance to guess any function of the sample.

    The multiplicative Bayes capacity, log2 of the sum over c of max over p of P(c | p) (Issa,
    Wagner and Kamath, 2020): 8 + log2 max q. It needs no law of the sample and is at least the
    capacity.

    Parameters
    ----------
    scheme : Scheme
        One that `keystream_law` knows, or ``tpe-sum``.

    Returns
    -------
    Estimate
        ``kind="exact"``, in bits a sample, of ``tpe-sum`` a block of one channel; `n` is 0, as no
        image is looked at.

    Raises
    ------
    ValueError
        Neither ``tpe-sum`` nor a known law of the keystream.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> round(maximal_leakage(get_scheme("logistic-xor")).bits, 3)
    3.349
    >>> round(maximal_leakage(get_scheme("tpe-sum", block=16)).bits / 16**2, 4)
    0.0625
    """
    if isinstance(scheme, TpeSum):
        bits = math.log2(255 * scheme.block**2 + 1)
    else:
        bits = 8 + math.log2(keystream_law(scheme).max())
    return Estimate(bits, bits, bits, None, 0, "maximal leakage", "exact")


def hidden_bits(scheme: Scheme, image: np.ndarray) -> float:
    """How many bits of one image the scheme can hide at most: log2 of what its keys tell apart.

    The leakage of the whole image is at least its entropy less this (Shannon, 1949). Key bits are
    counted as if every permutation, coin and symbol were drawn at random, not from 128 bits of
    key. For ``pixel-shuffle`` the exchange of equal pixels, which hides nothing, is not counted.

    Parameters
    ----------
    scheme : Scheme
        Any of `list_schemes`. ``aes-ecb`` counts as a random map of the blocks that occur, and
        JPEG schemes hide bits of the coefficients of the image's JPEG file.
    image : ndarray of uint8, shape (H, W) or (H, W, 3)
        One plain image.

    Returns
    -------
    float
        Bits for the image, at most the 8 of each sample.

    Examples
    --------
    >>> from leakage import get_scheme
    >>> image = np.zeros((32, 32, 3), np.uint8)
    >>> round(hidden_bits(get_scheme("etc", block=4), image))
    717
    >>> round(hidden_bits(get_scheme("le"), image))
    594
    """
    check_images(image[None])
    return min(8.0 * image.size, _key_bits(scheme, image))


@singledispatch
def _key_bits(scheme: Scheme, image: np.ndarray) -> float:
    """log2 of the number of keys, or of ciphertexts that they tell apart: one case a scheme."""
    return image.size * entropy(keystream_law(scheme))


@_key_bits.register
def _(scheme: Region, image: np.ndarray) -> float:
    inside = scheme.inside(*image.shape[:2])
    return float(inside.sum() * _channels(image) * scheme.bits)


@_key_bits.register
def _(scheme: PixelShuffle, image: np.ndarray) -> float:
    pixels = image.reshape(-1, _channels(image))
    _, counts = np.unique(pixels, axis=0, return_counts=True)
    return _log2_factorial(len(pixels)) - _log2_factorial(counts)


@_key_bits.register
def _(scheme: CatMap, image: np.ndarray) -> float:
    return 2 * math.log2(len(image)) if scheme.keyed else 0.0


@_key_bits.register
def _(scheme: _OfBlocks, image: np.ndarray) -> float:
    height, width = image.shape[:2]
    total = 0.0
    for rows, columns, high, wide in parts(height, width, scheme.block):
        n = (rows.stop - rows.start) // high * ((columns.stop - columns.start) // wide)
        total += _key_bits_of_blocks(scheme, n, high, wide, _channels(image))
    return total


def _key_bits_of_blocks(scheme: _OfBlocks, n: int, high: int, wide: int, channels: int) -> float:
    """Of n blocks of one shape."""
    halves = 2 * high * wide * channels
    of_halves = _log2_factorial(halves) + halves  # their order, and whether each is inverted
    match scheme:
        case BlockShuffle():
            return _log2_factorial(n)
        case Etc():
            grey = scheme.mode == "grey"
            moved = n * channels if grey else n
            orders = 1 if grey or channels == 1 else 6  # of colours
            symmetries = 8 if high == wide else 4
            of_block = 1 + math.log2(symmetries) + math.log2(orders)  # 1 for its inversion
            return _log2_factorial(moved) + moved * of_block
        case Le():
            return of_halves
        case Ele():
            return _log2_factorial(n) + n * of_halves
        case TpeShuffle():
            return n * channels * _log2_factorial(high * wide)


@_key_bits.register
def _(scheme: Skk, image: np.ndarray) -> float:
    if scheme.colour_shuffle and _channels(image) == 3:
        return image.size + image.size // 3 * math.log2(6)
    return float(image.size)


@_key_bits.register
def _(scheme: TpeSum, image: np.ndarray) -> float:
    """Upper bound of log2 of how many images have these block sums (Chernoff, 1952).

    Of n bytes with the sum s there are at most Z(t)**n exp(-t s) for every t, with Z(t) the sum of
    exp(t k) over all bytes k.
    """
    t = np.concatenate([-np.geomspace(8, 1e-5, 400), [0], np.geomspace(1e-5, 8, 400)])
    log_z = logsumexp(t[:, None] * _BYTES, axis=1)
    shapes, counts = np.unique(_block_sums(image[None], scheme.block), axis=0, return_counts=True)
    high, wide, sums = shapes.T
    bound = ((high * wide)[:, None] * log_z - t * sums[:, None]).min(1)
    return float(counts @ bound / math.log(2))


@_key_bits.register
def _(scheme: JpegScheme, image: np.ndarray) -> float:
    return hidden_bits_of_jpeg(compressed(image, scheme.quality), scheme)


@_key_bits.register
def _(scheme: LogisticXor, image: np.ndarray) -> float:
    return 52.0 * len(image)  # the mantissa of every row's start


@_key_bits.register
def _(scheme: PermuteDiffuse, image: np.ndarray) -> float:
    return 52.0 * (len(image) + 2)


@_key_bits.register
def _(scheme: AesEcb, image: np.ndarray) -> float:
    """A random injection of the blocks of 16 bytes that occur, an incomplete last one too."""
    if scheme.unit == "pixels":
        streams = [image.ravel()]
    else:
        streams = [np.packbits(image.ravel() >> plane & 1) for plane in range(8 - scheme.bits, 8)]
    padded = [np.pad(s, (0, -s.size % 16)).reshape(-1, 16) for s in streams]
    return 128.0 * len(np.unique(np.concatenate(padded), axis=0)) if padded else 0.0


@_key_bits.register
def _(scheme: ReusedKeystream, image: np.ndarray) -> float:
    return 8.0 * image.size


@_key_bits.register
def _(scheme: Blur, image: np.ndarray) -> float:
    return 0.0


def _channels(image: np.ndarray) -> int:
    return image.size // (image.shape[0] * image.shape[1])


def _log2_factorial(n: int | np.ndarray) -> float:
    """log2 of n!, or of the product of the factorials of several n."""
    return float(np.sum(gammaln(np.add(n, 1)) / math.log(2)))
