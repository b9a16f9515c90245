"""One image under one scheme at one level: its ciphertext, attacks on it, and what leaks in bits.

This is what `notebooks/explorer.ipynb` shows, without any widget: `leakage.notebook.widgets` puts
controls on top. Everything is quick enough, about a second, to follow a control as it moves.
"""

import shlex
from dataclasses import asdict, dataclass
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from leakage import attacks
from leakage.arguments import check_images
from leakage.estimate import Estimate
from leakage.estimators.cross_fitting import estimate_mi
from leakage.estimators.leak_maps import leak_map
from leakage.estimators.pixels import pieces, pixel_mi
from leakage.metrics import psnr
from leakage.pictures.image_sets import ImageSet, load_images
from leakage.schemes import Scheme, encrypt_jpeg, get_scheme
from leakage.schemes.bit_planes import BitPlane, NonzeroKey
from leakage.schemes.controls import PublicKeystream
from leakage.schemes.jpeg import JpegScheme
from leakage.schemes.jpeg_coding import compressed
from leakage.schemes.jpeg_schemes import P3
from leakage.schemes.learnable import Skk
from leakage.schemes.permutations import BlockShuffle
from leakage.schemes.thumbnails import TpeShuffle, TpeSum
from leakage.truth.closed_forms import exact_leakage, keystream_law
from leakage.vectors.embeddings import HISTOGRAM, PATCH_STATISTICS, representations

_PLANES = ("bits", "encrypted planes", tuple(range(9)))
_BLOCKS = ("block", "side of blocks", (2, 4, 8, 16, 32))
_QUALITY = ("quality", "JPEG quality", (10, 25, 50, 75, 90))
#: Scheme to the parameter that is its level, that parameter in words, and the values on offer.
LEVELS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    **dict.fromkeys(("bitplane", "nonzero-key", "region"), _PLANES),
    **dict.fromkeys(("block-shuffle", "etc", "le", "ele", "tpe-shuffle", "tpe-sum"), _BLOCKS),
    **dict.fromkeys(("jpeg-dc", "jpeg-ac-sign", "jpeg-ac", "jpeg-dc-ac", "p3"), _QUALITY),
    "biased-keystream": ("bias", "probability of a 1", (0.5, 0.51, 0.55, 0.6, 0.75, 0.9)),
    "blur": ("sigma", "width of the blur", (1, 2, 4, 8)),
}
#: Layers of the bundled network, and what needs no network.
LAYERS = (HISTOGRAM, PATCH_STATISTICS, "stem", "blocks.0", "blocks.4", "head")
#: Photographs whose embeddings are measured: patches, and their side in pixels.
BACKGROUND = (240, 32)
#: Bits, their interval, bits of shuffled pairs, p-value: a row of `View.leaks`.
Row = tuple[float, float | None, float | None, float, float]
#: Puzzles of more blocks take longer than a reader waits.
MOST_BLOCKS = 64


@dataclass(frozen=True)
class Setting:
    """What is explored: the parameters of the notebook.

    Attributes
    ----------
    source, size : str, int
        As of `leakage.load_images`.
    picture : int
        Which of its patches.
    scheme, level : str, float
        A name of `leakage.list_schemes`, and its level: one of ``LEVELS[scheme]``, ignored by
        schemes without.
    layer : str
        One of `LAYERS`.
    seed : int
        Of the key.

    Examples
    --------
    >>> print(Setting(level=3).command())
    papermill notebooks/explorer.ipynb out.ipynb -r source photographs -p size 128 -p picture 0 \
-r scheme bitplane -p level 3 -r layer stem -p seed 0
    """

    source: str = "photographs"
    size: int = 128
    picture: int = 0
    scheme: str = "bitplane"
    level: float = 2
    layer: str = "stem"
    seed: int = 0

    @property
    def key(self) -> bytes:
        """The 16 bytes that everything is encrypted under."""
        return np.random.default_rng(self.seed).bytes(16)

    def command(self) -> str:
        """The papermill command that runs the notebook at this setting."""
        # -r passes text as it is; -p would read a folder named 2024 as a number
        given = [
            f"{'-r' if isinstance(value, str) else '-p'} {name} {shlex.quote(str(value))}"
            for name, value in asdict(self).items()
        ]
        return " ".join(["papermill notebooks/explorer.ipynb out.ipynb", *given])


@dataclass(frozen=True)
class View:
    """What `explore` found.

    Attributes
    ----------
    pictures : dict of str to ndarray of uint8, shape (H, W)
        The plain image, the ciphertext, and what each attack makes of the latter.
    leaks : DataFrame
        One row a measure: ``bits``, ``low``, ``high``, ``shuffled`` (what the same procedure gives
        on shuffled pairs) and ``p``; NaN where there is none.
    marked : ndarray of bool, shape (H, W), optional
        Where the map of this single pair says that the ciphertext tells of the image.
    """

    pictures: dict[str, np.ndarray]
    leaks: pd.DataFrame
    marked: np.ndarray | None = None


def scheme_at(name: str, level: float) -> Scheme:
    """A scheme at a level.

    Raises
    ------
    ValueError
        Unknown scheme, or a level that it does not have.

    Examples
    --------
    >>> scheme_at("tpe-sum", 8)
    TpeSum(block=8, rounds=32)
    >>> scheme_at("skk", 8)  # has no levels
    Skk(colour_shuffle=False)
    """
    if name not in LEVELS:
        return get_scheme(name)
    parameter, words, values = LEVELS[name]
    if level not in values:
        known = ", ".join(map(str, values))
        raise ValueError(f"level of {name} is its {words}: one of {known}, not {level!r}")
    return get_scheme(name, **{parameter: values[values.index(level)]})


def _sketch(image: np.ndarray, scheme: JpegScheme, key: bytes) -> np.ndarray:
    file = encrypt_jpeg(compressed(image, scheme.quality), key, scheme).data
    counts = attacks.jpeg_sketch(file).counts.astype(float)
    shades = np.uint8(255 * counts / max(counts.max(), 1))
    return np.kron(shades, np.ones((8, 8), np.uint8))[: image.shape[0], : image.shape[1]]


def _block_means(cipher: np.ndarray, block: int) -> np.ndarray:
    rows, columns = (np.arange(side) // block for side in cipher.shape)
    sums = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(sums, (rows[:, None], columns), cipher)
    counts = np.outer(np.bincount(rows), np.bincount(columns))
    return np.rint(sums / counts).astype(np.uint8)[rows[:, None], columns]


def attacks_on(
    scheme: Scheme, image: np.ndarray, cipher: np.ndarray, key: bytes
) -> dict[str, np.ndarray]:
    """What attacks without the key make of one ciphertext; empty where none is at hand.

    Parameters
    ----------
    scheme : Scheme
        What it was encrypted with.
    image, cipher : ndarray of uint8, shape (H, W)
        The image and its ciphertext. Attacks see the latter alone; the image and the key serve
        to write the encrypted JPEG file that a sketch is drawn from.
    key : bytes
        The key.

    Examples
    --------
    >>> image = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 4
    >>> scheme = get_scheme("skk")
    >>> cipher = scheme.encrypt(image[None], bytes(16))[0]
    >>> list(attacks_on(scheme, image, cipher, bytes(16)))
    ['folded']
    """
    one = cipher[None]
    match scheme:
        case BitPlane(order="msb", bits=int(bits)) | NonzeroKey(bits=bits) if 1 <= bits <= 7:
            mask = 0xFF << (8 - bits) & 0xFF
            found = {
                "planes replaced": attacks.replace_planes(one, mask)[0],
                "planes guessed": attacks.unwrap_planes(one, bits)[0],
            }
            if bits == 1 and isinstance(scheme, NonzeroKey):
                found["flipped"] = cipher ^ np.uint8(128)
            return found
        case Skk():
            return {"folded": attacks.fold(one)[0]}
        case PublicKeystream():
            return {"decrypted, any key": scheme.decrypt(one, bytes(16))[0]}
        case TpeShuffle() | TpeSum():
            return {"thumbnail": _block_means(cipher, scheme.block)}
        case P3():
            return {}
        case JpegScheme():
            return {"sketch": _sketch(image, scheme, key)}
        case BlockShuffle(block=block) if (
            not np.any(np.array(image.shape) % block) and image.size // block**2 <= MOST_BLOCKS
        ):
            return {"puzzle solved": attacks.jigsaw(one, block)[0]}
    return {}


@cache
def _background() -> ImageSet:
    count, size = BACKGROUND
    return load_images(size=size, count=count)


def _row(estimate: Estimate, shuffled: float = np.nan) -> Row:
    p = np.nan if estimate.p_value is None else estimate.p_value
    return estimate.bits, estimate.low, estimate.high, shuffled, p


@lru_cache(maxsize=256)  # another picture under the same scheme needs no new measurement
def _embedded(scheme: Scheme, layer: str, key: bytes) -> Row:
    """Bits a patch of the background between a layer's vectors, and those of shuffled pairs."""
    background = _background()
    images, groups = background.images, background.groups
    x, y = (
        representations(some, [layer])[layer]
        for some in (images, scheme.encrypt(images, key, first_index=1))
    )

    def bits(y: np.ndarray, permutations: int) -> Estimate:
        # every patch has its own keystream, so any may take the place of any other
        return estimate_mi(
            x, y, "canonical", groups=groups, exchange="rows", permutations=permutations
        )

    order = np.random.default_rng(0).permutation(len(y))
    return _row(bits(y, 99), bits(y[order], 9).bits)


def _sampled(image: np.ndarray, cipher: np.ndarray) -> Row:
    """Bits a sample between image and ciphertext, and those of the null that its p-value has."""
    x, y = pieces(image[None]), pieces(cipher[None])
    y = y[np.random.default_rng(0).permutation(len(y))]
    one = pixel_mi(image[None], cipher[None], permutations=19)
    return _row(one, pixel_mi(x[:, None], y[:, None], permutations=0).bits)


def explore(image: np.ndarray, setting: Setting) -> View:
    """Encrypt one image, attack it, and measure what leaks.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        The picture. Embeddings are measured on 240 patches of the bundled photographs instead,
        under the same scheme: one image is too few.
    setting : Setting
        Its scheme, level, layer and seed.

    Returns
    -------
    View
        Pictures and what leaks.

    Raises
    ------
    ValueError
        Unknown scheme, level or layer, or an image that is no uint8 picture in gray.

    Examples
    --------
    >>> image = load_images(size=64).images[0]
    >>> view = explore(image, Setting(level=8, layer="histogram"))
    >>> list(view.pictures), float(view.leaks["bits"].iloc[0])
    (['plain', 'ciphertext'], 0.0)
    """
    check_images(image[None])
    if image.ndim != 2:
        raise ValueError("the explorer shows images in gray; load them with mode='gray'")
    if setting.layer not in LAYERS:
        raise ValueError(f"layer must be one of {', '.join(LAYERS)}, not {setting.layer!r}")
    scheme, key = scheme_at(setting.scheme, setting.level), setting.key
    cipher = scheme.encrypt(image[None], key)[0]
    attacked = attacks_on(scheme, image, cipher, key)
    rows = {"bit a sample, estimated": _sampled(image, cipher)}
    if has_closed_form(scheme):
        exact = exact_leakage(scheme, image[None])
        unit = exact.method.removeprefix("closed form, a ")
        rows = {f"bit a {unit}, exact": _row(exact), **rows}
    rows[f"bit a patch, {setting.layer}"] = _embedded(scheme, setting.layer, key)
    leaks = pd.DataFrame.from_dict(
        rows, orient="index", columns=["bits", "low", "high", "shuffled", "p"]
    )
    marked = leak_map(image[None], cipher[None], critic="pretrained").mask[0]
    return View({"plain": image, "ciphertext": cipher, **attacked}, leaks, marked)


def has_closed_form(scheme: Scheme) -> bool:
    """Whether `leakage.exact_leakage` knows the scheme, for images in gray.

    Examples
    --------
    >>> has_closed_form(get_scheme("bitplane", bits=1)), has_closed_form(get_scheme("etc"))
    (True, False)
    """
    if scheme.name in ("region", "tpe-sum", "skk"):
        return True
    try:
        keystream_law(scheme)
    except ValueError:
        return False
    return True


def panels(view: View) -> dict[str, np.ndarray]:
    """The pictures of a view under their titles, with the PSNR against the plain one in dB.

    The last shows the plain picture where it is marked, and black elsewhere.

    Examples
    --------
    >>> image = np.zeros((16, 16), np.uint8)
    >>> view = View({"plain": image, "ciphertext": image + np.uint8(255)}, pd.DataFrame())
    >>> list(panels(view))
    ['plain', 'ciphertext, 0 dB']
    """
    plain = view.pictures["plain"]
    found = {"plain": plain}
    for name, picture in list(view.pictures.items())[1:]:
        same = np.array_equal(picture, plain)
        decibels = "exact" if same else f"{psnr(plain[None], picture[None])[0]:.0f} dB"
        found[f"{name}, {decibels}"] = picture
    if view.marked is not None:
        found[f"marked, {view.marked.mean():.0%}"] = np.where(view.marked, plain, np.uint8(0))
    return found


def names_of(images: ImageSet) -> list[str]:
    """A name for each patch: its source, and its number there if that has several.

    Examples
    --------
    >>> names_of(ImageSet(np.zeros((3, 2, 2), np.uint8), np.array([0, 0, 1]), ("a", "b"), ("", "")))
    ['a 1', 'a 2', 'b']
    """
    groups = images.groups
    counts = np.bincount(groups, minlength=len(images.names))
    number = [int((groups[:i] == g).sum()) + 1 for i, g in enumerate(groups)]
    return [
        images.names[g] + (f" {n}" if counts[g] > 1 else "")
        for g, n in zip(groups, number, strict=True)
    ]
