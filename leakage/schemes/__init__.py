"""Selective-encryption schemes, found by name."""

import difflib
from dataclasses import fields

from leakage.schemes.base import Scheme
from leakage.schemes.bit_planes import BitPlane, NonzeroKey

__all__ = ["Scheme", "get_scheme", "list_schemes"]

_SCHEMES: dict[str, type[Scheme]] = {cls.name: cls for cls in (BitPlane, NonzeroKey)}


def list_schemes() -> tuple[str, ...]:
    """Names that `get_scheme` knows.

    Examples
    --------
    >>> list_schemes()
    ('bitplane', 'nonzero-key')
    """
    return tuple(sorted(_SCHEMES))


def get_scheme(name: str, **parameters) -> Scheme:
    """A scheme by name, with its level of protection as named parameters.

    Parameters
    ----------
    name : str
        One of `list_schemes`.
    **parameters
        Fields of the scheme, for instance ``bits=3``.

    Raises
    ------
    ValueError
        Unknown name, or a parameter out of range.
    TypeError
        Unknown or missing parameter, or one of the wrong type.

    Examples
    --------
    >>> get_scheme("bitplane", bits=3)
    BitPlane(bits=3, order='msb')
    """
    if name not in _SCHEMES:
        close = difflib.get_close_matches(str(name), _SCHEMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no scheme {name!r}; there are {', '.join(list_schemes())}{hint}")
    known = [field.name for field in fields(_SCHEMES[name])]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise TypeError(
            f"{name} has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )
    if "bits" in known and "bits" not in parameters:
        raise TypeError(f"{name} needs bits=0..8, the number of encrypted bit planes")
    return _SCHEMES[name](**parameters)
