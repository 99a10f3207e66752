"""Damage to what arrives at the sink of a stream of changes."""
