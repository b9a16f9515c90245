"""Encryption in batches gives what encryption at once gives."""

import numpy as np
import pytest

import leakage

REQUIRED = {"bitplane": {"bits": 4}, "nonzero-key": {"bits": 4}}


@pytest.mark.parametrize("keying", ["fresh", "fixed"])
@pytest.mark.parametrize("name", leakage.list_schemes().index)
def test_every_scheme_encrypts_in_batches_as_at_once(name, keying, key):
    images = leakage.load_images(size=32, count=6).images
    scheme = leakage.get_scheme(name, **REQUIRED.get(name, {}))
    parts = leakage.encrypt_batches((images[:4], images[4:]), scheme, key, keying=keying)
    whole = scheme.encrypt(images, key, keying=keying)
    assert np.array_equal(np.concatenate(list(parts)), whole)
