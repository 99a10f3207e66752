"""Damage to identifiers that clients were given."""
