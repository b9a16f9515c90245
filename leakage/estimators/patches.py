"""Mutual information of patches and their ciphertexts by a critic that reads the samples."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from leakage.arguments import check_count, check_int, check_one_of, check_pairs, check_seed
from leakage.devices import found_device
from leakage.estimate import Estimate
from leakage.estimators.adapted import adapted_mi
from leakage.estimators.bounds import bound
from leakage.estimators.critics import Critic
from leakage.estimators.cross_fitting import doubts
from leakage.estimators.judging import Judged
from leakage.estimators.learning import earlier_folds
from leakage.estimators.neighbourhoods import Batch
from leakage.estimators.pretrained import pretrained_mi
from leakage.estimators.threads import one_thread
from leakage.estimators.towers import (
    Inputs,
    Pairs,
    PatchCritic,
    lattice,
    parted,
    train_towers,
)
from leakage.evidence.exchange import Strata
from leakage.evidence.intervals import held_out_interval
from leakage.evidence.p_values import check_permutations, few_exchanges
from leakage.evidence.permutations import JudgedFold, SequentialTest, sequential_test
from leakage.evidence.samples import EarlierImages, image_groups
from leakage.evidence.splits import split_by_group

#: A critic that these images teach, or the one that the package carries, or that one refined.
Asked = Literal["trained", "pretrained"]
AskedOfSets = Literal["trained", "pretrained", "adapted"]
#: Patches of a fold that are told apart: all pairs of them are scored.
JUDGED_PATCHES = 800
#: The least side of a patch: two convolutions halve it.
SMALLEST_PATCH = 4
#: Folds of whole groups; each critic learns from all but one.
FOLDS = 3
#: Groups that are the fewest, of a critic that these images teach and of the others.
FEWEST = {"trained": 2 * FOLDS, "pretrained": 2, "adapted": 2}


class ImagePairs(NamedTuple):
    """Checked images and ciphertexts, and the group of each, 0 to G - 1."""

    plain: np.ndarray
    cipher: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(
        cls,
        plain: np.ndarray,
        cipher: np.ndarray,
        groups: np.ndarray | None,
        patch: int,
        least: int,
    ) -> "ImagePairs":
        """Checked, equal pictures in one group.

        Raises
        ------
        ValueError, TypeError
            No uint8 images of one shape, a patch that does not fit, fewer than `least` groups.
        """
        plain, cipher = check_pairs(plain, cipher)
        check_patch(patch, plain.shape)
        member = image_groups(plain, groups)
        if (count := len(np.unique(member))) < least:
            raise ValueError(
                f"{len(plain)} images from {count} groups are too few, {least} groups are needed; "
                "give images of more sources, or cut each into several of their own group"
            )
        return cls(plain, cipher, member)


def check_words(critic: object, inputs: object) -> None:
    """Refuse words that name no critic, or nothing that it could read."""
    check_one_of("critic", critic, get_args(AskedOfSets))
    check_one_of("inputs", inputs, get_args(Inputs))


def check_patch(patch: int, shape: tuple[int, ...]) -> None:
    """Refuse what is no side of a patch in images of this shape, (N, H, W) or (N, H, W, 3)."""
    check_int("patch", patch)
    if not SMALLEST_PATCH <= patch <= min(shape[1:3]):
        raise ValueError(
            f"patch must be from {SMALLEST_PATCH} to the images' shorter side, "
            f"{min(shape[1:3])} pixels, not {patch}"
        )


def patch_mi(
    plain: np.ndarray,
    cipher: np.ndarray,
    *,
    critic: AskedOfSets = "trained",
    inputs: Inputs = "both",
    groups: np.ndarray | None = None,
    patch: int = 16,
    steps: int = 240,
    permutations: int = 999,
    seed: int = 0,
    device: str = "auto",
) -> Estimate:
    """Mutual information of a patch and its ciphertext, by MINE on the pictures themselves.

    A critic of small convolutional towers is trained end to end on raw patches with InfoNCE. It
    learns from two folds of whole groups of images, of which some only say when to stop, and is
    judged on the third: each patch must be told from the others by its ciphertext. Three folds
    take turns. With a handful of pictures nothing can be learned: then ask the critic that the
    package carries, which has seen generated scenes under simulated ciphers and nothing else.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, of one shape, (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    critic : {"trained", "pretrained", "adapted"}
        One that is trained on these images; or the package's own, which spends none of them: from
        two groups on, in seconds; or that one refined on two of three folds, where groups of them
        that taught nothing say that it helps. Fewer than 24 groups leave it as it is, and a flag
        says so.
    inputs : {"gray", "bits", "both"}
        What the critic reads of each sample and of its difference from its neighbours to the left
        and above: numbers, the eight bits, or both. It decides what can be found: upper planes that
        are encrypted are noise of the largest amplitude to whoever reads numbers.
    groups : ndarray, shape (N,), optional
        What images have in common, a photograph for instance; by default every image is its own.
        Equal images are one group anyway. Folds, interval and p-value go by groups. At least 6, 2
        of them for the pretrained critic and what is made of it.
    patch : int
        Side in pixels.
    steps : int
        Of training, or of refining, at most.
    permutations : int
        Behind the p-value, of each fold that tests. 0: no test, and a quarter of the time is saved.
        Those of the pretrained critic cost next to nothing: all exchanges of up to eight groups,
        at least 9,999 random ones of more.
    seed : int
        Of folds, weights, crops and permutations.
    device : {"auto", "cpu", "cuda", "cuda:1", ...}
        Where the critic learns: ``"auto"`` is a GPU where there is one.

    Returns
    -------
    Estimate
        In bits a patch, of a patch at a random place. A held-out lower bound but for the noise that
        the interval over groups shows, and never above log2 of the patches that it is judged on
        (``details["ceiling"]``): flagged ``"saturated"`` where nearly every patch is recognised.
        What tells both a plain patch and a ciphertext where they lie counts as information; the
        test is not misled by it, for it exchanges whole ciphertexts between groups and compares
        patches of one place. Details: ``folds``, ``temperatures``, ``steps`` of each critic,
        ``top1`` (share of ciphertexts that pick out their own patch), ``z`` of the test,
        ``exchanged``, ``ceiling``. The pretrained critic tells a patch from those at its place in
        up to 11 other groups, so its ceiling is low; it has several scores, asked on both sides,
        beside which the test asks whether pictures that are alike have ciphertexts that are,
        and ``details`` has ``reach``, the least p-value that so few pictures allow, ``head``, the
        score that stands out, ``heads``, the z of each, ``factors``, ``places``. Its ``certified``
        are bits that the mean information of these places exceeds with 95 % confidence, whatever
        the distribution, or 0: none of the images taught or chose anything, so all pairs of groups
        count. About 20 pictures are the fewest that certify anything, and as every such bound it
        stays below log2 of their number.

    Raises
    ------
    ValueError, TypeError
        Images that are not uint8 or of different shapes, fewer than six groups, a patch that does
        not fit, an unknown word, a device that is not there, weights that are missing or damaged.

    References
    ----------
    Belghazi et al. (2018), Mutual Information Neural Estimation, ICML; van den Oord et al. (2018)
    for the objective; the test is that of `leakage.evidence.permutations.sequential_test`. Székely
    et al. (2007), Measuring and testing dependence by correlation of distances, for likeness.

    Examples
    --------
    Seven of eight planes are encrypted, and every patch is recognised by the last:

    >>> from leakage import get_scheme, load_images
    >>> plain = load_images("scenes", size=32, count=60).images
    >>> cipher = get_scheme("bitplane", bits=7).encrypt(plain, bytes(16))
    >>> found = patch_mi(plain, cipher, inputs="bits", patch=8, steps=60)
    >>> found.bits > 7, found.p_value < 0.001
    (True, True)

    Six pictures are enough for the critic that comes with the package:

    >>> found = patch_mi(plain[:6], cipher[:6], critic="pretrained", patch=8)
    >>> round(found.p_value * 720), round(found.details["reach"] * 720)
    (1, 1)
    """
    check_seed(seed)
    check_words(critic, inputs)
    permutations = check_permutations(permutations)
    check_count("steps", steps)
    if critic == "adapted":
        return adapted_mi(
            *ImagePairs.of(plain, cipher, groups, patch, FEWEST[critic]), patch=patch,
            steps=int(steps), permutations=permutations, seed=seed, device=device,
        )  # fmt: skip
    if critic == "pretrained":
        batch = (plain, cipher) if groups is None else (plain, cipher, np.asarray(groups))
        return patch_mi_in_batches(
            iter([batch]), patch=patch, permutations=permutations, seed=seed, device=device
        )
    images = ImagePairs.of(plain, cipher, groups, patch, FEWEST[critic])
    pairs = Pairs.of(images.plain, images.cipher, found_device(device))
    rng = np.random.default_rng(seed)
    fold = split_by_group(images.groups, FOLDS, rng)

    def learn(rows: np.ndarray) -> PatchCritic:
        return learned(pairs, images.groups, rows, inputs, patch, int(steps), rng)

    with one_thread():
        critics = [learn(np.flatnonzero(fold != t)) for t in range(FOLDS)]
        told = [
            _judged(critic, pairs, np.flatnonzero(fold == t), rng)
            for t, critic in enumerate(critics)
        ]
        p_value, tested, few = None, {}, []
        if permutations:
            test = _independence(images, pairs, fold, critics[-1], learn, permutations, rng)
            p_value, few = test.p_value, few_exchanges(test.reach)
            tested = {"z": test.z, "exchanged": f"{images.groups.max() + 1} groups"}
    judged = [one for one, _ in told]
    rows = np.concatenate([rows for _, rows in told])
    sizes = np.array([len(one.influence) for one in judged])
    bits = float(np.average([one.bits for one in judged], weights=sizes))
    influence = np.concatenate([one.contributions for one in judged])
    low, high = held_out_interval(bits, influence, images.groups[rows], fold[rows])
    details = {
        "folds": tuple(one.bits for one in judged),
        "temperatures": tuple(critic.factor / critic.scale for critic in critics),
        "steps": tuple(critic.steps for critic in critics),
        "top1": float(np.average([one.recognised for one in judged], weights=sizes)),
        "ceiling": math.log2(sizes.min()),
    } | tested
    return Estimate(
        bits, low, high, p_value, len(rows),
        f"convolutional critic of {_SHOWN[inputs]}, {FOLDS} folds held out", "estimate",
        (*few, *doubts(judged, sizes, bits, high)), details,
    )  # fmt: skip


def patch_mi_in_batches(
    batches: Iterable[Batch],
    *,
    patch: int = 16,
    permutations: int = 999,
    seed: int = 0,
    device: str = "auto",
) -> Estimate:
    """The pretrained critic of `patch_mi` on any number of images, in the memory of one batch.

    Parameters
    ----------
    batches : iterable
        Pairs of images and their ciphertexts, or triples with the group of each image; read once.
        Images of all batches have one shape, a group lies within one batch, and each batch has two
        groups or more. Images that an earlier batch had are left out, and flagged.
    patch, permutations, seed, device
        As of `patch_mi`. Ciphertexts change places within their batch.

    Returns
    -------
    Estimate
        As of `patch_mi`, and equal to it where one batch holds all images. The first batch decides
        how many places of an image are read.

    Raises
    ------
    ValueError, TypeError
        As `patch_mi`; no batch, batches of different shapes.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> plain = load_images("scenes", size=32, count=24).images
    >>> cipher = get_scheme("bitplane", bits=7).encrypt(plain, bytes(16))
    >>> halves = ((plain[i:i + 12], cipher[i:i + 12]) for i in (0, 12))
    >>> patch_mi_in_batches(halves, patch=8).details["exchanged"]
    '24 groups'
    """
    check_seed(seed)
    permutations = check_permutations(permutations)
    if not isinstance(batches, Iterable):
        raise TypeError(f"batches must be an iterable of pairs, not {type(batches).__name__}")
    earlier = EarlierImages()
    found = pretrained_mi(
        _of_one_shape(batches, patch, earlier), patch=patch, permutations=permutations, seed=seed,
        device=device,
    )  # fmt: skip
    return replace(found, flags=(*found.flags, *earlier.flags))


def _of_one_shape(
    batches: Iterable[Batch], patch: int, earlier: EarlierImages
) -> Iterator[ImagePairs]:
    """Batches as they come, each checked, without images of earlier ones; at least one."""
    shape = None
    for plain, cipher, *groups in batches:
        images = ImagePairs.of(
            plain, cipher, groups[0] if groups else None, patch, FEWEST["pretrained"]
        )
        if shape not in (None, images.plain.shape[1:]):
            raise ValueError(
                f"batches have images of {shape} and of {images.plain.shape[1:]}; give one shape"
            )
        shape = images.plain.shape[1:]
        if rest := earlier.rest(*images, fewest=FEWEST["pretrained"]):
            yield ImagePairs(*rest)
    if shape is None:
        raise ValueError("no batch of images; give an iterable of (plain, cipher)")


_SHOWN = {"gray": "gray values", "bits": "bits", "both": "gray values and bits"}


def learned(
    pairs: Pairs,
    groups: np.ndarray,
    rows: np.ndarray,
    inputs: Inputs,
    patch: int,
    steps: int,
    rng: np.random.Generator,
) -> PatchCritic:
    """What the images `rows` teach; some groups of them only say when to stop."""
    only_validate = parted(groups[rows], rng)
    return train_towers(
        pairs, rows[~only_validate], rows[only_validate], inputs=inputs, patch=patch, steps=steps,
        seed=int(rng.integers(2**32)),
    )  # fmt: skip


def _judged(
    critic: PatchCritic, pairs: Pairs, rows: np.ndarray, rng: np.random.Generator
) -> tuple[Judged, np.ndarray]:
    """The bound of random patches of these images, and the image of each."""
    where = lattice(rows, *pairs.size, critic.patch, critic.patch)
    where = where[np.sort(rng.permutation(len(where))[:JUDGED_PATCHES])]
    left, right = critic.features(pairs, where)
    scores = (left @ right.T).astype(float)
    bits, influence = bound(critic.factor * scores, "infonce")
    recognised = float(np.mean(scores.argmax(0) == np.arange(len(scores))))
    return Judged("towers", bits, influence, recognised, math.nan), where[:, 0].numpy()


def _independence(
    images: ImagePairs,
    pairs: Pairs,
    fold: np.ndarray,
    last: PatchCritic,
    learn: Callable[[np.ndarray], PatchCritic],
    permutations: int,
    rng: np.random.Generator,
) -> SequentialTest:
    """Test of independence; `last` was taught by all folds but the last one."""
    judged = []
    for rows, later in earlier_folds(fold, images.groups):
        critic = last if len(rows) + len(later) == len(fold) else learn(rows)
        strata = Strata.of(images.groups[later], rng)
        left, right = _of_images(critic, pairs, later)
        judged.append(JudgedFold.of(strata, Critic(left, right).scores, len(rows)))
    return sequential_test(judged, permutations, rng)


def _of_images(
    critic: PatchCritic, pairs: Pairs, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Features of whole images, (n, places r) each: inner products sum over patches of a place."""
    where = lattice(rows, *pairs.size, critic.patch, critic.patch)
    left, right = critic.features(pairs, where)
    return left.reshape(len(rows), -1), right.reshape(len(rows), -1)
