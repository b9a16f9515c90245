"""The worst case: the image that was given more leakage than the others is named first."""

import numpy as np
import pytest

import leakage
from leakage.audits.exposure import most_exposed
from leakage.audits.outliers import FewImages
from leakage.audits.pairs import from_arrays
from leakage.audits.per_image import image_scores
from leakage.audits.structure import Structure


def scenes(count, seed):
    return leakage.load_images("scenes", size=64, count=count, seed=seed).images


def first_of(plain, cipher, groups=None):
    pairs = from_arrays(plain, cipher)
    scores = image_scores(pairs, np.arange(len(plain)) if groups is None else groups)
    return most_exposed(scores, pairs.names)


def facts_of(plain, cipher):
    checks = Structure(from_arrays(plain, cipher))
    for pair in zip(plain, cipher, strict=True):
        checks.add(*pair)
    return {finding.name: finding for finding in checks.findings()}


@pytest.mark.parametrize("flaw", ["clear", "part", "plane", "fewer planes"])
def test_nine_of_ten(flaw):
    """One image of 30 is in the clear, in a quarter, in one plane, or has two planes less."""
    hits = 0
    for seed in range(10):
        plain = scenes(30, seed)
        bits = 5 if flaw == "fewer planes" else 8
        cipher = leakage.get_scheme("bitplane", bits=bits).encrypt(plain, bytes([seed] * 16))
        chosen = int(np.random.default_rng(seed).integers(30))
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
    assert first.why == "3 bit planes in the clear that most have not"


def test_an_audit_shows_them_where_it_found_a_leak():
    plain = scenes(60, 3)
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, bytes(16))
    assert leakage.audit(plain, cipher, progress=False).exposed == ()
    cipher[11] = plain[11]
    found = leakage.audit(plain, cipher, progress=False)
    assert found.leaks
    assert found.exposed[0].number == 11
    assert (found.pictures["most exposed"][0] == plain[11]).all()


@pytest.mark.parametrize("kept", [0x80, 0xF0, 0xFE])
def test_planes_of_two_images_in_the_clear_are_a_fact(kept):
    """The others are noise: no plane is in the clear in all, and no test is needed."""
    plain = scenes(100, 4)
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, bytes(16))
    for i in (17, 60):
        cipher[i] = (cipher[i] & ~np.uint8(kept)) | (plain[i] & kept)
    found = facts_of(plain, cipher)["clear bit planes"]
    assert found.leaks
    assert found.meaning.startswith("In 2 of 100 images some bit planes never change: ")
    assert first_of(plain, cipher)[0].number in (17, 60)


def test_two_images_whose_samples_only_change_places_are_a_fact():
    plain = scenes(100, 5)
    cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, bytes(16))
    cipher[3], cipher[8] = plain[3, :, ::-1], plain[8].T
    found = facts_of(plain, cipher)["histogram"]
    assert found.leaks
    assert found.meaning.startswith("In 2 of 100 images: ")


def test_two_images_that_hardly_change_are_found():
    """Noise of one level is no fact of any kind; all pairs are compared."""
    plain = scenes(200, 6)
    rng = np.random.default_rng(0)
    cipher = rng.integers(0, 256, plain.shape, np.uint8)
    for i in (40, 111):
        cipher[i] = plain[i] + rng.integers(-1, 2, plain[i].shape).astype(np.uint8)
    few = FewImages(from_arrays(plain, cipher), np.arange(200), seed=0)
    for pair in zip(plain, cipher, strict=True):
        few.add(*pair)
    assert few.finding().p_value < 0.001


def test_ciphertexts_that_know_nothing_are_like_no_image(monkeypatch):
    """60 sets at the 5 % level: at most 10, but for 1 run in 1,000."""
    monkeypatch.setattr("leakage.audits.outliers.EXCHANGES", 199)
    plain = scenes(40, 7)
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        spread = rng.uniform(5, 60, (40, 1, 1))  # uneven, as of no cipher of bytes
        noise = np.clip(rng.normal(128, spread, plain.shape), 0, 255).astype(np.uint8)
        few = FewImages(from_arrays(plain, noise), np.arange(40), seed=seed)
        for pair in zip(plain, noise, strict=True):
            few.add(*pair)
        alarms += few.finding().p_value <= 0.05
    assert alarms <= 10
