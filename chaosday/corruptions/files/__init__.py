"""Damage to the bytes of files, whatever is in them."""
