"""Experiments of other tools."""
