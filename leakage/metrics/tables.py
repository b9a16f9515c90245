"""All measures of a set of images in one table."""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
import pandas as pd

from leakage.arguments import check_int, check_pairs, check_seed
from leakage.estimate import p_text
from leakage.evidence.p_values import permutation_p_value
from leakage.metrics import quality, randomness, structure
from leakage.metrics.differences import differential, nbcr_null, npcr_null, uaci_null
from leakage.metrics.nulls import ENOUGH_SAMPLES, Null, mean_of_defined
from leakage.schemes import Scheme

_COLUMNS = ["value", "null_mean", "null_sd", "p_value", "remark"]
_HEADS = {
    "value": "Value",
    "null_mean": "Null mean",
    "null_sd": "Null s.d.",
    "p_value": "$p$",
    "remark": "Remark",
}

#: Measures without a law in closed form on noise.
_SIMULATED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "SSIM": quality.ssim,
    "MS-SSIM": quality.ms_ssim,
    "VIF": quality.vif,
    "GMSD": quality.gmsd,
    "LPIPS": quality.lpips,
    "LSS": structure.lss,
    "ESS": structure.ess,
    "VSI, our variant": structure.vsi,
}
_DIFFERENCES = {"NPCR": npcr_null, "UACI": uaci_null, "NBCR": nbcr_null}
_CHANGES = {
    "pixel changed": "one bit of one sample, same key and nonce",
    "key bit flipped": "same image and nonce",
}
_Row = tuple[float, float, float, float, str]  # as in `_COLUMNS`


class MetricsTable(pd.DataFrame):
    """A data frame with one measure a row, and a LaTeX form fit for a paper.

    Columns are ``value``, ``null_mean``, ``null_sd``, ``p_value`` and ``remark``, see `table`; NaN
    is what does not exist or is not known.

    Examples
    --------
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> rows = table(image, image ^ 1)
    >>> rows.loc[["MSE"], ["value", "remark"]].to_dict("list")
    {'value': [1.0], 'remark': ['p-values need 1280 samples an image']}
    """

    @property
    def _constructor(self) -> type["MetricsTable"]:
        return MetricsTable

    def to_latex(self, *, caption: str | None = None, label: str | None = None) -> str:
        """A tabular in the style of the LaTeX package booktabs, which it needs.

        Values are rounded to two digits of their sd on noise, where that is known.

        Parameters
        ----------
        caption, label : str, optional
            Either of them puts the tabular into a table environment.

        Returns
        -------
        str
            LaTeX, special characters escaped.

        Examples
        --------
        >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
        >>> text = table(image, image[:, ::-1]).loc[["SSIM"]].to_latex()
        >>> print(text.splitlines()[2])
         & Value & Null mean & Null s.d. & $p$ & Remark \\\\
        """
        cells = [_cells(row) for _, row in self.iterrows()]
        names = [_escaped(name) for name in self.index]
        frame = pd.DataFrame(cells, index=names, columns=self.columns).rename(columns=_HEADS)
        layout = "".join("l" if name == "remark" else "r" for name in self.columns)
        return frame.to_latex(
            escape=False, column_format="l" + layout, caption=caption, label=label
        )


def table(
    plain: np.ndarray,
    cipher: np.ndarray,
    *,
    scheme: Scheme | None = None,
    key: bytes | None = None,
    nulls: int = 0,
    seed: int = 0,
) -> MetricsTable:
    """Every measure of this package, averaged over the images, beside its law on noise.

    Noise is a ciphertext of uniform independent samples. p-values are of the mean over images, and
    there is one a row: of twenty true hypotheses one is rejected at 5 % on average. No p-value
    says that a cipher is strong.

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts.
    scheme : Scheme, optional
        Together with `key`: encrypts the images anew for NPCR, UACI and NBCR, which compare two
        ciphertexts (see `differential`), and cannot be had from `cipher`. Without them these rows
        are empty.
    key : bytes, optional
        Of the scheme.
    nulls : int
        How many times noise takes the place of `cipher` for the measures without a law in closed
        form, SSIM to VSI. Their p-values are two-sided, by rank, and not below 2 / (nulls + 1), so
        39 is the least number that can reach 0.05. A draw costs about half a second for an
        image of 512x512 pixels.
    seed : int
        Of the noise, of the blocks of the local entropy, and of `differential`.

    Returns
    -------
    MetricsTable
        Index ``metric``, with the unit. Columns ``value``: mean over the images where the measure
        is defined. ``null_mean``, ``null_sd``, ``p_value``: for that mean on noise, NaN where not
        known. ``remark``: what to know about the row, such as why it is empty.

    Raises
    ------
    ValueError, TypeError
        Images that are not pairs, a scheme without a key, or the reverse.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> plain, key = load_images(size=128, count=2).images, bytes(16)
    >>> scheme = get_scheme("bitplane", bits=8)
    >>> rows = table(plain, scheme.encrypt(plain, key), scheme=scheme, key=key)
    >>> rows.loc[["PSNR, dB", "NPCR, key bit flipped, %"], "p_value"].gt(0.01).tolist()
    [True, True]
    """
    check_seed(seed)
    plain, cipher = check_pairs(plain, cipher)
    if (scheme is None) != (key is None):
        raise ValueError("scheme and key go together; give both, or neither")
    check_int("nulls", nulls)
    if nulls < 0:
        raise ValueError(f"nulls must be 0 or more, not {nulls}")
    # a child of the seed: `cipher` may well be the noise of default_rng(seed) itself
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    rows = {
        "MSE": _row(quality.mse(plain, cipher), lambda _: quality.mse_null(plain)),
        "PSNR, dB": _row(quality.psnr(plain, cipher), lambda _: quality.psnr_null(plain)),
        **_simulated_rows(plain, cipher, nulls, rng),
        **_cipher_rows(cipher, seed),
        **_difference_rows(plain, scheme, key, seed),
    }
    frame = MetricsTable.from_dict(rows, orient="index", columns=_COLUMNS)
    return frame.rename_axis("metric")


def _row(values: np.ndarray, null_of: Callable[[int], Null], remark: str = "") -> _Row:
    """A row from one value an image, and the null of the mean of so many of them."""
    value, defined = mean_of_defined(values), int(np.count_nonzero(~np.isnan(values)))
    remarks = [remark] if remark else []
    if defined < len(values):
        remarks.append(f"undefined for {len(values) - defined} of {len(values)} images")
    if not defined:
        return value, math.nan, math.nan, math.nan, "; ".join(remarks)
    null = null_of(defined)
    if not null.trusted:
        remarks.append(f"p-values need {ENOUGH_SAMPLES} samples an image")
    return value, null.mean, null.sd, null.p_value(value), "; ".join(remarks)


def _empty(reason: str) -> _Row:
    return math.nan, math.nan, math.nan, math.nan, reason


def _simulated_rows(
    plain: np.ndarray, cipher: np.ndarray, nulls: int, rng: np.random.Generator
) -> dict[str, _Row]:
    values: dict[str, np.ndarray] = {}
    refused: dict[str, _Row] = {}
    for name, metric in _SIMULATED.items():
        try:
            values[name] = metric(plain, cipher)
        except ValueError as error:  # too small images, missing weights: the row says so
            refused[name] = _empty(str(error))
    drawn = {name: np.empty(nulls) for name in values}
    for i in range(nulls):
        noise = rng.integers(0, 256, plain.shape, np.uint8)
        for name in values:
            drawn[name][i] = mean_of_defined(_SIMULATED[name](plain, noise))
    ranked = {name: _ranked_row(value, drawn[name]) for name, value in values.items()}
    return {name: (ranked | refused)[name] for name in _SIMULATED}


def _ranked_row(values: np.ndarray, drawn: np.ndarray) -> _Row:
    value, undefined = mean_of_defined(values), np.count_nonzero(np.isnan(values))
    remark = f"; undefined for {undefined} of {len(values)} images" if undefined else ""
    if len(drawn) < 2 or math.isnan(value):
        reason = "null only by simulation: nulls=39 or more"
        return value, math.nan, math.nan, math.nan, reason + remark
    tails = permutation_p_value(value, drawn), permutation_p_value(-value, -drawn)
    p = min(1.0, 2 * min(tails))
    return value, drawn.mean(), drawn.std(ddof=1), p, f"{len(drawn)} draws of noise{remark}"


def _cipher_rows(cipher: np.ndarray, seed: int) -> dict[str, _Row]:
    shape, samples = cipher.shape[1:], cipher[0].size
    blocks = min(30, randomness.blocks_that_fit(cipher))
    if blocks:
        local = _row(
            randomness.local_entropy(cipher, blocks=blocks, seed=seed),
            lambda n: randomness.local_entropy_null(blocks, n),
            "" if blocks == 30 else f"only {blocks} of 30 blocks fit",
        )
    else:
        local = _empty("no block of 44x44 fits")
    rows = {
        "Entropy, bit": _row(
            randomness.grey_entropy(cipher), lambda n: randomness.grey_entropy_null(samples, n)
        ),
        "Local entropy, bit": local,
        "Chi-square": _row(
            randomness.chi_square(cipher), lambda n: randomness.chi_square_null(samples, n)
        ),
    }
    for direction in get_args(randomness.Direction):
        rows[f"Correlation, {direction}"] = _row(
            randomness.adjacent_correlation(cipher, direction),
            partial(randomness.adjacent_correlation_null, shape, direction),
        )
    return rows


def _difference_rows(
    plain: np.ndarray, scheme: Scheme | None, key: bytes | None, seed: int
) -> dict[str, _Row]:
    if scheme is None or key is None:
        reason = "compares two ciphertexts: give scheme and key"
        return {f"{name}, %": _empty(reason) for name in _DIFFERENCES}
    measured = differential(scheme, plain, key, seed=seed)

    def row(name: str, change: str) -> _Row:
        values = measured[f"{name}, {change}, %"].to_numpy()
        return _row(values, lambda _: _DIFFERENCES[name](plain.size), _CHANGES[change])

    return {f"{n}, {change}, %": row(n, change) for change in _CHANGES for n in _DIFFERENCES}


def _cells(row: pd.Series) -> list[str]:
    """A row as LaTeX, numbers rounded to two digits of the row's sd on noise."""
    sd = row.get("null_sd", math.nan)
    places = min(max(1 - math.floor(math.log10(sd)), 0), 6) if sd > 0 else 4
    cells = []
    for name, value in row.items():
        if name == "remark":
            cells.append(_escaped(value))
        elif math.isnan(value):
            cells.append("--")
        elif math.isinf(value):
            cells.append(r"$\infty$")
        elif name == "p_value":
            cells.append(f"${p_text(value).replace(' ', '')}$")
        else:
            cells.append(f"${value:z.{places}f}$")
    return cells


def _escaped(text: str) -> str:
    return re.sub(r"([%&_#$])", r"\\\1", text)
