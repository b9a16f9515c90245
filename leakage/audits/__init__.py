"""Audits: from pairs of pictures and ciphertexts to a verdict and a report."""
