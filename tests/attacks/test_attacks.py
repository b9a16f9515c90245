import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import leakage
from leakage import attacks
from leakage.schemes.jpeg_coding import compressed

KEY = bytes(range(16))
#: Of each of about ten comparisons with guessing: on new seeds, one run in a hundred would fail.
FALSE_ALARM = 1e-3


def encrypted(name, images, **parameters):
    return leakage.get_scheme(name, **parameters).encrypt(images, KEY)


def assert_guessing(attack):
    p = binomtest(round(attack.rate * attack.n), attack.n, attack.chance, "greater").pvalue
    assert p > FALSE_ALARM
    assert attack.low <= attack.rate <= attack.high


@pytest.fixture(scope="module")
def one_each():
    """The most varied patch of 64 x 64 pixels of every bundled photograph."""
    every = leakage.load_images()
    best = [
        max(np.flatnonzero(every.groups == group), key=lambda i: every.images[i].std())
        for group in range(len(every.names))
    ]
    return every.images[best]


@pytest.fixture(scope="module")
def large():
    return leakage.load_images(size=256).images[::4]


# rates and bits


def test_interval_against_scipy():
    for hits, n in ((0, 10), (3, 17), (17, 17), (500, 1000)):
        expected = binomtest(hits, n).proportion_ci(method="exact")
        assert attacks.binomial_interval(hits, n) == pytest.approx(expected)


def test_interval_covers(rng):
    n, rate = 40, 0.07
    hits = rng.binomial(n, rate, 2000)
    bounds = [attacks.binomial_interval(int(h), n) for h in hits]
    assert np.mean([low <= rate <= high for low, high in bounds]) >= 0.95


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts(hits, n):
    with pytest.raises(ValueError, match="impossible"):
        attacks.binomial_interval(hits, n)


def test_interval_level():
    with pytest.raises(ValueError, match="level"):
        attacks.binomial_interval(1, 2, 1.0)


@pytest.mark.parametrize("m", [2, 3, 16, 1000])
def test_success_and_bits_at_the_ends(m):
    assert attacks.bits_from_success(1 / m, m) == 0
    assert attacks.bits_from_success(0, m) == 0
    assert attacks.bits_from_success(1, m) == pytest.approx(math.log2(m))
    assert attacks.success_bound(0, m) == 1 / m
    assert attacks.success_bound(-0.01, m) == 1 / m
    assert attacks.success_bound(math.log2(m), m) == 1
    assert attacks.success_bound(99, m) == 1


@pytest.mark.parametrize(("m", "first"), [(2, 1), (16, 1), (1000, 5)])
def test_success_and_bits_are_monotone_inverses(m, first):
    bits = np.linspace(0, math.log2(m / first), 41)
    rates = [attacks.success_bound(b, m, first) for b in bits]
    assert np.all(np.diff(rates) > 0)
    back = [attacks.bits_from_success(rate, m, first) for rate in rates]
    np.testing.assert_allclose(back, bits, atol=1e-6)


def test_bits_are_those_of_fano():
    m, rate = 50, 0.3
    wrong = 1 - rate
    noise = -wrong * math.log2(wrong) - rate * math.log2(rate)
    fano = math.log2(m) - noise - wrong * math.log2(m - 1)
    assert attacks.bits_from_success(rate, m) == pytest.approx(fano)


def test_fano_is_met_by_a_symmetric_channel():
    """Its output is the secret with some probability, or else one of the others, all alike."""
    m, rate = 8, 0.6
    law = np.full((m, m), (1 - rate) / (m - 1)) + np.eye(m) * (rate - (1 - rate) / (m - 1))
    information = np.sum(law / m * np.log2(law * m))
    assert attacks.success_bound(information, m) == pytest.approx(rate)


@pytest.mark.parametrize("arguments", [(0.5, 1), (0.5, 2.0), (0.5, 4, 4), (0.5, 4, 0)])
def test_bad_candidates(arguments):
    for convert in (attacks.bits_from_success, attacks.success_bound):
        with pytest.raises(ValueError, match=r"candidates|int"):
            convert(*arguments)


def test_bad_rates_and_bits():
    with pytest.raises(ValueError, match="rate"):
        attacks.bits_from_success(1.1, 4)
    with pytest.raises(ValueError, match="nan"):
        attacks.success_bound(math.nan, 4)


def test_bits_of_an_attack():
    found = attacks.counted("any", 5, 10, 0.1, "right")
    assert found.bits == pytest.approx(attacks.bits_from_success(0.5, 10))
    assert 0 < found.bits_low < found.bits
    assert attacks.counted("any", 0, 10, 0.1, "right").bits == 0


# identification


def test_identify_knows_negatives_and_other_brightness(one_each):
    assert attacks.identify(255 - one_each, one_each).rate == 1
    assert attacks.identify(one_each // 2 + 60, one_each).rate == 1


def test_identify_wrong_and_flat_pictures(one_each):
    assert attacks.identify(np.roll(one_each, 1, axis=0), one_each).rate < 0.2
    flat = np.full_like(one_each, 100)
    assert attacks.identify(flat, one_each).rate == 0
    assert attacks.identify(one_each, flat).rate == 0


def test_identify_leaves_out_the_own_group(one_each):
    twins = np.concatenate([one_each, one_each])
    groups = np.tile(np.arange(len(one_each)), 2)
    assert attacks.identify(twins, twins).rate == 0  # equal candidates count against the attack
    found = attacks.identify(twins, twins, groups=groups)
    assert found.rate == 1
    assert found.chance == pytest.approx(1 / (2 * len(one_each) - 1))


def test_identify_among_the_first(one_each):
    cipher = encrypted("bitplane", one_each, bits=3)
    top = [attacks.identify(cipher, one_each, first=k) for k in (1, 5)]
    assert top[0].rate <= top[1].rate
    assert top[1].chance == pytest.approx(5 * top[0].chance)
    assert "first 5" in top[1].success
    np.testing.assert_array_equal(top[0].pictures, cipher)


def test_identify_refuses(one_each):
    with pytest.raises(ValueError, match="pairs"):
        attacks.identify(one_each[:3], one_each)
    with pytest.raises(ValueError, match="label"):
        attacks.identify(one_each, one_each, groups=np.arange(3))
    with pytest.raises(ValueError, match="candidates of other groups"):
        attacks.identify(one_each, one_each, groups=np.zeros(len(one_each)))
    with pytest.raises(ValueError, match="first"):
        attacks.identify(one_each, one_each, first=0)


# attacks without learning


def test_pictures_of_full_encryption_are_of_no_use(photographs):
    plain = photographs.images[::8]
    groups = photographs.groups[::8]
    cipher = encrypted("bitplane", plain, bits=8)
    pictures = {
        "replace": attacks.replace_planes(cipher, 0b11000000, median=3),
        "unwrap": attacks.unwrap_planes(cipher, 2),
        "fold": attacks.fold(cipher),
        "jigsaw": attacks.jigsaw(cipher, 16),
    }
    for name, picture in pictures.items():
        assert_guessing(attacks.identify(picture, plain, groups=groups, name=name))
    pairs = attacks.many_time_pad(cipher, plain[0])
    assert_guessing(attacks.identify(pairs, plain[1:], groups=groups[1:]))


@pytest.mark.parametrize("value", ["mid", "zero", "mean"])
def test_replaced_planes(one_each, value):
    scheme = leakage.get_scheme("bitplane", bits=1)
    cipher = scheme.encrypt(one_each, KEY)
    picture = attacks.replace_planes(cipher, scheme.mask, value)
    np.testing.assert_array_equal(
        picture, attacks.replace_planes(one_each, scheme.mask, value)
    )  # nothing of the encrypted plane is left
    assert attacks.identify(picture, one_each).low > 1 / len(one_each)


def test_replacement_values():
    cipher = np.array([[[0b11100011, 0b00000011]]], np.uint8)
    assert attacks.replace_planes(cipher, 0b01100000).tolist() == [[[0b11000011, 0b01000011]]]
    assert attacks.replace_planes(cipher, 0b01100000, "zero").tolist() == [[[0b10000011, 3]]]
    assert attacks.replace_planes(cipher, 0b11100000, "mean").tolist() == [[[128, 128]]]
    assert attacks.replace_planes(cipher, 0).tolist() == cipher.tolist()
    assert attacks.replace_planes(cipher, 255).tolist() == [[[128, 128]]]


def test_replacement_filter():
    cipher = np.zeros((1, 5, 5, 3), np.uint8)
    cipher[0, 2, 2, 1] = 15
    assert attacks.replace_planes(cipher, 0xF0, "zero", median=3).max() == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [({"mask": 256}, "mask"), ({"mask": True}, "mask"), ({"mask": 1, "value": "max"}, "value"),
     ({"mask": 1, "median": 2}, "median")],
)  # fmt: skip
def test_replacement_refuses(options, says):
    with pytest.raises(ValueError, match=says):
        attacks.replace_planes(np.zeros((1, 2, 2), np.uint8), **options)


def test_unwrapping_photographs(large):
    one = attacks.unwrap_planes(encrypted("bitplane", large, bits=1), 1)
    right = (one >> 7 == large >> 7).mean((1, 2))
    assert np.median(right) > 0.98
    assert right.mean() > 0.8
    two = attacks.unwrap_planes(encrypted("bitplane", large, bits=2), 2)
    assert np.all(two & 63 == large & 63)
    assert attacks.identify(two, large).rate > 0.5


def test_unwrapping_is_exact_on_smooth_images():
    y, x = np.mgrid[:48, :64]
    waves = 127.5 + 120 * np.sin(x / 20) * np.cos(y / 17)
    image = waves.astype(np.uint8)[None]
    for bits in (1, 2, 3):
        cipher = encrypted("bitplane", image, bits=bits)
        np.testing.assert_array_equal(attacks.unwrap_planes(cipher, bits), image)


def test_unwrapping_colour_and_small_images():
    y, x = np.mgrid[:32, :32]
    image = np.stack([4 * x + 4 * y, 8 * x, 255 - 8 * y], -1).astype(np.uint8)[None]
    np.testing.assert_array_equal(attacks.unwrap_planes(image & 127, 1), image)
    assert attacks.unwrap_planes(np.zeros((1, 2, 2), np.uint8), 7).shape == (1, 2, 2)


@pytest.mark.parametrize("bits", [0, 8, 1.0, True])
def test_unwrapping_refuses_planes(bits):
    with pytest.raises(ValueError, match="planes"):
        attacks.unwrap_planes(np.zeros((1, 4, 4), np.uint8), bits)


def test_unwrapping_refuses_lines():
    with pytest.raises(ValueError, match="2 pixels"):
        attacks.unwrap_planes(np.zeros((1, 1, 4), np.uint8), 1)


def test_fold_undoes_inversions(one_each):
    cipher = encrypted("skk", one_each)
    np.testing.assert_array_equal(attacks.fold(cipher), attacks.fold(one_each))
    found = attacks.identify(attacks.fold(cipher), attacks.fold(one_each))
    assert found.rate == 1
    assert found.bits == pytest.approx(math.log2(len(one_each)))


def test_many_time_pad(one_each):
    cipher = encrypted("reused-keystream", one_each)
    np.testing.assert_array_equal(attacks.many_time_pad(cipher, one_each[0]), one_each[1:])
    np.testing.assert_array_equal(
        attacks.many_time_pad(cipher), one_each[1:] ^ one_each[0]
    )
    flat = np.concatenate([np.full_like(one_each[:1], 77), one_each])
    cipher = encrypted("reused-keystream", flat)
    np.testing.assert_array_equal(attacks.many_time_pad(cipher, 77), one_each)


@pytest.mark.parametrize("known", [256, -1, 0.5, np.zeros((2, 2), np.uint8), np.zeros((4, 4))])
def test_many_time_pad_refuses(known):
    with pytest.raises(ValueError, match="known"):
        attacks.many_time_pad(np.zeros((2, 4, 4), np.uint8), known)
    with pytest.raises(ValueError, match="two"):
        attacks.many_time_pad(np.zeros((1, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ("name", "side", "count"),
    [("pixel-shuffle", 16, 1), ("pixel-shuffle", 17, 2), ("cat-map", 64, 2)],
)
def test_recovered_permutation(name, side, count, rng):
    scheme = leakage.get_scheme(name)
    asked = []

    def encrypt(images):
        asked.append(len(images))
        return scheme.encrypt(images, KEY, keying="fixed")

    places = attacks.recover_permutation(encrypt, (side, side))
    assert asked == [count]
    for shape in ((3, side, side), (2, side, side, 3)):
        plain = rng.integers(0, 256, shape, dtype=np.uint8)
        cipher = scheme.encrypt(plain, KEY, keying="fixed")
        np.testing.assert_array_equal(attacks.unshuffle(cipher, places), plain)


def test_permutation_refuses():
    fresh = leakage.get_scheme("pixel-shuffle")
    with pytest.raises(ValueError, match="not the same"):
        attacks.recover_permutation(lambda images: fresh.encrypt(images, KEY), (32, 32))
    full = leakage.get_scheme("bitplane", bits=8)
    with pytest.raises(ValueError, match="no permutation"):
        attacks.recover_permutation(lambda images: full.encrypt(images, KEY), (8, 8))
    with pytest.raises(ValueError, match="made shape"):
        attacks.recover_permutation(lambda images: images[:, :2], (8, 8))
    with pytest.raises(ValueError, match="height and width"):
        attacks.recover_permutation(lambda images: images, (8,))
    with pytest.raises(ValueError, match="places"):
        attacks.unshuffle(np.zeros((1, 2, 2), np.uint8), np.arange(3))


@pytest.mark.parametrize("name", ["jpeg-ac-sign", "jpeg-ac"])
def test_sketch_survives(photographs, name):
    image = photographs.images[photographs.groups == 2][:4].reshape(256, 64)
    file = compressed(image, 75)
    cipher = leakage.encrypt_jpeg(file, KEY, leakage.get_scheme(name))
    plain, found = attacks.jpeg_sketch(file), attacks.jpeg_sketch(cipher.data)
    assert plain.counts.shape == plain.energy.shape == (32, 8)
    np.testing.assert_array_equal(plain.counts, found.counts)
    assert np.array_equal(plain.energy, found.energy) == (name == "jpeg-ac-sign")


def test_sketch_refuses():
    with pytest.raises(ValueError, match="no JPEG"):
        attacks.jpeg_sketch(b"GIF89a")


def test_jigsaw(large):
    plain = large[:6]
    cipher = encrypted("block-shuffle", plain, block=32)
    picture = attacks.jigsaw(cipher, 32)
    direct, neighbour = attacks.placement(picture, plain, 32)
    shuffled = attacks.placement(cipher, plain, 32)
    assert np.median(direct) > 0.9
    assert neighbour.mean() > 0.8
    assert shuffled[0].mean() < 0.1
    assert shuffled[1].mean() < 0.1
    # the same blocks, whatever their places
    for a, b in zip(picture, plain, strict=True):
        assert np.array_equal(np.bincount(a.ravel()), np.bincount(b.ravel()))


def test_jigsaw_of_colour_and_of_stripes(rng):
    smooth = np.cumsum(rng.integers(-4, 5, (16, 48, 3)), axis=1)
    image = (smooth + 128).astype(np.uint8)[None]
    strips = np.concatenate(np.split(image, 3, axis=2)[::-1], axis=2)
    picture = attacks.jigsaw(strips, 16)
    assert attacks.placement(picture, image, 16)[0] == 1


def test_placement_of_equal_blocks():
    image = np.zeros((1, 8, 8), np.uint8)
    direct, neighbour = attacks.placement(image, image, 4)
    assert direct == neighbour == 1
    with pytest.raises(ValueError, match="shape"):
        attacks.placement(image, image[:, :4], 4)


def test_jigsaw_refuses():
    image = np.zeros((1, 8, 8), np.uint8)
    for block in (1, 8):
        with pytest.raises(ValueError, match="at least 2 blocks"):
            attacks.jigsaw(image, block)
    with pytest.raises(ValueError, match="tile"):
        attacks.jigsaw(image, 3)


# attacks that learn


def vectors(images):
    return leakage.representations(images, ["patch statistics"])["patch statistics"]


def test_reidentification(photographs):
    x, groups = vectors(photographs.images), photographs.groups
    three = vectors(encrypted("tpe-shuffle", photographs.images))
    found = attacks.reidentify(x, three, groups=groups)
    assert found.n == len(x)
    assert found.rate > 0.5
    assert found.bits_low > 2
    top = attacks.reidentify(x, three, groups=groups, first=5)
    assert top.rate >= found.rate
    full = vectors(encrypted("bitplane", photographs.images, bits=8))
    assert_guessing(attacks.reidentify(x, full, groups=groups))


def test_reidentification_does_not_learn_from_the_same_source(rng):
    """Only the group is known to both sides: among other groups it would give the image away."""
    groups = np.repeat(np.arange(40), 10)
    code = rng.normal(size=(40, 8))[groups]
    x, y = (np.hstack([code, rng.normal(size=(400, 2))]) for _ in range(2))
    found = attacks.reidentify(x, y, groups=groups)
    assert found.rate > 0.5
    assert found.chance == pytest.approx(1 / 71)  # 80 in a fold, 9 of them from the same source
    shuffled = rng.permutation(400)
    assert_guessing(attacks.reidentify(x, y[shuffled]))


def test_reidentification_refuses(rng):
    x = rng.normal(size=(40, 2))
    with pytest.raises(ValueError, match="paired"):
        attacks.reidentify(x, x[1:])
    with pytest.raises(ValueError, match="candidates"):
        attacks.reidentify(x, x, groups=np.repeat(np.arange(5), 8))
    with pytest.raises(ValueError, match="components"):
        attacks.reidentify(x, x, components=0)


def test_attribute(photographs):
    labels = photographs.images.mean((1, 2)) > 110
    groups = photographs.groups
    found = attacks.infer_attribute(
        vectors(encrypted("tpe-shuffle", photographs.images)), labels, groups
    )
    assert found.rate > 0.9
    assert found.low > found.chance == max(labels.mean(), 1 - labels.mean())
    full = vectors(encrypted("bitplane", photographs.images, bits=8))
    assert_guessing(attacks.infer_attribute(full, labels, groups))


def test_attribute_is_not_learnt_from_the_same_source(rng):
    groups = np.repeat(np.arange(40), 10)
    labels = rng.integers(0, 2, 40)[groups]
    y = rng.normal(size=(40, 60))[groups]
    assert_guessing(attacks.infer_attribute(y, labels, groups))


def test_attribute_names_and_refusals(rng):
    y = rng.normal(size=(100, 2))
    names = np.array(["a", "b", "c"])[np.digitize(y[:, 0], [-0.5, 0.5])]
    assert attacks.infer_attribute(y, names).rate > 0.85
    with pytest.raises(ValueError, match="one a sample"):
        attacks.infer_attribute(y, names[1:])
    with pytest.raises(ValueError, match="all labels are the same"):
        attacks.infer_attribute(y, np.zeros(100))
    with pytest.raises(ValueError, match="one fold only"):
        attacks.infer_attribute(y, np.arange(100) == 3)
    with pytest.raises(ValueError, match="components"):
        attacks.infer_attribute(y, names, components=0)


def test_inversion(photographs):
    """Half the size, to learn in seconds: a scheme that is no obstacle, and one that is."""
    images, groups = photographs.images[::2, ::2, ::2], photographs.groups[::2]
    state = torch.get_rng_state()
    clear = leakage.get_scheme("bitplane", bits=1).encrypt
    found = attacks.invert(clear, images, groups, steps=60)
    assert torch.equal(state, torch.get_rng_state())
    assert found.low > 3 * found.chance
    judged = attacks.judged_images(groups)
    assert found.n == judged.sum() == len(found.pictures)
    assert not set(groups[judged]) & set(groups[~judged])
    full = leakage.get_scheme("bitplane", bits=8).encrypt
    assert_guessing(attacks.invert(full, images, groups, steps=30))


def test_inversion_is_deterministic_and_takes_colour(capsys, rng):
    images = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    scheme = leakage.get_scheme("identity")
    pictures = [
        attacks.invert(scheme.encrypt, images, steps=3, progress=shown).pictures
        for shown in (False, True)
    ]
    np.testing.assert_array_equal(*pictures)
    assert pictures[0].shape[1:] == (8, 8, 3)
    assert "inversion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [({"steps": 0}, "steps"), ({"held_out": 0.7}, "held_out"), ({"groups": np.arange(3)}, "label"),
     ({"groups": np.zeros(20)}, "groups")],
)  # fmt: skip
def test_inversion_refuses(options, says):
    images = np.zeros((20, 8, 8), np.uint8)
    with pytest.raises(ValueError, match=says):
        attacks.invert(leakage.get_scheme("identity").encrypt, images, **options)
    with pytest.raises(ValueError, match="multiples of 8"):
        attacks.invert(leakage.get_scheme("identity").encrypt, images[:, :4], **options)
