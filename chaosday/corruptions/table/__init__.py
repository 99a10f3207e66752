"""Damage to typed rows: what conversions, encodings and half-done loads do to single cells."""
