import numpy as np
import pytest
import torch

import leakage
from leakage import attacks


def vectors(images):
    return leakage.representations(images, ["patch statistics"])["patch statistics"]


def test_reidentification(photographs, encrypted, assert_guessing):
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


def test_reidentification_does_not_learn_from_the_same_source(rng, assert_guessing):
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


def test_attribute(photographs, encrypted, assert_guessing):
    labels = photographs.images.mean((1, 2)) > 110
    groups = photographs.groups
    found = attacks.infer_attribute(
        vectors(encrypted("tpe-shuffle", photographs.images)), labels, groups
    )
    assert found.rate > 0.9
    assert found.low > found.chance == max(labels.mean(), 1 - labels.mean())
    full = vectors(encrypted("bitplane", photographs.images, bits=8))
    assert_guessing(attacks.infer_attribute(full, labels, groups))


def test_attribute_is_not_learnt_from_the_same_source(rng, assert_guessing):
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


def test_inversion(photographs, assert_guessing):
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


@pytest.mark.parametrize("alike", [1, 4])
def test_what_exchanging_ciphertexts_says_of_reidentification(alike):
    """Found where ciphertexts know their images; else p <= .05 in at most 6 of 40 (p 0.01)."""
    groups = np.arange(100) // alike
    rejected = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, y = (rng.normal(size=(100, 4))[groups] + rng.normal(size=(100, 6))[:, :4] for _ in "xy")
        p = attacks.learned.reidentification_p_value(
            x, y, groups=groups, permutations=199, seed=seed
        )
        rejected += p <= 0.05
    assert rejected <= 6
    told = attacks.learned.reidentification_p_value(x, x + 0.1 * y, groups=groups)
    assert told < 1e-4
