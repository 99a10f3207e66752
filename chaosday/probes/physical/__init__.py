"""Collecting what the physical checks and the comparisons judge."""
