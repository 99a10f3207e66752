"""Damage to a bank: its final balances, and the reads during its run."""
