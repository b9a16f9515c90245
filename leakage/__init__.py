"""How much do selectively encrypted images still give away?

The way of the data is pictures, ciphertexts, vectors, bits, evidence: `load_images`, `get_scheme`,
`embed`, then `pixel_mi`, `plug_in` or `estimate_mi`, and `audit`. Every amount of information is in
bits.

The names are in ``__init__.pyi``, and each is imported when it is first used, so that
``import leakage`` loads neither torch nor Pillow.
"""

import lazy_loader

#: Of the package, as text.
__version__ = "0.2.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
