"""Damage to PostgreSQL: its pages, and what its tools report."""
