"""Bounds of a critic's scores, and the temperature that serves them best."""

import numpy as np
import pytest

from leakage.estimators.bounds import best_temperature


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("n", [50, 210])
def test_a_critic_that_recognises_all_is_not_switched_off(scale, n, rng):
    """Its slope is 0 but for rounding, which must not be taken for a fall."""
    x = rng.normal(size=(n, 30))
    scores = scale * (3 - ((x[:, None] - x[None]) ** 2).sum(-1))
    temperature, bits = best_temperature([scores, scores[:-3, :-3]], "infonce")
    assert temperature >= 1
    assert bits == pytest.approx(np.log2(n), abs=0.05)


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e8])
def test_a_critic_of_noise_is_switched_off(scale, rng):
    assert best_temperature([scale * rng.normal(size=(200, 200))], "infonce") == (0.0, 0.0)
