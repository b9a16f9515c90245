"""What the chapters call: parameters, sentences, claims, plots, players, recorded runs."""

from leakage.notebook.parameters import check_parameters
from leakage.notebook.recorded_runs import recorded
from leakage.notebook.sentences import claim, glue, without_nan

__all__ = ["check_parameters", "claim", "glue", "recorded", "without_nan"]
