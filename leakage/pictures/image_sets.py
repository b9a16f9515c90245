"""Image sets: the bundled photographs, folders of files, torchvision data sets.

Images are `uint8` arrays of shape ``(N, H, W)`` (gray) or ``(N, H, W, 3)`` (RGB). Nothing is ever
resized or rescaled: larger images are cut into non-overlapping patches.
"""

import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import numpy as np
from PIL import Image, UnidentifiedImageError

from leakage.arguments import check_one_of

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff")

#: No photograph contributes more patches than this, so that none dominates a set.
PATCHES_PER_IMAGE = 64


@dataclass(frozen=True)
class Photograph:
    """A photograph that a dependency carries: where it lies, who made it, on what terms."""

    name: str
    package: str
    path: str
    subject: str
    author: str
    licence: str

    def file(self) -> Path:
        """Path of the file inside the installed package."""
        # find_spec of a top-level name does not import the package
        root = find_spec(self.package).submodule_search_locations[0]
        return Path(root, self.path)


def _skimage(name: str, path: str, subject: str, author: str, licence: str) -> Photograph:
    return Photograph(name, "skimage", f"data/{path}", subject, author, licence)


def _sklearn(name: str, path: str, subject: str, author: str, licence: str) -> Photograph:
    return Photograph(name, "sklearn", f"datasets/images/{path}", subject, author, licence)


_NO_RESTRICTION = "no known copyright restrictions"
PHOTOGRAPHS = (
    _skimage("astronaut", "astronaut.png", "Eileen Collins, astronaut", "NASA", "public domain"),
    _skimage("brick", "brick.png", "brick wall", "CC0Textures", "CC0"),
    _skimage("camera", "camera.png", "photographer with a camera", "Lav Varshney", "CC0"),
    _skimage("cat", "chelsea.png", "Chelsea the cat", "Stefan van der Walt", "CC0"),
    _skimage(
        "clock", "clock_motion.png", "wall clock, camera moved", "Stefan van der Walt",
        "public domain",
    ),
    _skimage("coffee", "coffee.png", "cup of espresso", "Rachel Michetti", "CC0"),
    _skimage("coins", "coins.png", "Greek coins from Pompeii", "Brooklyn Museum", _NO_RESTRICTION),
    _skimage("grass", "grass.png", "lawn", "linolafett", "CC0"),
    _skimage("gravel", "gravel.png", "gravel", "CC0Textures", "CC0"),
    _skimage(
        "hubble", "hubble_deep_field.jpg", "Hubble eXtreme Deep Field", "NASA", "public domain"
    ),
    _skimage(
        "tissue", "ihc.png", "stained colonic tissue under the microscope",
        "Center for Microscopy and Molecular Imaging", _NO_RESTRICTION,
    ),
    _skimage(
        "moon", "moon.png", "surface of the moon", "not stated by scikit-image",
        "distributed with scikit-image",
    ),
    _skimage(
        "motorcycle", "motorcycle_left.png", "motorcycle in a workshop, left of a stereo pair",
        "Nesic, Westling, Wang, Kitajima, Krathwohl, Scharstein (Middlebury 2014)",
        "distributed with scikit-image",
    ),
    _skimage(
        "page", "page.png", "photographed page of print", "not stated by scikit-image",
        "distributed with scikit-image",
    ),
    _skimage("retina", "retina.jpg", "retina of a left eye", "Mikael Häggström", "CC0"),
    _skimage("rocket", "rocket.jpg", "launch of a Falcon 9", "SpaceX", "public domain"),
    _skimage(
        "text", "text.png", "handwriting on a board", "Wikipedia, File:Corner.png",
        "public domain",
    ),
    _sklearn("china", "china.jpg", "Chinese temple roof", "danielbuechele", "CC BY 2.0"),
    _sklearn("flower", "flower.jpg", "dahlia", "vultilion", "CC BY 2.0"),
)


@dataclass(frozen=True)
class ImageSet:
    """Images, and which source image each of them was cut from.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
    groups : ndarray of int64, shape (N,)
        ``names[groups[i]]`` is the source of ``images[i]``. Patches of one source resemble each
        other, so estimates must never train on some and be judged on others.
    names : tuple of str
        One name a source image.
    credits : tuple of str
        Author and licence of each source image, empty where unknown.
    """

    images: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    credits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def read_image(path: Path, mode: str) -> np.ndarray:
    """One file as uint8 (H, W) or (H, W, 3).

    Parameters
    ----------
    path : Path
        One of `SUFFIXES`.
    mode : {"gray", "rgb"}
        What it is converted to.

    Raises
    ------
    ValueError
        Gives the reason, not the name: "cannot be read", "has transparent pixels".

    Examples
    --------
    >>> read_image(PHOTOGRAPHS[0].file(), "rgb").shape[2]
    3
    """
    try:
        with Image.open(path) as picture:
            if getattr(picture, "n_frames", 1) > 1:
                raise ValueError(f"holds {picture.n_frames} pictures, expected one")
            if picture.mode not in ("1", "L", "P", "RGB"):
                raise ValueError(
                    f"has pixel mode {picture.mode!r}; convert it to 8-bit gray or RGB "
                    "without an alpha channel"
                )
            if picture.mode == "P" and "transparency" in picture.info:
                raise ValueError("has transparent pixels; flatten it first")
            return np.asarray(picture.convert("L" if mode == "gray" else "RGB"))
    except UnidentifiedImageError:
        raise ValueError("is not an image that can be read") from None
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise ValueError(f"cannot be read ({error})") from None


def patches(image: np.ndarray, size: int) -> np.ndarray:
    """Non-overlapping patches in raster order, at most PATCHES_PER_IMAGE, evenly spread."""
    rows, columns = image.shape[0] // size, image.shape[1] // size
    if rows * columns == 0:
        raise ValueError(
            f"is {image.shape[1]}x{image.shape[0]} pixels, smaller than a patch of size {size}"
        )
    cut = image[: rows * size, : columns * size]
    grid = cut.reshape(rows, size, columns, size, *image.shape[2:]).swapaxes(1, 2)
    every = grid.reshape(rows * columns, size, size, *image.shape[2:])
    if len(every) <= PATCHES_PER_IMAGE:
        return every
    return every[np.linspace(0, len(every) - 1, PATCHES_PER_IMAGE).round().astype(int)]


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = sorted(
        p for p in source.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(source).parts)
    )
    if not found:
        raise ValueError(f"no images in {source}; expected files {', '.join(SUFFIXES)}")
    return found


def _from_files(
    files: list[tuple[str, Path, str]], size: int | None, mode: str
) -> tuple[list[np.ndarray], list[str], list[str]]:
    """Patches, names and credits of each file; all bad files are named in one error."""
    pieces, names, credits, problems = [], [], [], []
    for name, path, credit in files:
        try:
            if path.suffix.lower() not in SUFFIXES:
                raise ValueError(f"is not one of {', '.join(SUFFIXES)}")
            image = read_image(path, mode)
            pieces.append(image[None] if size is None else patches(image, size))
        except ValueError as error:
            problems.append(f"{name} {error}")
            continue
        names.append(name)
        credits.append(credit)
    if size is None and pieces:
        shapes = [piece.shape[1:3] for piece in pieces]
        common = max(set(shapes), key=shapes.count)
        problems += [
            f"{name} is {shape[1]}x{shape[0]} pixels, the others {common[1]}x{common[0]}: "
            "give size=... to cut patches"
            for name, shape in zip(names, shapes, strict=True) if shape != common
        ]
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(files)} files cannot be used; mend or remove them:\n  "
            + "\n  ".join(problems)
        )
    return pieces, names, credits


def _torchvision_images(name: str, limit: int) -> Iterator[Image.Image]:
    from torchvision import datasets

    kind = getattr(datasets, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset)):
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


def _from_torchvision(
    name: str, size: int | None, count: int | None, mode: str
) -> tuple[list[np.ndarray], list[str], list[str]]:
    pieces, names = [], []
    # one patch an image at least, so `count` images are enough
    for i, picture in enumerate(_torchvision_images(name, count or 10**9)):
        image = np.asarray(picture.convert("L" if mode == "gray" else "RGB"))
        try:
            pieces.append(image[None] if size is None else patches(image, size))
        except ValueError as error:
            raise ValueError(f"{name}[{i}] {error}; give a smaller size, or size=None") from None
        names.append(f"{name}[{i}]")
    if len({piece.shape[1:] for piece in pieces}) > 1:
        raise ValueError(f"the images of {name} differ in size; give size=... to cut patches")
    return pieces, names, [f"torchvision.datasets.{name}"] * len(names)


def check_choice(size: int | None, count: int | None, mode: str) -> None:
    """Refuse arguments that `load_images` cannot mean, before anything is read."""
    check_one_of("mode", mode, ("gray", "rgb"))
    for name, value in (("size", size), ("count", count)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} must be an int or None, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def drawn(total: int, count: int, seed: int, source: str | Path) -> np.ndarray:
    """Which `count` of `total` patches are kept, in order."""
    if count > total:
        raise ValueError(
            f"count={count}, but {source} holds {total} images of this size; "
            "give a smaller count or size"
        )
    return np.sort(np.random.default_rng(seed).choice(total, count, replace=False))


def image_files(source: str | Path, size: int | None) -> list[tuple[str, Path, str]]:
    """Name, path and credit of every file of a source that is not torchvision's."""
    if str(source) == "photographs":
        if size is None:
            raise ValueError("the photographs differ in size; give size=... to cut patches")
        files = [(p.name, p.file(), f"{p.author}, {p.licence}") for p in PHOTOGRAPHS]
        files = [entry for entry in files if _holds_patch(entry[1], size)]
        if not files:
            raise ValueError(f"no photograph holds a patch of size {size}; give a smaller size")
        return files
    folder = Path(source).expanduser()
    if not folder.exists():
        raise ValueError(
            f"no file or folder {str(source)!r} (looked in {Path.cwd()}); other sources are "
            "'photographs' and 'torchvision:NAME'"
        )
    base = folder if folder.is_dir() else folder.parent
    return [(p.relative_to(base).as_posix(), p, "") for p in _files(folder)]


def load_images(
    source: str | Path = "photographs",
    *,
    size: int | None = 64,
    count: int | None = None,
    mode: str = "gray",
    seed: int = 0,
) -> ImageSet:
    """Load an image set.

    Parameters
    ----------
    source : str or Path
        ``"photographs"``: the photographs that scikit-image and scikit-learn install
        (`PHOTOGRAPHS` lists authors and licences). ``"torchvision:NAME"``: a torchvision data set,
        downloaded as torchvision does. Otherwise a folder (searched recursively) or a file: PGM,
        PNG, TIFF, BMP, JPEG.
    size : int or None
        Side in pixels of the square, non-overlapping patches that images are cut into, at most
        `PATCHES_PER_IMAGE` from each, evenly spread. None keeps whole images, all of one size.
    count : int or None
        Keep this many patches, drawn without replacement; None keeps all.
    mode : {"gray", "rgb"}
        Gray is the luma of ITU-R BT.601, as Pillow computes it.
    seed : int
        Of the draw of `count` patches.

    Returns
    -------
    ImageSet

    Raises
    ------
    ValueError
        Unusable argument, missing folder, or unreadable files, all named in one message.

    Examples
    --------
    >>> photographs = load_images(count=100)
    >>> photographs.images.shape, photographs.images.dtype
    ((100, 64, 64), dtype('uint8'))
    """
    check_choice(size, count, mode)
    if str(source).startswith("torchvision:"):
        dataset = str(source).removeprefix("torchvision:")
        pieces, names, credits = _from_torchvision(dataset, size, count, mode)
    else:
        pieces, names, credits = _from_files(image_files(source, size), size, mode)

    images = np.concatenate(pieces)
    groups = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    if count is not None:
        keep = drawn(len(images), count, seed, source)
        images, groups = images[keep], groups[keep]
    return ImageSet(images, groups, tuple(names), tuple(credits))


def _holds_patch(path: Path, size: int) -> bool:
    with Image.open(path) as picture:
        return min(picture.size) >= size
