"""Checks: evidence in, Finding out; they touch nothing."""
