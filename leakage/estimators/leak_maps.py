"""Where in an image the leak is: what every place of a ciphertext gives away, with one threshold.

A scorer of places (`leakage.estimators.place_scores`) learns from some groups of images and is
asked about others. Ciphertexts change places between groups, whole, and the most telling place of
each exchange gives the threshold: it holds for all places of a map together.
"""

import html
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.special import logsumexp

from leakage.arguments import check_count, check_int, check_one_of, check_seed
from leakage.devices import found_device
from leakage.estimate import p_text
from leakage.estimators.pair_maps import rolled_scores
from leakage.estimators.patches import Asked, ImagePairs
from leakage.estimators.place_scores import (
    By,
    Lattice,
    PlaceScorer,
    fewest,
    largest_allowed,
    learn_scorer,
    steadied,
    told,
)
from leakage.estimators.pretrained import load_critic
from leakage.estimators.threads import one_thread
from leakage.estimators.towers import Inputs, Pairs
from leakage.evidence.exchange import Strata
from leakage.evidence.p_values import check_permutations
from leakage.evidence.splits import split_by_group

#: One map over all images, or one of each.
Over = Literal["set", "images"]
#: From the numbers of images that teach to what scores places.
Learn = Callable[[np.ndarray], PlaceScorer]

#: Of five parts of a set, three teach and two are judged.
PARTS, TEACHING = 5, 3
#: Groups that are judged together, and whose ciphertexts stand in for each other.
JUDGED_TOGETHER = 40
#: Where every image gets a map: groups of a fold at least, if there are enough, and folds at most.
FOLD_GROUPS, MOST_FOLDS = 30, 5
#: Rolls of a ciphertext beside which a single pair is judged, at a level of 5 %.
ROLLS = 24
#: Less of the gain nearby than this is the margin of a leak, not the leak: a patch that lies half
#: inside it gains half as much.
MARGIN = 0.5


@dataclass(frozen=True, eq=False)
class LeakMap:
    """What every place of an image, or of the images of a set, gives away.

    Attributes
    ----------
    bits : ndarray of float, shape (rows, columns) or (N, rows, columns)
        Bits a patch, held out: how well the ciphertext there tells the image's own patch from those
        of other images at the same place, at most log2 of the images compared.
    threshold : ndarray of float, of the same shape
        In bits. Where an image tells nothing of which ciphertext is its own, the chance that any
        place of a map is above it is below `level`.
    marked : ndarray of bool, of the same shape
        Above the threshold, and no mere margin of a stronger leak beside it.
    p_value : ndarray of float, shape () or (N,)
        That no place of the map tells anything.
    level : float
        Chance that any place of a map is marked where there is no leak.
    patch, stride : int
        Side of a patch and distance of places, in pixels.
    size : tuple of int
        Height and width of the images.
    method : str
        What scored the places.

    Examples
    --------
    >>> one = np.array([[True, False]])
    >>> print(LeakMap(one * 2.0, one * 0.5, one, np.array(0.01), 0.05, 8, 4, (8, 12), "counting"))
    1 place marked, at most 2.00 bit a patch, p = 0.010; 1 x 2 places, patches of 8 pixels, counting
    """

    bits: np.ndarray
    threshold: np.ndarray
    marked: np.ndarray
    p_value: np.ndarray
    level: float
    patch: int
    stride: int
    size: tuple[int, int]
    method: str = field(default="")

    @property
    def mask(self) -> np.ndarray:
        """`marked` in pixels: each pixel as the place whose middle is nearest.

        Returns
        -------
        ndarray of bool, shape (H, W) or (N, H, W)

        Examples
        --------
        >>> one = np.array([[True, False]])
        >>> LeakMap(one * 1.0, one * 0.0, one, np.array(0.01), 0.05, 2, 2, (2, 4)).mask.tolist()
        [[True, True, False, False], [True, True, False, False]]
        """
        rows, columns = (
            np.clip(np.floor((np.arange(side) + (self.stride - self.patch + 1) / 2) / self.stride),
                    0, count - 1).astype(int)
            for side, count in zip(self.size, self.marked.shape[-2:], strict=True)
        )  # fmt: skip
        return self.marked[..., rows[:, None], columns]

    @property
    def first(self) -> "LeakMap":
        """The map itself, or of the maps of every image that of the first."""
        if self.bits.ndim == 2:
            return self
        named = ("bits", "threshold", "marked", "p_value")
        return replace(self, **{name: getattr(self, name)[0] for name in named})

    def __str__(self) -> str:
        rows, columns = self.marked.shape[-2:]
        places = f"{rows} x {columns} places, patches of {self.patch} pixels, {self.method}"
        if self.marked.ndim == 3:
            found = int(self.marked.any((1, 2)).sum())
            return f"{found} of {len(self.marked)} images have marked places; {places}"
        count, p = int(self.marked.sum()), p_text(float(self.p_value))
        p, s = f"p {p}" if p.startswith("<") else f"p = {p}", "s" * (count != 1)
        most = f"at most {self.bits.max():.2f} bit a patch"
        return f"{count} place{s} marked, {most}, {p}; {places}"

    def _repr_html_(self) -> str:
        """The map, of the first image if there are many, marked places framed."""
        bits, marked = self.first.bits, self.first.marked
        top = max(float(bits.max()), 1e-9)
        cells = "".join(
            f'<rect x="{x}" y="{y}" width="1" height="1" fill="#0072B2" '
            f'fill-opacity="{min(max(float(bits[y, x]) / top, 0.0), 1.0):.2f}"'
            + (' stroke="#D55E00" stroke-width=".15"/>' if marked[y, x] else "/>")
            for y, x in np.ndindex(bits.shape)
        )
        label, (rows, columns) = html.escape(str(self)), bits.shape
        return (
            f'<figure style="margin:0"><svg role="img" aria-label="{label}" width="{240}" '
            f'height="{round(240 * rows / columns)}" viewBox="0 0 {columns} {rows}">{cells}</svg>'
            f"<figcaption>{label}</figcaption></figure>"
        )


def leak_map(
    plain: np.ndarray,
    cipher: np.ndarray,
    *,
    over: Over = "set",
    critic: Asked = "trained",
    groups: np.ndarray | None = None,
    patch: int = 8,
    stride: int | None = None,
    by: By = "auto",
    inputs: Inputs = "both",
    level: float = 0.05,
    steps: int = 240,
    permutations: int = 999,
    seed: int = 0,
    device: str = "auto",
) -> LeakMap:
    """For every place of an image, what the ciphertext there gives away, in bits a patch.

    What scores a place learns from some groups and is asked about others: counting of a sample's
    XOR with its ciphertext, or of their difference, summed over the patch, or a convolutional
    critic as of `patch_mi`, whichever tells more on validation.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, of one shape, (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    over : {"set", "images"}
        One map of what the images have in common: three fifths of the groups teach, the others are
        judged. Or one of every image, judged by what other groups taught.
    critic : {"trained", "pretrained"}
        What these images teach, or the critic that the package carries. That one needs no other
        picture: every pair gets a map of its own, whatever `over`, `by` and `groups` say, in
        seconds. Its ciphertext is compared with itself, rolled by whole blocks, so that one that
        tells nothing must be alike everywhere, as noise is, for the level to hold.
    groups : ndarray, shape (N,), optional
        What images have in common, a photograph for instance; by default every image is its own.
        Equal images are one group anyway. At least 10; for maps of every image more than
        ``2 / level``.
    patch : int
        Side in pixels.
    stride : int, optional
        Distance of neighbouring places in pixels; half a patch by default, so that patches overlap.
    by : {"auto", "counting", "critic"}
        Who scores places. Counting alone takes seconds.
    inputs : {"gray", "bits", "both"}
        What the critic reads.
    level : float
        Chance that any place of a map is marked where there is no leak.
    steps : int
        Of the critic's training, at most.
    permutations : int
        Exchanges behind the threshold of a map over a set, more than ``1 / level``.
    seed : int
        Of splits, training and exchanges.
    device : {"auto", "cpu", "cuda", "cuda:1", ...}
        Where the critic learns.

    Returns
    -------
    LeakMap
        With `bits`, `threshold`, `marked` and `p_value`. A weak leak less than a patch away from a
        stronger one is taken for its margin. A place that is not marked is not cleared.

    Raises
    ------
    ValueError, TypeError
        Images that are not uint8 or of different shapes, too few groups, a patch or a stride that
        does not fit, an unknown word, a level that exchanges cannot reach, or weights of the
        pretrained critic that are missing or damaged.

    Examples
    --------
    A quarter of every image is in the clear:

    >>> from leakage import get_scheme, load_images
    >>> plain = load_images(count=40).images
    >>> hidden = np.ones((64, 64), bool)
    >>> hidden[:32, :32] = False
    >>> cipher = get_scheme("region", mask=hidden).encrypt(plain, bytes(16))
    >>> found = leak_map(plain, cipher, by="counting")
    >>> float(np.mean(found.mask == ~hidden)) > 0.9
    True

    A single pair is enough for the critic that the package carries:

    >>> found = leak_map(plain[:1], cipher[:1], critic="pretrained")
    >>> found.bits.shape, float(np.mean(found.mask[0] == ~hidden)) > 0.8
    ((1, 15, 15), True)
    """
    check_seed(seed)
    for what, word, known in (
        ("over", over, Over), ("critic", critic, Asked), ("by", by, By), ("inputs", inputs, Inputs),
    ):  # fmt: skip
        check_one_of(what, word, get_args(known))
    check_count("steps", steps)
    permutations = check_permutations(permutations)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    if permutations < fewest(level):
        raise ValueError(
            f"permutations must be more than 1 / level, {fewest(level)}, not {permutations}"
        )
    least = 2 * PARTS if over == "set" else 2 * fewest(level)
    if critic == "pretrained":
        least = 1
    images = ImagePairs.of(plain, cipher, groups, patch, least)
    stride = max(1, patch // 2) if stride is None else stride
    check_int("stride", stride)
    if not 1 <= stride <= patch:
        raise ValueError(f"stride must be from 1 to patch, {patch}, not {stride}")
    at = Lattice(int(patch), int(stride), *images.plain.shape[1:3])
    device, rng = found_device(device), np.random.default_rng(seed)
    if critic == "pretrained":
        with one_thread():
            return _of_pairs(images, at, level, rng, device)
    pairs = None if by == "counting" else Pairs.of(images.plain, images.cipher, device)

    def learn(rows: np.ndarray) -> PlaceScorer:
        return learn_scorer(images, pairs, rows, at, inputs=inputs, steps=steps, by=by, rng=rng)

    with one_thread():
        if over == "set":
            return _of_set(images, at, learn, level, permutations, rng)
        return _of_images(images, at, learn, level, rng)


class _Judged(NamedTuple):
    """A map before it has its surroundings: all in bits but `z` and `p_value`."""

    bits: np.ndarray  # (..., rows, columns)
    gain: np.ndarray  # over the mean of all exchanges
    z: np.ndarray  # the same in standard deviations
    deviation: np.ndarray  # in bits
    largest: np.ndarray  # (...), z that no place may exceed by chance
    p_value: np.ndarray  # (...)

    def as_map(self, at: Lattice, level: float, method: str) -> LeakMap:
        """With threshold and marks."""
        threshold = self.bits + (self.largest[..., None, None] - self.z) * self.deviation
        reach = 2 * -(-at.patch // at.stride) + 1
        size = (1,) * (self.gain.ndim - 2) + (reach, reach)
        marked = self.bits > threshold
        marked &= self.gain >= MARGIN * maximum_filter(self.gain, size=size)
        return LeakMap(
            self.bits, threshold, marked, self.p_value, level, at.patch, at.stride,
            (at.height, at.width), method,
        )  # fmt: skip


def _of_set(
    images: ImagePairs,
    at: Lattice,
    learn: Learn,
    level: float,
    permutations: int,
    rng: np.random.Generator,
) -> LeakMap:
    """One map; all groups of the judged parts are exchanged at once, at every place alike."""
    part = split_by_group(images.groups, PARTS, rng)
    scorer = learn(np.flatnonzero(part < TEACHING))
    judged = np.flatnonzero(part >= TEACHING)
    names = rng.permutation(np.unique(images.groups[judged]))[:JUDGED_TOGETHER]
    judged = judged[np.isin(images.groups[judged], names)]
    strata = Strata.of(images.groups[judged], rng)
    sums, bits = [], np.zeros(at.shape)
    for block in strata.blocks:
        total = np.zeros((len(block), len(block), *at.shape))
        for column in block.T:
            scores = scorer.scaled(judged[column])
            total += scores
            bits += told(scores).sum(0)
        sums.append(total)
    count = len(strata.rows)
    mean = sum(s.sum((0, 1)) / len(s) for s in sums)
    centred = (s - s.mean(0) - s.mean(1, keepdims=True) + s.mean((0, 1)) for s in sums)
    variance = sum((c**2).sum((0, 1)) / max(len(c) - 1, 1) for c in centred)
    deviation = steadied(variance, count)
    z = [
        (sum(s[np.arange(len(s)), o].sum(0) for s, o in zip(sums, order, strict=True)) - mean)
        / deviation
        for order in strata.orders(permutations, rng)
    ]
    null = np.array([one.max() for one in z])
    unit = deviation / (count * math.log(2))
    p_value = np.mean(null >= null[0] - 1e-9 * abs(null).max())
    largest = np.asarray(largest_allowed(null[1:], level))
    found = _Judged(bits / count, z[0] * unit, z[0], unit, largest, p_value)
    return found.as_map(at, level, scorer.name)


def _of_images(
    images: ImagePairs, at: Lattice, learn: Learn, level: float, rng: np.random.Generator
) -> LeakMap:
    """A map of every image: its own ciphertext beside those of other groups of its fold."""
    count = len(np.unique(images.groups))
    folds = min(MOST_FOLDS, max(2, count // max(FOLD_GROUPS, fewest(level))))
    fold = split_by_group(np.arange(count), folds, rng)[images.groups]  # as many groups in each
    parts: list[tuple[np.ndarray, _Judged]] = []
    names = []
    for t in range(folds):
        scorer = learn(np.flatnonzero(fold != t))
        names.append(scorer.name)
        inside = rng.permutation(np.unique(images.groups[fold == t]))
        for together in np.array_split(inside, -(-len(inside) // JUDGED_TOGETHER)):
            members = [np.flatnonzero(images.groups == name) for name in together]
            for k in range(max(map(len, members))):  # one image of every group at a time
                rows = np.array([own[k % len(own)] for own in members])
                new = np.array([k < len(own) for own in members])
                one = _beside_others(scorer.scaled(rows), level)
                parts.append((rows[new], _Judged(*(value[new] for value in one))))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    joined = (np.concatenate(values)[order] for values in zip(*(j for _, j in parts), strict=True))
    method = ", ".join(sorted(set(names), key=names.index))
    return _Judged(*joined).as_map(at, level, method)


def _of_pairs(
    images: ImagePairs, at: Lattice, level: float, rng: np.random.Generator, device: str
) -> LeakMap:
    """A map of every pair for itself, by the pretrained critic."""
    critic = load_critic().on(device)
    count = ROLLS * fewest(level) // 20
    found = [
        _among(rolled_scores(critic, plain, cipher, at, count, rng), level)
        for plain, cipher in zip(images.plain, images.cipher, strict=True)
    ]
    joined = (np.stack(values) for values in zip(*found, strict=True))
    return _Judged(*joined).as_map(at, level, "pretrained critic")


def _among(scores: np.ndarray, level: float) -> _Judged:
    """The first of k + 1 arrangements of one pair beside the others, (k + 1, rows, columns)."""
    mean, deviation = scores.mean(0), steadied(scores.var(0), len(scores))
    z = (scores - mean) / deviation
    greatest = z.max((1, 2))
    unit = deviation / math.log(2)
    bits = (scores[0] - logsumexp(scores, axis=0) + math.log(len(scores))) / math.log(2)
    return _Judged(
        bits, z[0] * unit, z[0], unit, np.asarray(largest_allowed(greatest[1:], level)),
        np.mean(greatest >= greatest[0]),
    )  # fmt: skip


def _beside_others(scores: np.ndarray, level: float) -> _Judged:
    """Each image's own ciphertext beside the others: (n, n, rows, columns) to n maps.

    If an image tells nothing of which ciphertext is its own, the greatest value in its own is as
    likely as any other to be the greatest of all.
    """
    n = len(scores)
    own = np.arange(n)
    mean = scores.mean(1)
    deviation = steadied(scores.var(1), n)
    z = (scores - mean[:, None]) / deviation[:, None]
    greatest = z.max((2, 3))
    others = greatest[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    mine = greatest[own, own]
    largest = np.array([largest_allowed(null, level) for null in others])
    p_value = (1 + np.count_nonzero(others >= mine[:, None], axis=1)) / n
    unit = deviation / math.log(2)
    return _Judged(told(scores), z[own, own] * unit, z[own, own], unit, largest, p_value)
