import math
import re

import numpy as np
import pytest
from scipy.stats import chi2

import leakage
from leakage import metrics

AES = leakage.get_scheme("bitplane", bits=8)


def test_table_of_a_sound_cipher_and_a_leaky_one(pairs, key):
    plain, leaky = pairs["gray"]
    sound = metrics.table(plain, AES.encrypt(plain, key), scheme=AES, key=key, nulls=3)
    assert list(sound.columns) == ["value", "null_mean", "null_sd", "p_value", "remark"]
    keyed = sound.drop(index=[name for name in sound.index if "pixel" in name or name == "LPIPS"])
    assert keyed.drop(columns="remark").notna().all(axis=None)
    assert keyed.p_value.min() > 0.001
    away = np.abs(keyed.value - keyed.null_mean) / keyed.null_sd
    # five standard deviations; the sd of three draws is worth less
    assert away[~keyed.remark.str.contains("draws")].max() < 5
    assert sound.p_value["NPCR, pixel changed, %"] == 0
    assert metrics.table(plain, leaky).p_value["MSE"] < 1e-6


def test_table_without_scheme_has_no_differences(pairs, key):
    plain, cipher = pairs["gray"]
    rows = metrics.table(plain, cipher).loc[["NPCR, %", "UACI, %", "NBCR, %"]]
    assert rows.value.isna().all()
    assert rows.remark.str.contains("two ciphertexts: give scheme and key").all()
    for half in ({"scheme": AES}, {"key": key}):
        with pytest.raises(ValueError, match="give both, or neither"):
            metrics.table(plain, cipher, **half)


def test_table_is_the_mean_over_images(pairs):
    plain, cipher = pairs["rgb"]
    rows = metrics.table(plain, cipher)
    for name, metric in (
        ("MSE", metrics.mse),
        ("SSIM", metrics.ssim),
        ("VIF", metrics.vif),
        ("LSS", metrics.lss),
    ):
        assert rows.value[name] == metric(plain, cipher).mean()
    law = chi2(2 * 255)
    value = metrics.chi_square(cipher)
    assert rows.p_value["Chi-square"] == pytest.approx(law.sf(value.sum()))
    assert rows.null_sd["Chi-square"] == pytest.approx(law.std() / 2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (1, 3, 2, 3), (1, 45, 50)])
def test_table_of_tiny_and_constant_images(shape, key):
    plain = np.full(shape, 200, np.uint8)
    rows = metrics.table(plain, plain, scheme=AES, key=key, nulls=2)
    assert rows.value["PSNR, dB"] == math.inf
    assert rows.remark["MS-SSIM"].startswith("MS-SSIM needs sides of 161")
    assert rows.remark["Correlation, diagonal"].startswith("undefined for")
    assert "PSNR, dB & $\\infty$" in rows.to_latex()
    if shape == (1, 45, 50):
        assert math.isnan(rows.value["VIF"])
        assert rows.remark["Local entropy, bit"] == "only 1 of 30 blocks fit"
    else:
        assert rows.remark["MSE"] == "p-values need 1280 samples an image"
        assert math.isnan(rows.p_value["MSE"])


def test_latex(pairs, key):
    plain, cipher = pairs["gray"]
    rows = metrics.table(plain, cipher, scheme=AES, key=key)
    text = rows.to_latex(caption="Noise?", label="tab:noise")
    assert text.startswith("\\begin{table}\n\\caption{Noise?}\n\\label{tab:noise}")
    body = text[text.index("\\midrule") : text.index("\\bottomrule")].splitlines()[1:]
    assert len(body) == len(rows)
    assert all(line.count(" & ") == 5 and line.endswith("\\\\") for line in body)
    assert not re.search(r"nan|(?<!\\)[%_#]|-0\.0+\$", text)
    assert "NPCR, pixel changed, \\% & $0.003$ & $99.609$ & $0.025$ & $<0.001$" in text
    short = rows.drop(columns="remark").loc[["MSE"]]
    assert isinstance(short, metrics.MetricsTable)
    assert short.to_latex().count("\\\\") == 2


@pytest.mark.parametrize(
    ("nulls", "error"), [(-1, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_table_refuses(nulls, error, pairs):
    with pytest.raises(error, match="nulls must be"):
        metrics.table(*pairs["gray"], nulls=nulls)


def test_table_repeats_with_its_seed(pairs):
    plain, cipher = (images[:, :48, :48] for images in pairs["gray"])
    one, same, other = (metrics.table(plain, cipher, nulls=2, seed=s) for s in (1, 1, 2))
    assert one.equals(same)
    assert one.null_mean["SSIM"] != other.null_mean["SSIM"]
