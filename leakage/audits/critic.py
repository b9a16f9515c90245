"""The pretrained critic as a view of an audit: it spends no image on training, so six can do."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from leakage.audits.couples import Shape, kinds_of
from leakage.audits.findings import Finding
from leakage.audits.levels import BLOCK
from leakage.audits.middles import middle
from leakage.devices import found_device
from leakage.estimate import Estimate, entropy
from leakage.estimators.pretrained import (
    Places,
    Told,
    exchanged,
    load_critic,
    parts,
    pretrained_mi,
    tell,
)
from leakage.estimators.threads import one_thread
from leakage.evidence.exchange import Strata

#: Sources whose exchanges, 720 of six, allow a p-value that survives the correction.
FEWEST = 6
#: Images that are read at most: more of them would be read at fewer places each.
MOST = 48
#: Side of what is read of an image, a multiple of the sides of blocks.
CROP = 256

#: Ciphertexts are exchanged so many times before something is planted, for trials to choose from.
_EXCHANGED = 4


class Pictures(NamedTuple):
    """What the critic reads: the middle of some images of one shape, of random sources."""

    plain: np.ndarray
    cipher: np.ndarray
    groups: np.ndarray

    @property
    def enough(self) -> bool:
        """Whether a p-value can be small enough."""
        return len(np.unique(self.groups)) >= FEWEST

    def estimate(self, seed: int) -> Estimate:
        """The critic's, in bits a patch."""
        return pretrained_mi([self], patch=BLOCK, permutations=999, seed=seed, device="auto")

    def finding(self, seed: int) -> Finding:
        """What the critic says; its p-value is not corrected."""
        how = "Ask patch_mi(..., critic='pretrained') of images and ciphertexts."
        if not self.enough:
            few = f"Fewer than {FEWEST} independent images of one shape."
            return Finding("critic", "pretrained critic", None, few, "Give more pairs.")
        e = self.estimate(seed)
        return Finding(
            "critic", "pretrained critic", None,
            "A critic that learnt on generated scenes under simulated ciphers, and on none of "
            "these images, tells which ciphertext belongs to which image.", how, e.p_value,
            None if e.low is None else e, "patch",
            "A critic that learnt on generated scenes under simulated ciphers does not tell which "
            "ciphertext belongs to which image.",
        )  # fmt: skip


class PictureCollector:
    """Gathers `Pictures` from pairs, one at a time.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Of all pairs; those of the commonest shape are kept.
    groups : ndarray of int, shape (N,)
        Source of each pair.
    seed : int
        Of the choice of sources.

    Examples
    --------
    >>> collector = PictureCollector([(64, 64)] * 100, np.arange(100) // 2, 0)
    >>> for image in np.zeros((100, 64, 64), np.uint8):
    ...     collector.add(image, image)
    >>> collector.pictures().plain.shape
    (48, 64, 64)
    """

    def __init__(self, shapes: Sequence[Shape], groups: np.ndarray, seed: int) -> None:
        kinds = kinds_of(shapes)
        inside = np.flatnonzero(kinds == np.bincount(kinds).argmax())
        sources = np.random.default_rng(seed).permutation(np.unique(groups[inside]))[:MOST]
        each = MOST // len(sources)
        self._chosen = {int(i) for s in sources for i in inside[groups[inside] == s][:each]}
        self._groups = groups
        self._kept: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._seen = 0

    def add(self, plain: np.ndarray, cipher: np.ndarray) -> None:
        """Take the next pair."""
        if self._seen in self._chosen:
            at = middle(plain.shape, CROP, step=BLOCK)
            self._kept.append((self._seen, plain[at].copy(), cipher[at].copy()))
        self._seen += 1

    def pictures(self) -> Pictures:
        """All that was gathered."""
        numbers, plain, cipher = zip(*self._kept, strict=True)
        return Pictures(np.stack(plain), np.stack(cipher), self._groups[list(numbers)])


class PlanePlanter:
    """Plants the image's lowest bit plane into patches of ciphertexts, for the critic to find.

    Ciphertexts change places before, so that no chance agreement stays, and are read without and
    with that plane once. A trial takes each ciphertext of one of these exchanges, and each of its
    patches with or without.

    Parameters
    ----------
    pictures : Pictures
        Of six sources or more.
    seed : int
        Of places and exchanges.
    """

    def __init__(self, pictures: Pictures, seed: int) -> None:
        plain, cipher, groups = pictures
        critic = load_critic().on(found_device("auto"))
        rng = np.random.default_rng(seed)
        strata = Strata.of(groups, rng)
        rows = strata.rows
        versions = []
        for _ in range(_EXCHANGED):
            base = cipher.copy()
            base[rows] = cipher[strata.taken(strata.shuffled(rng))]
            versions += [base, (base & 0xFE) | (plain & 1)]
        together = parts(groups, rng)
        places = Places.for_parts(plain.shape[1:], BLOCK, together, rng)
        with one_thread():
            self._parts = [
                _Versions.of([tell(critic, plain, one, block, places) for one in versions])
                for block in together
            ]
        ones = float((plain & 1).mean())
        #: Bits that the plane of a patch holds at most.
        self.bits = BLOCK**2 * entropy(np.array([ones, 1 - ones]))

    def p_value(self, bits: float, seed: int) -> float:
        """Of the critic's test where patches tell so many bits on average."""
        rng = np.random.default_rng(seed)
        sums = [part.mixed(bits / self.bits, rng).sums for part in self._parts]
        return exchanged(sums, 999, rng).p_value


class _Versions(NamedTuple):
    """What the critic says of one part, by exchange and without and with what is planted."""

    patches: np.ndarray  # (exchanges, 2, m, G, G, places, heads)
    images: np.ndarray  # (exchanges, 2, m, G, G, views)
    block: np.ndarray

    @classmethod
    def of(cls, told: Sequence[Told]) -> "_Versions":
        patches, images = (
            np.stack(side).reshape(-1, 2, *side[0].shape)
            for side in ([one.patches for one in told], [one.images for one in told])
        )
        return cls(patches, images, told[0].block)

    def mixed(self, share: float, rng: np.random.Generator) -> Told:
        """Each ciphertext as one exchange has it, and this share of its patches planted."""
        exchanges, _, m, groups, _, places, _ = self.patches.shape
        which = rng.integers(exchanges, size=(m, groups, 1))
        clear = (rng.random((m, groups, places)) < share).astype(int)
        pictures, own, at = np.ogrid[:m, :groups, :places]
        patches = self.patches[which, clear, pictures, :, own, at]
        # histograms hardly change with the lowest plane
        images = self.images[which, 0, pictures, :, own][:, :, 0]
        return Told(patches.transpose(0, 3, 1, 2, 4), images.swapaxes(1, 2), self.block)
