"""Schemes by name."""

import difflib
from inspect import Parameter, signature

import pandas as pd

from leakage.schemes.base import Scheme
from leakage.schemes.bit_planes import BitPlane, NonzeroKey
from leakage.schemes.block_cipher import AesEcb
from leakage.schemes.block_scrambling import Etc
from leakage.schemes.chaos import LogisticXor, PermuteDiffuse
from leakage.schemes.controls import (
    BiasedKeystream,
    Blur,
    Identity,
    PublicKeystream,
    ReusedKeystream,
)
from leakage.schemes.jpeg_schemes import P3, JpegAc, JpegAcSign, JpegDc, JpegDcAc
from leakage.schemes.learnable import Ele, Le, Skk
from leakage.schemes.permutations import BlockShuffle, CatMap, PixelShuffle
from leakage.schemes.regions import Region
from leakage.schemes.thumbnails import TpeShuffle, TpeSum

_SCHEMES: dict[str, type[Scheme]] = {
    cls.name: cls
    for cls in (
        *(BitPlane, NonzeroKey),
        AesEcb,
        Region,
        *(PixelShuffle, BlockShuffle, CatMap),
        Etc,
        *(Le, Ele, Skk),
        *(TpeShuffle, TpeSum),
        *(JpegDc, JpegAcSign, JpegAc, JpegDcAc, P3),
        *(LogisticXor, PermuteDiffuse),
        *(Identity, PublicKeystream, ReusedKeystream, BiasedKeystream, Blur),
    )
}


def list_schemes() -> pd.DataFrame:
    """All schemes that `get_scheme` knows.

    Returns
    -------
    DataFrame
        One row a scheme, its name as index, with family, parameters and their defaults, what
        stays clear, whether decryption is exact, and the reference.

    Examples
    --------
    >>> list_schemes().loc["bitplane", ["family", "parameters"]].tolist()
    ['bit planes', "bits=None, order='msb', planes=None, packed=False"]
    """
    rows = {
        name: {
            "family": cls.family,
            "parameters": ", ".join(
                p.name if p.default is Parameter.empty else f"{p.name}={p.default!r}"
                for p in signature(cls).parameters.values()
            ),
            "clear": cls.clear,
            "lossless": cls.lossless,
            "reference": cls.reference,
        }
        for name, cls in _SCHEMES.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")


def get_scheme(name: str, **parameters: object) -> Scheme:
    """A scheme by name, with its level of protection as named parameters.

    Parameters
    ----------
    name : str
        One of the index of `list_schemes`.
    **parameters
        Fields of the scheme, for instance ``bits=3``.

    Returns
    -------
    Scheme
        A frozen dataclass of these parameters, with `encrypt` and `decrypt`.

    Raises
    ------
    ValueError
        Unknown name, or a parameter out of range.
    TypeError
        Unknown or missing parameter, or one of the wrong type.

    Examples
    --------
    >>> get_scheme("bitplane", bits=3)
    BitPlane(bits=3, order='msb', planes=None, packed=False)
    """
    if name not in _SCHEMES:
        close = difflib.get_close_matches(str(name), _SCHEMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no scheme {name!r}; there are {', '.join(_SCHEMES)}{hint}")
    known = signature(_SCHEMES[name]).parameters
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise TypeError(
            f"{name} has no parameter {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(known) or 'none'}"
        )
    return _SCHEMES[name](**parameters)
