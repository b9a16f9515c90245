"""Where networks run."""

import torch


def found_device(device: str) -> str:
    """The device that is meant: ``"auto"`` is the first GPU where there is one.

    Raises
    ------
    ValueError
        Another name, or a GPU that is not there.

    Examples
    --------
    >>> found_device("cpu")
    'cpu'
    """
    if not isinstance(device, str):
        raise TypeError(f"device must be 'auto', 'cpu' or 'cuda', not {device!r}")
    there = torch.cuda.is_available()
    if device == "auto":
        return "cuda" if there else "cpu"
    if device == "cpu" or (device.partition(":")[0] == "cuda" and there):
        return device
    if device.partition(":")[0] == "cuda":
        raise ValueError(f"there is no device {device!r}: torch sees no GPU; use device='cpu'")
    raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', not {device!r}")
