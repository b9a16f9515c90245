"""The worst case beside the average: which images are more exposed than the others, and why."""

from dataclasses import dataclass

import numpy as np

from leakage.audits.per_image import ImageScores

#: Median absolute deviations as standard deviations of a normal law.
_SPREAD = 1.4826
#: The views whose scores are amounts; the others only say better or worse.
_AMOUNTS = ("bit planes", "half bytes", "neighbourhoods")


@dataclass(frozen=True)
class Exposed:
    """An image whose ciphertext shows more of it than other images' do of them.

    Attributes
    ----------
    number : int
        Of the pair in the audit.
    name : str
        Of the pair; for files their path without suffix.
    why : str
        In what it stands out.
    score : float
        How far, in standard deviations of the images; robust ones, of the median.
    """

    number: int
    name: str
    why: str
    score: float


def most_exposed(
    scores: ImageScores, names: tuple[str, ...], count: int = 5
) -> tuple[Exposed, ...]:
    """Rank images by how much more their ciphertexts show than those of the others.

    Images with more clear bit planes than all have come first; then what sticks out most in any
    view whose scores are amounts. This ranks, and proves nothing: of ciphertexts that show nothing
    some are the first too.

    Parameters
    ----------
    scores : ImageScores
        Of `leakage.audits.per_image.image_scores`.
    names : tuple of str
        Of all pairs.
    count : int
        How many to name.

    Examples
    --------
    >>> views = {"bit planes": (0.0, 0.1, 5.0), "half bytes": (0.0,) * 3}
    >>> scores = ImageScores(("a", "b", "c"), (0, 1, 2), (0, 0, 0), views, (0, 1, 2))
    >>> [one.name for one in most_exposed(scores, ("x", "y", "z"), 1)]
    ['z']
    """
    n = len(scores.images)
    if not n:
        return ()
    views = {name: scores.views[name] for name in _AMOUNTS if name in scores.views}
    far = np.array([_far(np.array(values)) for values in views.values()])
    clear = np.array(scores.clear)
    bits = clear[:, None] >> np.arange(8) & 1
    usual = (
        bits.mean(0) >= 0.5
    )  # an image in which a plane is constant does not have it in the clear
    more = (bits & ~usual).sum(1)
    strongest = far.max(0)
    order = np.lexsort((-strongest, -more))[:count]
    return tuple(
        Exposed(
            scores.numbers[i], names[scores.numbers[i]],
            f"{more[i]} bit plane{'s' * bool(more[i] != 1)} in the clear that most have not"
            if more[i]
            else _why(list(views)[int(far[:, i].argmax())], views, int(i)),
            round(float(strongest[i]), 2),
        )
        for i in order.tolist()
    )  # fmt: skip


def _why(view: str, views: dict[str, tuple[float, ...]], image: int) -> str:
    values = views[view]
    return f"{view}: {values[image]:.3g}, and {np.median(values):.3g} in the middle of all"


def _far(values: np.ndarray) -> np.ndarray:
    """Distance from the median in standard deviations; 0 where all are equal."""
    from_middle = values - np.median(values)
    spread = _SPREAD * np.median(np.abs(from_middle)) or from_middle.std()
    return from_middle / spread if spread > 0 else np.zeros(len(values))
