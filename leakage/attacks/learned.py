"""Attacks that learn from pairs of other photographs: find, classify, invert."""

from collections.abc import Callable
from functools import partial

import numpy as np

from leakage.arguments import check_image_groups, check_images, check_seed
from leakage.attacks.success import Attack, counted, identify, ranked, wording
from leakage.evidence.exchange import exchangeable
from leakage.evidence.permutations import JudgedFold, sequential_test
from leakage.evidence.samples import check_samples
from leakage.evidence.splits import split_by_group

#: Rows that principal components are fitted on: those of more would take minutes, and be the same.
AXES = 1000


def reidentify(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    first: int = 1,
    seed: int = 0,
    components: int = 32,
) -> Attack:
    """Find the image of a ciphertext among those of its fold, by what was learnt on the others.

    Images are ranked by the likelihood ratio of a Gaussian with the canonical correlations of the
    other folds. Images that rank alike count against the attack.

    Parameters
    ----------
    x, y : ndarray of float, shape (N, dx) and (N, dy)
        Vectors of images and of their ciphertexts, paired, for instance of `representations`.
    groups : ndarray, shape (N,), optional
        Source of each sample. Groups are never divided between folds, and other candidates of the
        group of the true one do not compete.
    folds : int
        At least 2.
    first : int
        Success is to be among the `first` best.
    seed : int
        Of the folds.
    components : int
        Principal components of either side that are kept, at most.

    Returns
    -------
    Attack
        `chance` is that of a random order, `bits` what the rate says of an image.

    Raises
    ------
    ValueError
        Samples are not paired, or too few for the folds, or a fold has no candidates to compare.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> reidentify(x, x).rate > 0.9
    True
    """
    told = scored_folds(x, y, groups=groups, folds=folds, seed=seed, components=components)
    return found_among(told, first)


def scored_folds(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """How well every image of a fold fits every ciphertext of it, by what the other folds taught.

    Parameters
    ----------
    x, y, groups, folds, seed, components
        As of `reidentify`.

    Returns
    -------
    list of (ndarray, ndarray)
        Of each fold the logarithms of likelihood ratios, a row for each ciphertext, and the group
        of each sample.

    Raises
    ------
    ValueError
        As of `reidentify`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> [scores.shape for scores, groups in scored_folds(x, x)] == [(40, 40)] * 5
    True
    """
    check_seed(seed)
    x, y, groups = check_samples(x, y, groups, folds)
    if components < 1:
        raise ValueError(f"components must be at least 1, not {components}")
    fold = split_by_group(groups, folds, np.random.default_rng(seed))
    told = []
    for test in range(folds):
        fit, rows = np.flatnonzero(fold != test), np.flatnonzero(fold == test)
        told.append((_likelihood_ratios(x, y, fit, rows, components, seed), groups[rows]))
    return told


def found_among(told: list[tuple[np.ndarray, np.ndarray]], first: int) -> Attack:
    """How often an own image is among the `first` best, of what `scored_folds` gives."""
    some = [ranked(scores, groups, first) for scores, groups in told]
    hits, chance, competing = (np.concatenate(part) for part in zip(*some, strict=True))
    return counted("reidentify", hits.sum(), len(hits), chance.mean(), wording(first, competing))


def reidentification_p_value(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    folds: int = 5,
    permutations: int = 9999,
    seed: int = 0,
    components: int = 32,
) -> float:
    """Would as many images be found if ciphertexts told nothing of their images?

    Ciphertexts of whole groups change places within a fold, under a critic that saw earlier folds
    alone. What counts is how many images come first for the ciphertext that they are given.

    Parameters
    ----------
    x, y, groups, folds, seed, components
        As of `reidentify`.
    strata : ndarray, shape (N,), optional
        Only images of one label change places, as of `leakage.estimate_mi`.
    permutations : int
        Of each fold that is judged.

    Returns
    -------
    float
        1 where no exchange changes anything.

    Raises
    ------
    ValueError
        Samples are not paired, or too few for the folds.

    References
    ----------
    Stouffer et al. (1949), The American Soldier.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> reidentification_p_value(x, x) < 1e-4, reidentification_p_value(x, x[::-1]) > 0.01
    (True, True)
    """
    from leakage.estimators.learning import earlier_folds

    check_seed(seed)
    x, y, groups = check_samples(x, y, groups, folds)
    units = exchangeable(groups, "groups", strata)
    rng = np.random.default_rng(seed)
    judged = []
    for fit, rows in earlier_folds(split_by_group(groups, folds, rng), groups):
        firsts = _comes_first(_likelihood_ratios(x, y, fit, rows, components, seed), groups[rows])
        score = partial(_square, firsts)
        judged.append(JudgedFold.of(units.strata(rows, rng), score, len(fit)))
    p_value = sequential_test(judged, permutations, rng).p_value
    return 1.0 if p_value is None else p_value


def _likelihood_ratios(
    x: np.ndarray, y: np.ndarray, fit: np.ndarray, rows: np.ndarray, components: int, seed: int
) -> np.ndarray:
    """How well each image of `rows` fits each ciphertext of them, a row for each ciphertext."""
    from leakage.estimators.critics import canonical_critic, whitened
    from leakage.estimators.threads import one_thread

    # both sides together must have fewer coordinates than there are samples
    some = min(components, max(1, len(fit) // 4))
    axes = fit[:: -(-len(fit) // AXES)]
    with one_thread():
        a, b = (whitened(v, axes, some, seed) for v in (x, y))
        return canonical_critic(a, b, fit, "even").scores(rows).T


def _square(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return values[np.ix_(rows, rows)]


def _comes_first(fit: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Whether image j would come first for ciphertext i, were it its own; (n, n) of 0 and 1.

    Other images of the group of j do not compete.
    """
    member = np.unique(groups, return_inverse=True)[1]
    best = np.full((len(fit), member.max() + 2), -np.inf)  # a last column, lest there be only one
    for group in range(member.max() + 1):
        best[:, group] = fit[:, member == group].max(1)
    order = np.argsort(best, axis=1)[:, :-3:-1]
    first, second = np.take_along_axis(best, order, 1).T
    rival = np.where(order[:, :1] == member, second[:, None], first[:, None])
    return (fit > rival).astype(float)


def infer_attribute(
    y: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    components: int = 32,
) -> Attack:
    """Tell what an image shows from its ciphertext, by what was learnt on other photographs.

    Logistic regression on principal components.

    Parameters
    ----------
    y : ndarray of float, shape (N, d)
        Vectors of ciphertexts.
    labels : ndarray, shape (N,)
        The attribute of each image: at least two different values.
    groups : ndarray, shape (N,), optional
        Source of each sample; groups are never divided between folds.
    folds, seed, components
        As of `reidentify`.

    Returns
    -------
    Attack
        `chance` is always to name the most frequent label.

    Raises
    ------
    ValueError
        Labels do not fit, are all the same, or one lies in a single fold only.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=(200, 3))
    >>> infer_attribute(y, y[:, 0] > 0).rate > 0.9
    True
    """
    check_seed(seed)
    from sklearn.linear_model import LogisticRegression

    from leakage.estimators.critics import whitened
    from leakage.estimators.threads import one_thread

    labels = np.asarray(labels)
    if labels.shape != (len(y),):
        raise ValueError(f"labels must be one a sample, ({len(y)},), not {labels.shape}")
    names, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError("all labels are the same: there is nothing to tell")
    y, _, groups = check_samples(y, numbers[:, None], groups, folds)
    if components < 1:
        raise ValueError(f"components must be at least 1, not {components}")
    fold = split_by_group(groups, folds, np.random.default_rng(seed))
    hits = 0
    for test in range(folds):
        fit, rows = np.flatnonzero(fold != test), np.flatnonzero(fold == test)
        if len(np.unique(numbers[fit])) < 2:
            raise ValueError("a label occurs in one fold only; give more groups or fewer folds")
        with one_thread():
            vectors = whitened(y, fit, components, seed)
            classifier = LogisticRegression(max_iter=1000).fit(vectors[fit], numbers[fit])
            hits += int(np.count_nonzero(classifier.predict(vectors[rows]) == numbers[rows]))
    success = f"the right one of {len(names)} labels"
    return counted("infer-attribute", hits, len(y), counts.max() / len(y), success)


def invert(
    encrypt: Callable[[np.ndarray, bytes], np.ndarray],
    images: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    steps: int = 300,
    held_out: float = 0.2,
    first: int = 1,
    seed: int = 0,
    progress: bool = False,
) -> Attack:
    """Learn to undo a scheme from pairs under other keys (Ito, Kinoshita and Kiya, 2020).

    A small U-Net sees the bit planes of ciphertexts and learns the images, with another key for
    every batch. It is judged on images of other groups under a key that it never met.

    Parameters
    ----------
    encrypt : callable
        Encrypts images of shape (n, H, W) or (n, H, W, 3) under a key of 16 bytes, for instance
        ``get_scheme("bitplane", bits=4).encrypt``.
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Plain images, H and W multiples of 8.
    groups : ndarray, shape (N,), optional
        Source of each image; groups that are judged on are not learnt from.
    steps : int
        Batches of 8 images that are learnt from; 300 take about 25 s on one core at 64 x 64
        pixels. More help.
    held_out : float
        Share of the images that are judged on, about.
    first : int
        Success is that the picture fits its image so well, see `identify`.
    seed : int
        Of the split, the keys, the weights and the batches.
    progress : bool
        Show a bar.

    Returns
    -------
    Attack
        With a picture for each image that was judged on; which these are says `judged_images`.

    Raises
    ------
    ValueError
        Sides are no multiples of 8, or there are too few groups, or `held_out` or `steps` is out
        of range.

    References
    ----------
    Ito, Kinoshita and Kiya (2020), Image transformation network for privacy-preserving deep neural
    networks and its security evaluation.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 8, 8)).astype(np.uint8)
    >>> found = invert(lambda images, key: images, images, steps=1)
    >>> found.n, found.chance, found.pictures.shape
    (2, 0.5, (2, 8, 8))
    """
    check_seed(seed)
    from leakage.attacks.inversion import inverted

    images = check_images(images)
    if images.shape[1] % 8 or images.shape[2] % 8:
        raise ValueError(f"sides must be multiples of 8, not {images.shape[1:3]}")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps must be a positive int, not {steps!r}")
    groups = check_image_groups(groups, len(images))
    judged = judged_images(groups, held_out, seed)
    pictures = inverted(
        encrypt, images[~judged], images[judged], steps=steps, seed=seed, progress=progress
    )
    return identify(
        pictures, images[judged], groups=groups[judged], first=first, name="learned inversion"
    )


def judged_images(groups: np.ndarray, held_out: float = 0.2, seed: int = 0) -> np.ndarray:
    """Which images `invert` judges on, as a mask: whole groups, about a share `held_out` of all.

    Parameters
    ----------
    groups : ndarray, shape (N,)
        Source of each image.
    held_out : float
        Up to a half.
    seed : int
        As given to `invert`.

    Returns
    -------
    ndarray of bool, shape (N,)
        True where an image is judged on, False where it is learnt from.

    Raises
    ------
    ValueError
        `held_out` is out of range, or there are fewer groups than folds of that share.

    Examples
    --------
    >>> int(judged_images(np.arange(10)).sum())
    2
    """
    check_seed(seed)
    if not 0 < held_out <= 0.5:
        raise ValueError(f"held_out must be above 0 and at most 0.5, not {held_out}")
    folds = round(1 / held_out)
    return split_by_group(np.asarray(groups), folds, np.random.default_rng(seed)) == 0
