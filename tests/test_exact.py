import itertools

import numpy as np
import pytest

import leakage
from leakage.exact import entropy


def scheme(name, **parameters):
    return leakage.get_scheme(name, **parameters)


def by_enumeration(counts, keys, shift):
    """I(P; C) from the joint distribution of sample and ciphertext, key by key."""
    joint = np.zeros((256, 256))
    for value, key in itertools.product(np.flatnonzero(counts), keys):
        joint[value, value ^ (key << shift)] += counts[value] / len(keys)
    return entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint)


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("name", ["bitplane-msb", "bitplane-lsb", "nonzero-key"])
def test_against_enumeration_of_all_keys(name, bits, rng):
    image = rng.choice([0, 3, 64, 65, 127, 128, 200, 255], (1, 9, 9)).astype(np.uint8)
    counts = np.bincount(image.ravel(), minlength=256)
    if name == "nonzero-key":
        keys = range(1, 1 << bits) if bits else [0]
        found = leakage.exact_leakage(scheme("nonzero-key", bits=bits), image)
        shift = 8 - bits
    else:
        order = name.removeprefix("bitplane-")
        keys = range(1 << bits)
        found = leakage.exact_leakage(scheme("bitplane", bits=bits, order=order), image)
        shift = 8 - bits if order == "msb" else 0
    assert found.kind == "exact"
    assert found.bits == pytest.approx(by_enumeration(counts, keys, shift), abs=1e-9)


@pytest.mark.parametrize("bits", range(1, 9))
def test_uniform_histogram(bits):
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    uniform = leakage.exact_leakage(scheme("bitplane", bits=bits), image).bits
    flawed = leakage.exact_leakage(scheme("nonzero-key", bits=bits), image).bits
    assert uniform == pytest.approx(8 - bits)
    assert flawed == pytest.approx(8 - bits + np.log2(2**bits / (2**bits - 1)))


def test_ends(photographs):
    whole = entropy(np.bincount(photographs.images.ravel(), minlength=256))
    assert leakage.exact_leakage(scheme("bitplane", bits=0), photographs.images).bits == whole
    assert leakage.exact_leakage(scheme("bitplane", bits=8), photographs.images).bits == 0


def test_levels_fall(photographs):
    bits = [leakage.exact_leakage(scheme("bitplane", bits=k), photographs.images).bits
            for k in range(9)]  # fmt: skip
    assert np.all(np.diff(bits) < 0)


def test_unknown_scheme(photographs):
    with pytest.raises(ValueError, match="no closed form"):
        leakage.exact_leakage(object(), photographs.images)


@pytest.mark.parametrize("bits", range(9))
@pytest.mark.parametrize("name", ["bitplane", "nonzero-key"])
def test_capacity_is_reached_by_uniform_samples_and_by_nothing_else(name, bits, photographs):
    scheme = leakage.get_scheme(name, bits=bits)
    uniform = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    most = leakage.capacity(scheme).bits
    assert leakage.exact_leakage(scheme, uniform).bits == pytest.approx(most)
    assert leakage.exact_leakage(scheme, photographs.images).bits <= most + 1e-9
