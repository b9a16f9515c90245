"""Simulated ciphers: families of channels, each with endless members, to teach a critic with.

A member is drawn from its family's name and a seed, and encrypts images under keys of another
seed. None is taken from a program that is judged with the critic: they are written anew, from
steps (`leakage.estimators.simulated_steps`) with drawn parameters. Three of the families leak
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from scipy.ndimage import gaussian_filter

from leakage.arguments import check_images, check_one_of, check_seed
from leakage.estimators import simulated_steps as steps
from leakage.estimators.simulated_steps import Change, Covers

Rng = np.random.Generator


@dataclass(frozen=True)
class SimulatedCipher:
    """One member of a family.

    Attributes
    ----------
    family : str
        One of `FAMILIES`.
    seed : int
        That drew its parameters.
    """

    family: str
    seed: int
    change: Change = field(repr=False, compare=False)

    def encrypt(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Ciphertexts under keys drawn from a seed; every image has its own.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
            Of any size.
        seed : int
            Of the keys.

        Examples
        --------
        >>> plain = np.zeros((2, 16, 16), np.uint8)
        >>> simulated_cipher("XOR of planes", 3).encrypt(plain, 0).shape
        (2, 16, 16)
        """
        images = check_images(images)
        check_seed(seed)
        wide = images[..., None] if images.ndim == 3 else images
        return self.change(wide, np.random.default_rng([seed, 21])).reshape(images.shape)


def simulated_cipher(family: str, seed: int) -> SimulatedCipher:
    """The member of a family that a seed draws.

    Raises
    ------
    ValueError, TypeError
        No such family, or no seed.

    Examples
    --------
    >>> simulated_cipher("block places", 7)
    SimulatedCipher(family='block places', seed=7)
    """
    check_one_of("family", family, FAMILIES)
    check_seed(seed)
    number = list(FAMILIES).index(family)
    return SimulatedCipher(family, seed, FAMILIES[family](np.random.default_rng([seed, number])))


def _pick(rng: Rng, *values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _mask(rng: Rng) -> np.uint8:
    """Any set of planes, half the time the uppermost ones, as is usual."""
    if rng.random() < 0.5:
        return np.uint8(256 - (1 << int(rng.integers(0, 8))))
    return np.uint8(rng.integers(1, 256))


def _keystream_law(rng: Rng) -> np.ndarray:
    """A law of bytes that is not uniform: smooth, U-shaped, peaked, ragged, or without some."""
    value: np.ndarray = (np.arange(256) + 0.5) / 256
    strength = rng.uniform(0.05, 1)
    kind = rng.choice(5, p=(0.2, 0.35, 0.15, 0.15, 0.15))  # of chaotic maps U is the usual one
    law: np.ndarray
    if kind == 0:
        law = 1 + strength * np.cos(2 * np.pi * (value * rng.integers(1, 4) + rng.random()))
    elif kind == 1:
        law = (value * (1 - value)) ** -rng.uniform(0.1, 0.6)
    elif kind == 2:
        law = np.exp(-np.abs(value - rng.random()) * rng.uniform(1, 8)) + 0.3
    elif kind == 3:
        law = rng.gamma(rng.uniform(0.2, 3), size=256)
    else:
        law = 0.001 + (rng.random(256) < rng.uniform(0.2, 0.95))
    return law + 1e-9


def _xor_planes(rng: Rng) -> Change:
    mask = _mask(rng)
    return lambda x, key: x ^ (steps.uniform(x.shape, key) & mask)


def _added_planes(rng: Rng) -> Change:
    mask, sign = _mask(rng), _pick(rng, 1, 255)
    return lambda x, key: x * np.uint8(sign) + (steps.uniform(x.shape, key) & mask)


def _multiplied(rng: Rng) -> Change:
    """By odd bytes modulo 256, or by any number but 0 modulo 257."""
    if rng.random() < 0.5:
        return lambda x, key: x * (steps.uniform(x.shape, key) | np.uint8(1))
    few = int(_pick(rng, 2, 4, 16, 64, 256))

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        factor = key.integers(1, few + 1, x.shape)
        return ((x.astype(np.int32) + 1) * factor % 257 - 1).astype(np.uint8)

    return change


def _biased(rng: Rng) -> Change:
    """Bits of the keystream that are seldom 1; those that often are look alike, turned round."""
    few = rng.random() < 0.3
    ones = 0.5 - np.exp(rng.uniform(np.log(0.02), np.log(0.3))) * np.ones(8)
    if few:
        ones[rng.random(8) < 0.6] = 0.5
    return lambda x, key: x ^ steps.biased_bytes(ones, x.shape, key)


def _xor_law(rng: Rng) -> Change:
    law = _keystream_law(rng)
    return lambda x, key: x ^ steps.of_law(law, x.shape, key)


def _added_law(rng: Rng) -> Change:
    law = _keystream_law(rng)
    return lambda x, key: x + steps.of_law(law, x.shape, key)


def _periodic(rng: Rng) -> Change:
    """A keystream that begins anew after a few samples."""
    period, added = int(np.exp(rng.uniform(np.log(2), np.log(400)))), rng.random() < 0.5

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        size = int(np.prod(x.shape[1:]))
        stream = np.tile(steps.uniform((len(x), period), key), -(-size // period))
        stream = stream[:, :size].reshape(x.shape)
        return x + stream if added else x ^ stream

    return change


def _one_element(rng: Rng) -> Change:
    """One element of the key covers an image, a row, a column or a block."""
    covers, block = _pick(rng, *get_args(Covers)), int(_pick(rng, 2, 4, 8, 16))
    by = _pick(rng, np.bitwise_xor, np.add, np.bitwise_xor, np.add, np.multiply)

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        stream = steps.repeated(x.shape, covers, block, key)
        return by(x, stream | np.uint8(1) if by is np.multiply else stream)

    return change


def _substitution(rng: Rng) -> Change:
    """A random table of bytes or of half bytes, of each image or of the whole set."""
    halves, shared = rng.random() < 0.3, rng.random() < 0.3

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        count = 1 if shared else len(x)
        high, low = (steps.orders(count, 16, key).astype(np.uint8) for _ in "hl")
        tables: np.ndarray = steps.orders(count, 256, key).astype(np.uint8)
        if halves:
            tables = (high[:, :, None] << 4 | low[:, None]).reshape(count, 256)
        return np.stack([tables[i % count][one] for i, one in enumerate(x)])

    return change


def _sample_places(rng: Rng) -> Change:
    """Samples, rows, columns, or rows and columns change places; or rows are turned round."""
    what = _pick(rng, "samples", "samples", "rows", "columns", "both", "turned")

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        n, height, width, _ = x.shape
        if what == "samples":
            flat, order = x.reshape(n, height * width, -1), steps.orders(n, height * width, key)
            return np.take_along_axis(flat, order[:, :, None], 1).reshape(x.shape)
        if what == "turned":
            start = key.integers(0, width, (n, height, 1))
            return np.take_along_axis(x, ((np.arange(width) + start) % width)[..., None], 2)
        return steps.moved_lines(x, what != "columns", what != "rows", key)

    return change


def _block_places(rng: Rng) -> Change:
    block, turned, inverted = int(_pick(rng, 2, 4, 8, 16)), rng.random() < 0.5, rng.random() < 0.5
    return lambda x, key: steps.on_blocks(x, block, steps.moved_blocks(turned, inverted, key))


def _inside_blocks(rng: Rng) -> Change:
    block, alike = int(_pick(rng, 2, 4, 8, 16)), rng.random() < 0.5
    return lambda x, key: steps.on_blocks(x, block, steps.shuffled_inside(alike, key))


def _half_bytes(rng: Rng) -> Change:
    block, alike, moved = int(_pick(rng, 2, 4, 4, 8)), rng.random() < 0.4, rng.random() < 0.5
    return lambda x, key: steps.on_blocks(x, block, steps.scrambled_halves(alike, moved, key))


def _plane_places(rng: Rng) -> Change:
    """The planes of each image, or of each sample, change places or are rotated."""
    each, rotated = rng.random() < 0.5, rng.random() < 0.5

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        places = key.integers(0, 24, x.shape if each else (len(x), 1, 1, 1))
        orders = steps.orders(24, 8, key)
        if rotated:
            orders = (np.arange(8) + np.arange(24)[:, None]) % 8
        tables = np.zeros((24, 256), np.uint8)
        for plane in range(8):
            tables |= ((np.arange(256) >> plane & 1) << orders[:, [plane]]).astype(np.uint8)
        return tables[places, x]

    return change


def _inverted(rng: Rng) -> Change:
    """A coin for each sample decides about a set of its planes, all of them as a rule."""
    mask = np.uint8(255) if rng.random() < 0.6 else _mask(rng)
    share = float(_pick(rng, 0.5, 0.5, 0.4, 0.6))
    return lambda x, key: x ^ ((key.random(x.shape, np.float32) < share) * mask)


def _dct(rng: Rng, signs: bool, amounts: bool, means: bool) -> Change:
    quality, share = int(rng.integers(30, 96)), float(_pick(rng, 1, 1, 0.8))

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        def of(coded: np.ndarray) -> np.ndarray:
            if amounts:
                coded = steps.hidden_amounts(key)(coded)
            elif signs:
                coded = steps.hidden_signs(share, key)(coded)
            return steps.hidden_means(quality, key)(coded) if means else coded

        return steps.on_blocks(x, 8, steps.on_coefficients(quality, of))

    return change


def _truncated(rng: Rng) -> Change:
    """Means are gone, large coefficients are cut to a threshold without sign."""
    quality, most = int(rng.integers(30, 96)), int(rng.integers(1, 30))

    def of(coded: np.ndarray) -> np.ndarray:
        out = np.where(np.abs(coded) > most, most, coded)
        out[:, :, 0, 0] = 0
        return out

    return lambda x, _: steps.on_blocks(x, 8, steps.on_coefficients(quality, of))


def _kept_sums(rng: Rng) -> Change:
    block, rounds = int(_pick(rng, 2, 4, 8, 16)), int(rng.integers(2, 12))
    return lambda x, key: steps.on_blocks(x, block, steps.kept_sums(rounds, key))


def _diffusion(rng: Rng) -> Change:
    """c[i] = f(p[i], k[i]) xor or plus c[i - 1], under a law of k; places may change before."""
    law = np.ones(256) if rng.random() < 0.3 else _keystream_law(rng)
    mixed, places = _pick(rng, "xor", "add", "both", "both"), rng.random() < 0.5

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        n = len(x)
        if places:
            x = steps.moved_lines(x, True, True, key)
        k = steps.of_law(law, x.shape, key)
        one = {"xor": x ^ k, "add": x + k, "both": k ^ (x + k)}[mixed].reshape(n, -1)
        chained = np.bitwise_xor if mixed != "add" else np.add
        return chained.accumulate(one, axis=1, dtype=np.uint8).reshape(x.shape)

    return change


def _regions(rng: Rng) -> Change:
    """A box is clear and all else is noise, or the other way round; some planes or all."""
    share, inside = rng.uniform(0.1, 0.7, 2), rng.random() < 0.6
    mask = np.uint8(255) if rng.random() < 0.7 else _mask(rng)

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        n, height, width, _ = x.shape
        clear = np.zeros((n, height, width, 1), bool)
        for one in clear:
            high, wide = (max(4, int(s * side)) for s, side in zip(share, one.shape, strict=False))
            top, left = key.integers(0, height - high + 1), key.integers(0, width - wide + 1)
            one[top : top + high, left : left + wide] = True
        return x ^ (steps.uniform(x.shape, key) & np.where(clear == inside, 0, mask).astype("u1"))

    return change


def _sampled(rng: Rng) -> Change:
    """Every so many samples, on a grid or at random, are clear; the others are noise."""
    every, random = int(_pick(rng, 2, 3, 4, 8, 16, 32, 64)), rng.random() < 0.6

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        if random:
            clear = key.random(x.shape, np.float32) < 1 / every
        else:
            clear = (np.arange(x[0].size) % every == 0).reshape(x.shape[1:])
        return np.where(clear, x, steps.uniform(x.shape, key))

    return change


def _coarse(rng: Rng) -> Change:
    """Blurred, or under noise, or both: what is left of weak distortions."""
    sigma, noise = float(_pick(rng, 0, 1, 2, 4)), float(rng.uniform(5, 80))

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        soft = gaussian_filter(x.astype(np.float32), (0, sigma, sigma, 0)) if sigma else x
        return np.clip(soft + noise * key.standard_normal(x.shape, np.float32), 0, 255).astype("u1")

    return change


def _composed(rng: Rng) -> Change:
    """One change after another."""
    pool = list(_SIMPLE.values())
    first, second = (pool[i](rng) for i in rng.choice(len(pool), 2, replace=False))
    return lambda x, key: second(first(x, key), key)


def _noise(rng: Rng) -> Change:
    """Bytes that know nothing of the image, of a law and a spread of their own."""
    law = np.ones(256) if rng.random() < 0.6 else _keystream_law(rng)
    return lambda x, key: steps.of_law(law, x.shape, key)


def _uneven_noise(rng: Rng) -> Change:
    """Noise of a spread and a middle that each ciphertext draws for itself."""
    most = float(rng.uniform(20, 80))

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        middle, spread = (
            key.uniform(60, 190, (len(x), 1, 1, 1)),
            key.uniform(3, most, (len(x), 1, 1, 1)),
        )
        return np.clip(middle + spread * key.standard_normal(x.shape), 0, 255).astype(np.uint8)

    return change


def _header(rng: Rng) -> Change:
    """Sound bytes under rows that are the same all along."""
    rows = int(rng.integers(1, 12))

    def change(x: np.ndarray, key: Rng) -> np.ndarray:
        out = steps.uniform(x.shape, key).copy()
        out[:, :rows] = steps.uniform((len(x), 1, 1, 1), key)
        return out

    return change


#: Families that a composition is made of.
_SIMPLE: dict[str, Callable[[Rng], Change]] = {
    "one element": _one_element,
    "substitution": _substitution,
    "block places": _block_places,
    "inside blocks": _inside_blocks,
    "inversion": _inverted,
    "XOR of a law": _xor_law,
    "addition of a law": _added_law,
    "plane places": _plane_places,
    "DCT signs": lambda rng: _dct(rng, True, False, False),
}
#: Every family by name: from a generator, which draws the parameters, to what the member does.
FAMILIES: dict[str, Callable[[Rng], Change]] = {
    "XOR of planes": _xor_planes,
    "addition to planes": _added_planes,
    "multiplication": _multiplied,
    "biased bits": _biased,
    "periodic keystream": _periodic,
    "sample places": _sample_places,
    "half bytes": _half_bytes,
    "DCT amounts": lambda rng: _dct(rng, True, True, False),
    "DCT means": lambda rng: _dct(rng, False, False, True),
    "DCT means and amounts": lambda rng: _dct(rng, True, True, True),
    "DCT truncated": _truncated,
    "kept sums": _kept_sums,
    "diffusion": _diffusion,
    "regions": _regions,
    "sampled": _sampled,
    "coarse": _coarse,
    **_SIMPLE,
    "composition": _composed,
    "noise": _noise,
    "uneven noise": _uneven_noise,
    "header": _header,
}
#: Those that leak nothing.
SOUND = ("noise", "uneven noise", "header")
