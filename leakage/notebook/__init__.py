"""What the chapters call: parameters, sentences, claims, plots, players, recorded runs."""

from leakage.notebook.parameters import check_parameters
from leakage.notebook.recorded_runs import recorded
from leakage.notebook.sentences import claim, glue, readable

__all__ = ["check_parameters", "claim", "glue", "readable", "recorded"]
