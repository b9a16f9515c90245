"""Estimators of mutual information in bits: by counting, neighbours, critics and networks."""
