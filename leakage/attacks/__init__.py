"""Adversaries: what the bits that leak are good for.

Attacks without learning make pictures of ciphertexts, and `identify` counts how often a picture
points out its own image among others. Attacks that learn do so on some photographs and are judged
on others. Every rate comes with an exact interval, the rate of guessing, and the information it
implies.
"""

from leakage.attacks.learned import infer_attribute, invert, judged_images, reidentify
from leakage.attacks.places import jigsaw, placement, recover_permutation, unshuffle
from leakage.attacks.planes import replace_planes, unwrap_planes
from leakage.attacks.structure import Sketch, fold, jpeg_sketch, many_time_pad
from leakage.attacks.success import (
    Attack,
    binomial_interval,
    bits_from_success,
    counted,
    identify,
    success_bound,
)

__all__ = [
    "Attack", "Sketch", "binomial_interval", "bits_from_success", "counted", "fold", "identify",
    "infer_attribute", "invert", "jigsaw", "jpeg_sketch", "judged_images", "many_time_pad",
    "placement", "recover_permutation", "reidentify", "replace_planes", "success_bound",
    "unshuffle", "unwrap_planes",
]  # fmt: skip
