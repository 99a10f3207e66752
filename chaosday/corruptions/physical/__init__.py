"""Damage in what the physical checks and the comparisons report."""
