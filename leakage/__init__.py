"""How much do selectively encrypted images still give away?

The way of the data is images, ciphertexts, vectors, bits: `load_images`, `get_scheme`, `embed`,
then `pixel_mi`, `plug_in` or `mine`. Every amount of information is in bits.

Names are imported when first used, so that `import leakage` does not load torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_WHERE = {
    "Estimate": "leakage.estimate",
    "ImageSet": "leakage.images",
    "load_images": "leakage.images",
    "image_batches": "leakage.batches",
    "encrypt_batches": "leakage.batches",
    "get_scheme": "leakage.schemes",
    "list_schemes": "leakage.schemes",
    "encrypt_jpeg": "leakage.schemes",
    "decrypt_jpeg": "leakage.schemes",
    "exact_leakage": "leakage.exact",
    "capacity": "leakage.exact",
    "maximal_leakage": "leakage.exact",
    "embed": "leakage.embeddings",
    "embed_layers": "leakage.embeddings",
    "layer_names": "leakage.embeddings",
    "representations": "leakage.embeddings",
    "plug_in": "leakage.empirical",
    "pixel_mi": "leakage.pixels",
    "pixel_mi_in_batches": "leakage.pixels",
    "ksg": "leakage.classical",
    "spiked_cca": "leakage.classical",
    "canonical_test": "leakage.classical",
    "Audit": "leakage.audit",
    "audit": "leakage.audit",
    "estimate_mi": "leakage.mine",
    "certified_mi": "leakage.certified",
    "mine": "leakage.mine",
    "study": "leakage.study",
}

# `leakage.mine`, `leakage.audit` and `leakage.study` are both modules and functions in them: these
# imports make the names mean the functions. The modules are light, torch is loaded when a function
# is called.
from leakage.audit import audit  # noqa: E402, F401
from leakage.mine import mine  # noqa: E402, F401
from leakage.study import study  # noqa: E402, F401

__all__ = ["__version__", *_WHERE]


def __getattr__(name):
    if name not in _WHERE:
        raise AttributeError(f"module 'leakage' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
