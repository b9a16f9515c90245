"""What an audit can ask of a scheme, beyond its pairs."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from leakage.audits.findings import Finding
from leakage.estimate import Estimate
from leakage.schemes import Scheme, get_scheme, list_schemes
from leakage.truth.closed_forms import exact_leakage


def scheme_key(seed: int) -> bytes:
    """A key for an audit, never reported."""
    return np.random.default_rng([seed, 1]).bytes(16)


def scheme_from(scheme: object) -> object:
    """A scheme object as it is, one of ours by name, or one made from ``"module:Class"``.

    Examples
    --------
    >>> scheme_from("identity"), scheme_from("leakage.schemes.controls:Identity")
    (Identity(), Identity())
    """
    if isinstance(scheme, str) and scheme in list_schemes().index:
        return get_scheme(scheme)
    if isinstance(scheme, str):
        module, _, name = scheme.partition(":")
        if not name:
            raise ValueError(
                f"a scheme is one of {', '.join(list_schemes().index)}, or 'module:Class', not "
                f"{scheme!r}"
            )
        sys.path.insert(0, str(Path.cwd()))
        try:
            scheme = getattr(import_module(module), name)()
        except (ImportError, AttributeError) as error:
            raise ValueError(f"cannot find the scheme: {error}") from None
        finally:
            sys.path.pop(0)
    if not callable(getattr(scheme, "encrypt", None)):
        # not its repr, which might hold a key
        raise TypeError(
            f"a scheme has a method encrypt(images, key, ...), a {type(scheme).__name__} has none"
        )
    return scheme


def encrypted(scheme: object, images: np.ndarray, key: bytes, keying: str) -> np.ndarray:
    """What a scheme makes of the images; one of ours or one that takes no more than these two."""
    cipher = scheme.encrypt(images, key, **_keying(keying))
    if not isinstance(cipher, np.ndarray) or cipher.dtype != np.uint8:
        raise TypeError("encrypt must return a numpy array of uint8, of the shape of the images")
    return cipher


def _keying(keying: str) -> dict[str, str]:
    return {} if keying == "fresh" else {"keying": keying}


def scheme_findings(
    scheme: Scheme, images: np.ndarray, key: bytes, keying: str
) -> tuple[list[Finding], Estimate | None]:
    """Whether the output depends on the key, whether it decrypts, and the closed form if known."""
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
    if getattr(scheme, "lossless", True) and hasattr(scheme, "decrypt"):
        right = np.array_equal(scheme.decrypt(one, key, **_keying(keying)), some)
        found.append(Finding(
            "structure", "decryption", False if right else None,
            "Decryption gives the images back." if right
            else "Decryption does not give the images back: this is no encryption.",
            "Decrypt a ciphertext.",
        ))  # fmt: skip
    try:
        exact = exact_leakage(scheme, images)
    except ValueError:  # no closed form is known
        exact = None
    return found, exact
