"""What the chapters call: parameters, sentences, claims, plots, players, recorded runs."""

from leakage.notebook.parameters import check_parameters
from leakage.notebook.recorded_runs import recorded
from leakage.notebook.sentences import claim, forget_claims, readable, say, say_claims

__all__ = [
    "check_parameters",
    "claim",
    "forget_claims",
    "readable",
    "recorded",
    "say",
    "say_claims",
]
