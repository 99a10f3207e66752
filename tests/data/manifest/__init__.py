"""Manifests: made, compared, interrupted and resumed."""
