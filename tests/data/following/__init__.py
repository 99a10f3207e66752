"""Diffs, manifests, physical checks and restores, against real servers."""
