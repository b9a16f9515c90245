"""Values on either side of every condition that a chapter's sentences depend on.

A case is a pattern that must be said, and the names that the cell reads. Helper functions of the
chapter are there already, and so are np, pd and leakage.
"""

from sentence_cases.of_claims import CLAIMS
from sentence_cases.of_estimators import EMBEDDINGS, EMPIRICAL, MINE
from sentence_cases.of_handfuls import HANDFULS
from sentence_cases.of_judgements import ATTACKS, AUDIT, SCALE
from sentence_cases.of_pictures import ENCRYPTION, EXPLORER, METRICS, SCHEMES
from sentence_cases.of_truth import COMPARISON, ESTIMATORS, TRUTH

CASES = {
    "encryption": ENCRYPTION, "schemes": SCHEMES, "classical-metrics": METRICS,
    "embeddings": EMBEDDINGS, "empirical-mi": EMPIRICAL, "mine": MINE, "ground-truth": TRUTH,
    "estimators": ESTIMATORS, "comparison": COMPARISON, "attacks": ATTACKS, "audit": AUDIT,
    "claims": CLAIMS, "pretrained": HANDFULS, "explorer": EXPLORER, "scale": SCALE,
}  # fmt: skip
