"""Damage that only a second copy of the same rows shows."""
