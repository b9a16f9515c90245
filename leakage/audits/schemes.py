"""What an audit can ask of a scheme, beyond its pairs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeGuard

import numpy as np

from leakage.arguments import object_named
from leakage.audits.findings import Finding
from leakage.estimate import Estimate
from leakage.schemes import Scheme, get_scheme, list_schemes
from leakage.schemes.base import Keying
from leakage.truth.closed_forms import exact_leakage


class Encrypts(Protocol):
    """A scheme: one of ours, or anything that encrypts images under a key."""

    @property
    def encrypt(self) -> Callable[..., np.ndarray]:
        """Takes images and a key, and `keying` if that is not fresh."""


def scheme_key(seed: int, which: int = 1) -> bytes:
    """A key for an audit, never reported; another one for another number."""
    return np.random.default_rng([seed, which]).bytes(16)


def scheme_from(scheme: object) -> Encrypts:
    """A scheme object as it is, one of ours by name, or one made from ``"module:Class"``.

    Parameters
    ----------
    scheme : object
        Any of these.

    Returns
    -------
    Encrypts
        It has a method ``encrypt``.

    Raises
    ------
    ValueError
        No such name or class.
    TypeError
        An object without ``encrypt``.

    Examples
    --------
    >>> scheme_from("identity"), scheme_from("leakage.schemes.controls:Identity")
    (Identity(), Identity())
    """
    if isinstance(scheme, str) and scheme in list_schemes().index:
        return get_scheme(scheme)
    if isinstance(scheme, str):
        if ":" not in scheme:
            raise ValueError(
                f"a scheme is one of {', '.join(list_schemes().index)}, or 'module:Class', not "
                f"{scheme!r}"
            )
        made = object_named(scheme)
        if not callable(made):
            raise TypeError(f"{scheme} is no class to make a scheme of")
        scheme = made()
    if not _encrypts(scheme):
        # not its repr, which might hold a key
        raise TypeError(
            f"a scheme has a method encrypt(images, key, ...), a {type(scheme).__name__} has none"
        )
    return scheme


def _encrypts(scheme: object) -> TypeGuard[Encrypts]:
    return callable(getattr(scheme, "encrypt", None))


@contextmanager
def _own_code(scheme: object, method: str, images: np.ndarray) -> Iterator[None]:
    """Code of the reader's own: whatever it raises is an error of it, not an answer."""
    try:
        yield
    except (ValueError, TypeError):
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"{type(scheme).__name__}.{method} failed, {type(error).__name__}: {error}; try it on "
            f"{len(images)} images of {images.shape[1:]} by itself"
        ) from error


def encrypted(scheme: Encrypts, images: np.ndarray, key: bytes, keying: Keying) -> np.ndarray:
    """What a scheme makes of the images; one of ours or one that takes no more than these two."""
    # a copy: a scheme may encrypt in place, and would change what it is compared with
    with _own_code(scheme, "encrypt", images):
        cipher = scheme.encrypt(images.copy(), key, **_options(keying))
    if not isinstance(cipher, np.ndarray) or cipher.dtype != np.uint8:
        raise TypeError("encrypt must return a numpy array of uint8, of the shape of the images")
    return cipher


def _options(keying: Keying) -> dict[str, str]:
    return {} if keying == "fresh" else {"keying": keying}


def scheme_findings(
    scheme: Encrypts, images: np.ndarray, key: bytes, keying: Keying
) -> list[Finding]:
    """Whether the output depends on the key, and whether it decrypts."""
    some = images[:4]
    other = bytes([key[0] ^ 1]) + key[1:]
    one, two = (encrypted(scheme, some, k, keying) for k in (key, other))
    same = np.array_equal(one, two)
    found = [Finding(
        "structure", "independent of the key", same,
        "Two keys give the same ciphertexts: there is no secret." if same
        else "Another key gives another ciphertext.",
        "Encrypt one image under two keys.",
    )]  # fmt: skip
    decrypt = getattr(scheme, "decrypt", None)
    if getattr(scheme, "lossless", True) and decrypt is not None:
        with _own_code(scheme, "decrypt", one):
            right = np.array_equal(decrypt(one, key, **_options(keying)), some)
        found.append(Finding(
            "structure", "decryption", False if right else None,
            "Decryption gives the images back." if right
            else "Decryption does not give the images back: this is no encryption.",
            "Decrypt a ciphertext.",
        ))  # fmt: skip
    return found


def closed_form(scheme: Encrypts, images: np.ndarray) -> Estimate | None:
    """What a scheme leaks exactly; None where no closed form is known."""
    if not isinstance(scheme, Scheme):
        return None
    try:
        return exact_leakage(scheme, images)
    except ValueError:  # no closed form is known
        return None


def scheme_text(scheme: Encrypts | None) -> str:
    """One of ours with its parameters, another by its class: its repr might hold a key."""
    if scheme is None:
        return ""
    return repr(scheme) if isinstance(scheme, Scheme) else type(scheme).__qualname__
