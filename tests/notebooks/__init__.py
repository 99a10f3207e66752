"""Notebooks that are run."""
