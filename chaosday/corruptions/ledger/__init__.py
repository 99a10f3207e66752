"""Damage to a ledger: its rows, and the history that it is judged by."""
