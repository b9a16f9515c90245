"""The worst case: the image that was given more leakage than the others is named first."""

import numpy as np
import pytest

import leakage
from leakage.audits.exposure import most_exposed
from leakage.audits.pairs import from_arrays
from leakage.audits.per_image import image_scores


def scenes(count, seed):
    return leakage.load_images("scenes", size=64, count=count, seed=seed).images


def first_of(plain, cipher, groups=None):
    pairs = from_arrays(plain, cipher)
    scores = image_scores(pairs, np.arange(len(plain)) if groups is None else groups)
    return most_exposed(scores, pairs.names)


@pytest.mark.parametrize("flaw", ["clear", "part", "plane", "fewer planes"])
def test_nine_of_ten(flaw):
    """One image of 60 is in the clear, in a quarter, in one plane, or has two planes less."""
    hits = 0
    for seed in range(10):
        plain = scenes(60, seed)
        bits = 5 if flaw == "fewer planes" else 8
        cipher = leakage.get_scheme("bitplane", bits=bits).encrypt(plain, bytes([seed] * 16))
        chosen = int(np.random.default_rng(seed).integers(60))
        if flaw == "clear":
            cipher[chosen] = plain[chosen]
        elif flaw == "part":
            cipher[chosen, :32, :32] = plain[chosen, :32, :32]
        elif flaw == "plane":
            cipher[chosen] = (cipher[chosen] & 0xEF) | (plain[chosen] & 0x10)
        else:
            weaker = leakage.get_scheme("bitplane", bits=3)
            cipher[chosen] = weaker.encrypt(plain, bytes([seed] * 16))[chosen]
        hits += first_of(plain, cipher)[0].number == chosen
    assert hits >= 9


def test_it_says_why():
    plain = scenes(30, 0)
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, bytes(16))
    cipher[7] = (cipher[7] & 0x1F) | (plain[7] & 0xE0)
    first = first_of(plain, cipher)[0]
    assert (first.number, first.name) == (7, "7")
    assert first.why == "3 bit planes are in the clear that are not in every image"


def test_an_audit_shows_them_where_it_found_a_leak():
    plain = scenes(60, 3)
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, bytes(16))
    assert leakage.audit(plain, cipher, progress=False).exposed == ()
    cipher[11] = plain[11]
    found = leakage.audit(plain, cipher, progress=False)
    assert found.leaks
    assert found.exposed[0].number == 11
    assert (found.pictures["most exposed"][0] == plain[11]).all()
