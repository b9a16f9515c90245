"""Audit: from pairs of images and ciphertexts to an answer that one can defend."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from leakage.audits.findings import Audit, Finding

__all__ = ["Audit", "Finding", "audit"]

#: Family-wise level of all tests of an audit together.
ALPHA = 0.01
#: Fewer pairs than this cannot clear a scheme of a leak in whole images.
ENOUGH_PAIRS = 50
SMALLEST = 32
LEVELS = ("structure", "pixel", "identification", "patch", "embedding")

_PROFILES = {
    "quick": {"blocks": 4096, "permutations": 999},
    "full": {"blocks": 16384, "permutations": 1999},
}


def audit(
    plain: np.ndarray | str | Path | None = None,
    cipher: np.ndarray | str | Path | None = None,
    *,
    scheme: object = None,
    images: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    key_regime: Literal["fresh", "fixed"] = "fresh",
    seed: int = 0,
    profile: Literal["quick", "full"] = "quick",
    mode: Literal["gray", "rgb"] = "gray",
    progress: bool = True,
) -> Audit:
    """Ask what ciphertexts give away of their images, and how sure one can be.

    Either of pairs, ``audit(plain, cipher)``, or of a scheme, ``audit(scheme=..., images=...)``,
    which is also asked whether its output depends on the key and whether it decrypts.

    Exact checks of structure come first. Then information is looked for in single samples, in
    small patches, in representations of whole images from the histogram to a network's last layer,
    and in whether the image of a ciphertext can be found among others. Every test is made on
    images that trained nothing. p-values are corrected for all tests: the levels share the error
    equally, and within a level it is Holm's (1979).

    Parameters
    ----------
    plain, cipher : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Images and their ciphertexts, at least 32 pixels high and wide. Or the names of two
        folders with files of the same names (PNG, PGM, TIFF, BMP, JPEG), which are read one pair
        at a time, however many there are.
    scheme : Scheme or str
        Instead of pairs: one of `leakage.get_scheme`, its name, or ``"module:Class"`` of one's
        own.
    images : ndarray of uint8
        What the scheme is to encrypt.
    groups : ndarray, shape (N,), optional
        Source of each image: patches of one photograph share theirs. Without it all images count
        as independent of each other.
    key_regime : {"fresh", "fixed"}
        How nonces were used. Under ``"fixed"`` a deterministic scheme is one map for all images.
    seed : int
        Of everything random; with `scheme`, of the keys too, which are not reported.
    profile : {"quick", "full"}
        ``"full"`` looks at four times as many samples and takes more permutations.
    mode : {"gray", "rgb"}
        How files are read.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError, TypeError
        Images that are no pairs, too few or too small; unknown profile or regime.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure.

    Examples
    --------
    >>> from leakage import get_scheme, load_images
    >>> images = load_images(count=60).images
    >>> found = audit(scheme=get_scheme("skk"), images=images, progress=False)
    >>> found.leaks, found.findings[0].level
    (True, 'structure')
    """
    from leakage.audits.pairs import from_arrays, from_folders
    from leakage.audits.schemes import encrypted, scheme_findings, scheme_from, scheme_key

    if profile not in _PROFILES:
        raise ValueError(f"profile must be 'quick' or 'full', not {profile!r}")
    if key_regime not in ("fresh", "fixed"):
        raise ValueError(f"key_regime must be 'fresh' or 'fixed', not {key_regime!r}")
    pair = plain is not None and cipher is not None
    if (scheme is None) != pair or (scheme is None) != (images is None):
        raise TypeError("give plain and cipher, or scheme=... and images=..., and not both")
    known, exact, key = None, None, None
    extra: list[Finding] = []
    if scheme is not None:
        known, key = scheme_from(scheme), scheme_key(seed)
        cipher = encrypted(known, images, key, key_regime)
        plain = images
        extra, exact = scheme_findings(known, images, key, key_regime)
    if isinstance(plain, str | Path) and isinstance(cipher, str | Path):
        pairs = from_folders(plain, cipher, mode)
    else:
        pairs = from_arrays(plain, cipher)
    groups = np.arange(len(pairs)) if groups is None else np.asarray(groups)
    if groups.shape != (len(pairs),):
        raise ValueError(f"groups has shape {groups.shape}, there are {len(pairs)} pairs")
    smallest = min(min(shape[:2]) for shape in pairs.shapes)
    if smallest < SMALLEST:
        raise ValueError(
            f"an image is {smallest} pixels high or wide; an audit needs at least {SMALLEST}"
        )
    return _audit(pairs, groups, extra, exact, known, key, key_regime, seed, profile, progress)


def _audit(pairs, groups, extra, exact, scheme, key, key_regime, seed, profile, progress) -> Audit:
    from tqdm import tqdm

    from leakage import __version__
    from leakage.audits.auditing import levels
    from leakage.audits.pictures import attacked
    from leakage.audits.structure import Structure

    options = _PROFILES[profile]
    structure = Structure()
    collector = levels.Collector(len(pairs), options["blocks"], groups, seed)
    first = []
    for plain, cipher in tqdm(pairs, "pairs", len(pairs), disable=not progress):
        structure.add(plain, cipher)
        collector.add(plain, cipher)
        if len(first) < 6 and (not first or first[0][0].shape == plain.shape):
            first.append((plain, cipher))
    sample = collector.sample()

    steps: dict[str, Callable[[], object]] = {
        "pixels": lambda: levels.pixel_findings(sample, options["permutations"], seed),
        "patches": lambda: levels.patch_findings(sample, options["permutations"], seed),
        "embeddings": lambda: _whole_images(levels.embedding_findings, sample, seed),
        "identification": lambda: levels.identification_findings(sample, seed),
        "certified": lambda: _enough(sample, levels.certified_bits, sample, seed) or 0.0,
        "metrics": lambda: _metrics(first, scheme, key, seed),
    }
    results = {
        name: step() for name, step in tqdm(steps.items(), "questions", disable=not progress)
    }
    findings = [*structure.findings(), *extra]
    for name in ("pixels", "patches", "embeddings", "identification"):
        findings += results[name]
    findings = _ranked(_corrected(findings))
    leaks = _leaks(findings, len(np.unique(groups)))
    detectable = None
    if not leaks:  # what is not there: how large could it be?
        level = ALPHA / len(LEVELS) / len(sample.plain)
        detectable = _enough(sample, levels.detectable_bits, sample, level, seed)
    plain, cipher = (np.stack(side) for side in zip(*first, strict=True))
    names = {finding.name for finding in findings if finding.leaks and finding.level == "structure"}
    pictures = {
        "plain": plain, "cipher": cipher, **attacked(cipher, structure.clear_planes, names),
    }  # fmt: skip
    settings = {
        "pairs": len(pairs), "independent images": len(np.unique(groups)),
        "size": " to ".join(dict.fromkeys(
            f"{s[1]}x{s[0]}" for s in (min(pairs.shapes), max(pairs.shapes)))),
        "channels": 3 if len(pairs.shapes[0]) == 3 else 1,
        "keying": key_regime, "profile": profile, "seed": seed, "scheme": _named(scheme),
        "family-wise level": ALPHA, "network": "EfficientNet-Lite0, ImageNet",
        "leakage": __version__, "numpy": np.__version__,
    }  # fmt: skip
    return Audit(
        leaks, _verdict(leaks, findings, results["certified"], detectable, len(pairs)),
        tuple(findings), results["certified"], detectable, exact, results["metrics"],
        settings, pictures,
    )


def _named(scheme: object) -> str:
    """One of ours with its parameters, another by its class: its repr might hold a key."""
    from leakage.schemes import Scheme

    if scheme is None:
        return ""
    return repr(scheme) if isinstance(scheme, Scheme) else type(scheme).__qualname__


def _whole_images(function: Callable, sample, seed: int) -> list[Finding]:
    found = _enough(sample, function, sample, seed)
    if found is None:
        return [Finding("embedding", "whole images", None, "Fewer than 20 independent images.",
                        "Give more pairs.")]  # fmt: skip
    return found


def _enough(sample, function: Callable, *arguments):
    """What `function` says, None where there are too few independent images to ask."""
    return function(*arguments) if len(np.unique(sample.groups)) >= 20 else None


def _metrics(first, scheme, key, seed):
    from leakage import metrics
    from leakage.schemes import Scheme

    plain, cipher = (np.stack(side) for side in zip(*first, strict=True))
    if not isinstance(scheme, Scheme):  # differences of ciphertexts need one of ours
        scheme = key = None
    return metrics.table(plain, cipher, scheme=scheme, key=key, seed=seed)


def _corrected(findings: list[Finding]) -> list[Finding]:
    """p-values after Bonferroni over the levels and Holm within each, and what follows."""
    out = list(findings)
    for level in LEVELS:
        tests = sorted(
            (f.p_value, i) for i, f in enumerate(findings)
            if f.level == level and f.p_value is not None
        )  # fmt: skip
        largest = 0.0
        for rank, (p, i) in enumerate(tests):
            largest = max(largest, min(1.0, len(LEVELS) * (len(tests) - rank) * p))
            out[i] = replace(out[i], p_value=largest, leaks=largest <= ALPHA)
    return out


def _ranked(findings: list[Finding]) -> list[Finding]:
    """Leaks first, exact ones before estimates, then open questions, then what was not found."""

    def place(finding: Finding) -> tuple:
        order = {True: 0, None: 1, False: 2}[finding.leaks]
        p = finding.p_value if finding.p_value is not None else -1.0  # no chance is involved
        return order, LEVELS.index(finding.level), p

    return sorted(findings, key=place)


def _leaks(findings: list[Finding], independent: int) -> bool | None:
    if any(finding.leaks for finding in findings):
        return True
    return False if independent >= ENOUGH_PAIRS else None


def _verdict(leaks, findings, certified, detectable, pairs) -> str:
    if leaks:
        worst = findings[0]
        bound = (
            f"at least {certified:.2f} bits an image are given away (certified at 95 %)"
            if certified > 0 else "no bound in bits an image can be certified from these pairs"
        )
        return f"Leak detected ({worst.name}). {worst.meaning} {bound[0].upper()}{bound[1:]}."
    if leaks is None:
        return (
            f"Undecided: {pairs} pairs found no leak, and are too few to say that there is none "
            "of any size worth knowing."
        )
    would = (
        f"this audit would have detected {detectable:.2g} bits an image or more in what it "
        "looked at" if detectable is not None
        else "the smallest leak that it would have detected is not known"
    )
    return f"No leak detected: {would}."
