import numpy as np
import pytest

from leakage import metrics


def test_lss_by_hand():
    plain = np.zeros((1, 8, 24), np.uint8)
    cipher = np.repeat(np.array([1, 2, 31], np.uint8), 8)[None, None].repeat(8, 1)
    # 1 < 3 / 2 counts 1; 2 / 3 rounds to 1, 31 / 3 to 10
    assert metrics.lss(plain, cipher) == pytest.approx([(1 - 0.1 - 1.0) / 3])
    assert metrics.lss(plain, cipher, alpha=0.2, beta=62) == pytest.approx([(1 + 1 - 0.0) / 3])
    ragged = np.pad(cipher, ((0, 0), (0, 7), (0, 7)), constant_values=255)
    assert metrics.lss(np.zeros_like(ragged), ragged) == metrics.lss(plain, cipher)


def test_ess_by_hand():
    flat, upright = np.zeros((2, 1, 16, 16), np.uint8)
    upright[..., ::4] = 255
    slanted = np.fromfunction(lambda _, i, j: 255 * ((i + j) % 8 < 4), (1, 16, 16)).astype(np.uint8)
    assert metrics.ess(flat, flat) == [0.5]
    assert metrics.ess(flat, upright) == [0]
    assert metrics.ess(upright, slanted) == pytest.approx([np.cos(np.pi / 4)])
    assert metrics.ess(upright, upright, edge=1000) == [0.5]
    half = upright.copy()
    half[..., 8:] = 0  # edges of the left blocks, and where they end in the right ones
    assert 0.5 <= metrics.ess(upright, half)[0] <= 1


def test_vsi_parts():
    flat = np.full((1, 32, 32), 100, np.uint8)
    assert metrics.vsi(flat, flat) == [1]
    # no edges in either, no contrast in either, and the same homogeneity and energy
    assert metrics.vsi(flat, flat + 100) == [1]
    steps = flat + np.uint8(100) * (np.arange(32) >= 16).astype(np.uint8)
    value = metrics.vsi(flat, steps)[0]
    assert 0 < value < 0.5  # edges: 0; texture: part of one half
    assert metrics.vsi(steps, steps.swapaxes(1, 2)) == pytest.approx(
        [metrics.vsi(steps.swapaxes(1, 2), steps)[0]]
    )
