"""Damage to what was sent to logs and polled from them."""
