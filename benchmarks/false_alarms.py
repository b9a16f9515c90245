"""How often the tests raise an alarm on full AES encryption, where there is nothing to find.

    python benchmarks/false_alarms.py [number of keys]

Every key encrypts all bundled photographs with eight planes, and has its own split and critics.
A valid test rejects at 0.05 in at most 5 % of the keys, and its z has a standard deviation of at
most 1.
"""

import sys

import numpy as np
from tqdm import tqdm

import leakage

LAYERS = ["stem", "blocks.4", "head"]


def main(keys: int) -> None:
    photographs = leakage.load_images()
    plain = leakage.embed_layers(photographs.images, LAYERS)
    scheme = leakage.get_scheme("bitplane", bits=8)
    found = {}
    for seed in tqdm(range(keys)):
        key = np.random.default_rng(seed).bytes(16)
        cipher = leakage.embed_layers(scheme.encrypt(photographs.images, key), LAYERS)
        for layer in LAYERS:
            pair = plain[layer], cipher[layer]
            test = leakage.canonical_test(*pair, groups=photographs.groups, seed=seed)
            found.setdefault(("canonical_test", layer), []).append((test.p_value, test.z, np.nan))
            e = leakage.mine(*pair, groups=photographs.groups, seed=seed)
            contains = e.low <= 0 <= e.high
            found.setdefault(("mine", layer), []).append((e.p_value, e.details["z"], contains))
    print(f"{keys} keys, {len(photographs)} patches of {len(photographs.names)} photographs")
    for (method, layer), rows in found.items():
        p, z, contains = np.array(rows, float).T
        print(f"{method:15s} {layer:9s} p <= 0.05: {np.mean(p <= 0.05):.3f}  p <= 0.01: "
              f"{np.mean(p <= 0.01):.3f}  z: {z.mean():+.2f} (sd {z.std(ddof=1):.2f})  "
              f"interval contains 0: {contains.mean():.3f}")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
