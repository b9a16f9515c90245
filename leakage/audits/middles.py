"""The middle of a picture: what is looked at of large ones."""


def middle(shape: tuple[int, ...], side: int, step: int = 1) -> tuple[slice, slice]:
    """Rows and columns of the middle, no more than `side` of either.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, 3).
    side : int
        The largest height and width.
    step : int
        The middle begins at a multiple of so many samples.

    Examples
    --------
    >>> middle((100, 40), 50, step=8)
    (slice(24, 74, None), slice(0, 50, None))
    """
    top, left = (max(0, length - side) // 2 // step * step for length in shape[:2])
    return slice(top, top + side), slice(left, left + side)
