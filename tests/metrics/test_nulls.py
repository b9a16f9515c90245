import numpy as np
import pytest
from scipy.stats import binom

import leakage
from leakage import metrics

AES = leakage.get_scheme("bitplane", bits=8)


def test_exact_p_values_of_counts():
    null = metrics.npcr_null(1000)
    for same in (0, 4, 12):
        expected = binom.sf(same - 1, 1000, 1 / 256)
        assert null.p_value(100 * (1000 - same) / 1000) == pytest.approx(expected)
    null = metrics.nbcr_null(10)
    assert null.p_value(50) == 1
    assert null.p_value(100 * 30 / 80) == pytest.approx(2 * binom.cdf(30, 80, 0.5))
    assert null.p_value(100 * 50 / 80) == pytest.approx(2 * binom.cdf(30, 80, 0.5))


@pytest.fixture(scope="module")
def p_values():
    """Of 200 AES-CTR ciphertexts of photographs, 256x256, one test each and statistic."""
    plain = np.resize(leakage.load_images(size=256).images, (200, 256, 256))
    cipher, other = (AES.encrypt(plain, bytes([k]) * 16) for k in (1, 2))
    shape, samples = plain.shape[1:], plain[0].size
    alone = [plain[i : i + 1] for i in range(len(plain))]

    def p(values, null):
        return [null.p_value(value) for value in values]

    def p_each(metric, null_of):
        pairs = zip(metric(plain, cipher), alone, strict=True)
        return [null_of(image).p_value(value) for value, image in pairs]

    made = {
        "mse": p_each(metrics.mse, metrics.mse_null),
        "psnr": p_each(metrics.psnr, metrics.psnr_null),
        "entropy": p(metrics.grey_entropy(cipher), metrics.grey_entropy_null(samples)),
        "local entropy": p(
            metrics.local_entropy(cipher, blocks=25), metrics.local_entropy_null(25)
        ),
        "chi-square": p(metrics.chi_square(cipher), metrics.chi_square_null(samples)),
    }
    for name in ("npcr", "uaci", "nbcr"):
        values = getattr(metrics, name)(cipher, other, plain=plain)
        made[name] = p(values, getattr(metrics, f"{name}_null")(samples))
    for direction in ("horizontal", "vertical", "diagonal"):
        values = metrics.adjacent_correlation(cipher, direction)
        made[direction] = p(values, metrics.adjacent_correlation_null(shape, direction))
    return {name: np.array(values) for name, values in made.items()}


@pytest.mark.parametrize(
    "name",
    [
        "mse",
        "psnr",
        "entropy",
        "local entropy",
        "chi-square",
        "npcr",
        "uaci",
        "nbcr",
        "horizontal",
        "vertical",
        "diagonal",
    ],
)
def test_false_alarms_of_each_test(name, p_values):
    """Rejections at 5 % of 200, within the exact binomial interval that misses 0.1 %.

    False alarms of this test: at most 0.001 for each name.
    """
    low, high = binom.interval(0.999, 200, 0.05)
    assert low <= np.count_nonzero(p_values[name] <= 0.05) <= high


@pytest.mark.parametrize("images", [1, 8])
def test_false_alarms_on_small_images_and_of_means(images):
    """400 sets of noise of 64x64 pixels: 5 % within the binomial interval that misses 0.1 %."""
    noise = np.random.default_rng(6).integers(0, 256, (400 * images, 64, 64), np.uint8)
    plain = leakage.load_images().images[:images]
    expected = np.tile(plain, (400, 1, 1))
    tests = {
        metrics.grey_entropy_null(4096, images): metrics.grey_entropy(noise),
        metrics.chi_square_null(4096, images): metrics.chi_square(noise),
        metrics.adjacent_correlation_null(
            (64, 64), "diagonal", images
        ): metrics.adjacent_correlation(noise, "diagonal"),
        metrics.mse_null(plain): metrics.mse(expected, noise),
        metrics.psnr_null(plain): metrics.psnr(expected, noise),
    }
    low, high = binom.interval(0.999, 400, 0.05)
    for null, values in tests.items():
        means = values.reshape(400, images).mean(1)
        assert low <= sum(null.p_value(m) <= 0.05 for m in means) <= high
        assert means.std() == pytest.approx(null.sd, rel=0.15)


def test_simulated_p_values_are_exact(monkeypatch):
    """200 tables of noise, LSS alone, 39 draws: at 10 %, binomial interval that misses 0.1 %."""
    monkeypatch.setattr("leakage.metrics.tables._SIMULATED", {"LSS": metrics.lss})
    rng = np.random.default_rng(7)
    plain = leakage.load_images().images[:1]
    noise = rng.integers(0, 256, (200, *plain.shape), np.uint8)
    p = [metrics.table(plain, x, nulls=39, seed=i).p_value["LSS"] for i, x in enumerate(noise)]
    low, high = binom.interval(0.999, 200, 0.1)
    assert low <= np.count_nonzero(np.array(p) <= 0.1) <= high
