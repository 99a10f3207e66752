"""Damage to what was read in the end."""
