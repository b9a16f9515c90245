import numpy as np
import pytest

import leakage
from leakage.estimators.views import views_of
from leakage.truth import spatial


@pytest.mark.parametrize("shared", ["image", "row"])
@pytest.mark.parametrize(("combined", "word"), [("xor", "XOR"), ("add", "differences")])
def test_one_key_byte_is_found_between_neighbours(shared, combined, word):
    """Eight bits a pair, and not above it by more than the interval."""
    pairs = spatial.shared_key_images(30, size=32, shared=shared, combined=combined)
    e = leakage.neighbourhood_mi(pairs.plain, pairs.cipher)
    assert e.method.startswith(f"{word} of neighbours")
    assert e.p_value < 0.001
    assert e.low < pairs.of_pair.bits
    assert e.bits > 7.6


def test_few_keys_are_not_the_law_of_samples():
    """Sixty keys of 256: tables of the same images find a bit in every sample, others find none."""
    found = []
    for seed in range(3):
        pairs = spatial.shared_key_images(60, size=16, seed=seed)
        one = leakage.neighbourhood_mi(
            pairs.plain, pairs.cipher, views="samples", permutations=0, seed=seed
        )
        assert one.low <= 0
        found.append(one.bits)
        assert leakage.pixel_mi(pairs.plain, pairs.cipher, permutations=0).low > 0.1
    assert max(found) < 0.05


def test_what_places_have_in_common_is_no_information():
    """Couples of neighbours stand at every second place, in plain and in cipher: one bit, if told
    by a table that is pooled over places; nothing of it is information about the image."""
    pairs = spatial.difference_scenes(40, size=32, flip=0.5)
    e = leakage.neighbourhood_mi(pairs.plain, pairs.cipher, permutations=99)
    assert pairs.of_pair.bits == 0
    assert e.low <= 0
    assert abs(e.bits) < 0.01
    assert e.p_value > 0.01  # false alarms: .01, for one seed


def test_hidden_steps():
    pairs = spatial.difference_scenes(40, size=32, flip=0.1)
    e = leakage.neighbourhood_mi(pairs.plain, pairs.cipher, permutations=99)
    assert "differences of neighbours in a row" in e.method
    assert 0.9 * pairs.of_pair.bits < e.bits < pairs.of_pair.bits + (e.high - e.low) / 2


@pytest.mark.parametrize("bits", [3, 6])
def test_clear_planes_of_photographs(bits, photographs, key):
    images, groups = photographs.images[::16], photographs.groups[::16]
    scheme = leakage.get_scheme("bitplane", bits=bits)
    e = leakage.neighbourhood_mi(images, scheme.encrypt(images, key), groups=groups)
    exact = leakage.exact_leakage(scheme, images).bits
    assert f"samples, the {8 - bits} least significant planes" in e.details["views"]
    assert set(e.details["units"]) == {"sample"}
    assert e.p_value < 0.001
    assert e.low < exact < e.high + 0.1


def test_nothing_in_aes(photographs, key):
    """Six runs: more than two p-values up to .05 are a false alarm of this test at .002."""
    alarms = 0
    for seed in range(6):
        keep = np.random.default_rng(seed).choice(len(photographs), 40, replace=False)
        plain = photographs.images[keep, :16, :16]
        cipher = leakage.get_scheme("bitplane", bits=8).encrypt(plain, key, first_index=seed * 40)
        e = leakage.neighbourhood_mi(plain, cipher, permutations=99, seed=seed)
        assert abs(e.bits) < 0.1
        alarms += e.p_value <= 0.05
    assert alarms <= 2


def test_batches_are_the_whole():
    pairs = spatial.difference_scenes(40, size=16)
    x, y = pairs.plain, pairs.cipher
    whole = leakage.neighbourhood_mi(x, y, permutations=99)
    one = leakage.neighbourhood_mi_in_batches(lambda: [(x, y)], permutations=99)
    assert one == whole
    two = leakage.neighbourhood_mi_in_batches(
        lambda: ((x[i : i + 20], y[i : i + 20], np.arange(20)) for i in (0, 20)), permutations=99
    )
    assert two.n == 40
    assert two.p_value < 0.001
    assert two.bits == pytest.approx(whole.bits, abs=0.03)
    halves = [(x[i : i + 20], y[i : i + 20], np.arange(20)) for i in (0, 20)]
    again = leakage.neighbourhood_mi_in_batches(
        lambda: iter([*halves, (x[:30], y[:30]), halves[1]]), permutations=99
    )
    assert (again.n, again.bits, again.p_value) == (40, two.bits, two.p_value)
    assert again.flags[-1] == "50 images repeat those of earlier batches: they are left out"


def test_equal_images_are_one_group():
    """Copies of five images under keys of their own cannot fill six folds."""
    plain = np.repeat(spatial.shared_key_images(5, size=8).plain, 4, axis=0)
    with pytest.raises(ValueError, match="20 images of 5 groups cannot fill 6 folds"):
        leakage.neighbourhood_mi(plain, plain, folds=6)


def test_views_of_colour_and_of_narrow_images():
    names = [view.name for view in views_of((3, 16, 16, 3))]
    assert names[-2:] == ["XOR of colours", "differences of colours"]
    assert not any("column" in view.name for view in views_of((3, 1, 16)))
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (20, 16, 16, 3), np.uint8)
    cipher = plain ^ rng.integers(0, 256, (20, 16, 16, 1), np.uint8)  # one byte a pixel
    e = leakage.neighbourhood_mi(plain, cipher, permutations=99)
    assert e.method.startswith("XOR of colours")


def test_refusals():
    images = spatial.shared_key_images(10, size=8).plain
    with pytest.raises(ValueError, match="they are pairs"):
        leakage.neighbourhood_mi(images, images[:5])
    with pytest.raises(ValueError, match="folds must be at least 3"):
        leakage.neighbourhood_mi(images, images, folds=2)
    with pytest.raises(TypeError, match="folds must be an int"):
        leakage.neighbourhood_mi(images, images, folds=2.5)
    with pytest.raises(ValueError, match="cipher is constant"):
        leakage.neighbourhood_mi(images, 0 * images)
    with pytest.raises(ValueError, match="views must be"):
        leakage.neighbourhood_mi(images, images, views="blocks")
    with pytest.raises(ValueError, match="one label an image"):
        leakage.neighbourhood_mi(images, images, groups=np.arange(4))


def test_positions_take_away_rows_and_images_take_away_whole_images():
    row = spatial.shared_key_images(30, size=16, levels=16, shared="row")
    found = leakage.spatial_share(row.plain, row.cipher)
    assert found.share > 0.9
    assert found.difference.low > 3
    whole = spatial.shared_key_images(30, size=16, levels=16, shared="image")
    assert abs(leakage.spatial_share(whole.plain, whole.cipher).difference.bits) < 0.3
    assert leakage.spatial_share(whole.plain, whole.cipher, scramble="images").share > 0.9


@pytest.mark.parametrize("scramble", ["positions", "images"])
def test_a_leak_without_space_stays(scramble):
    pairs = spatial.independent_samples(leakage.get_scheme("bitplane", bits=6), 40, size=16)
    found = leakage.spatial_share(pairs.plain, pairs.cipher, scramble=scramble)
    assert found.natural.bits == pytest.approx(2, abs=0.05)
    assert found.difference.low - 1e-9 <= 0 <= found.difference.high + 1e-9


def test_any_estimator_may_be_asked():
    pairs = spatial.shared_key_images(40, size=16, shared="row")

    def by_steps(x, y, groups, seed):
        same = (v[:, :, :-1] ^ v[:, :, 1:] for v in (x, y))
        return leakage.plug_in(*((v >> 5).ravel() for v in same))

    found = leakage.spatial_share(pairs.plain, pairs.cipher, estimator=by_steps)
    assert found.share > 0.9  # a fifteenth of scrambled neighbours still share a row
    assert found.difference.low < found.difference.bits < found.difference.high


def test_refusals_of_the_share():
    images = spatial.shared_key_images(10, size=8).plain
    with pytest.raises(ValueError, match="scramble must be"):
        leakage.spatial_share(images, images, scramble="rows")
    with pytest.raises(ValueError, match="10 groups are too few for five parts"):
        leakage.spatial_share(images, images, scramble="images")
    with pytest.raises(ValueError, match="they are pairs"):
        leakage.spatial_share(images, images[:5])


def test_a_number_of_bits_is_an_estimator_too_and_refusals_keep_their_words(rng):
    x = rng.integers(0, 256, (30, 8, 8), np.uint8)
    found = leakage.spatial_share(x, x, estimator=lambda a, b, groups, seed: 1.0)
    assert (found.difference.bits, found.difference.low, found.difference.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="must give an Estimate or a number of bits, not a str"):
        leakage.spatial_share(x, x, estimator=lambda a, b, groups, seed: "much")
    with pytest.raises(ValueError, match=r"^[^_]"):
        leakage.spatial_share(x[:2], x[:2])
