"""Targets: what can be reached and hurt."""
