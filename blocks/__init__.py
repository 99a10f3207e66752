"""Prefect blocks: where a target is, its secrets, its limits."""
