"""Pictures of torchvision's data sets, by name."""

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

from PIL import Image


def torchvision_images(name: str, limit: int) -> Iterator[Image.Image]:
    """The first `limit` pictures of a data set, downloaded as torchvision does.

    Raises
    ------
    ValueError
        No data set of this name, one that cannot be had, or one that holds no pictures.
    """
    from torchvision import datasets

    kind = vars(datasets).get(name)
    known = inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset)
    if not known:
        raise ValueError(f"torchvision has no data set {name!r}; see torchvision.datasets")
    root = Path(os.environ.get("LEAKAGE_DATA", Path.home() / ".cache" / "leakage" / "data"))
    accepted = inspect.signature(kind).parameters
    offered = {"root": root, "download": True}
    root.mkdir(parents=True, exist_ok=True)
    try:
        data = kind(**{k: v for k, v in offered.items() if k in accepted})
    except (URLError, ConnectionError, TimeoutError, RuntimeError) as error:
        raise ValueError(
            f"torchvision could not provide {name} ({error}); check the network connection, or "
            f"put the data set into {root}, or use source='photographs' or a folder"
        ) from error
    for i in range(min(limit, len(data))):
        picture = data[i][0]
        if not isinstance(picture, Image.Image):
            raise ValueError(f"torchvision's {name} does not hold pictures")
        yield picture
