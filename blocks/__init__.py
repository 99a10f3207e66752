"""Prefect blocks: where a target is, its secrets, its limits. ``prefect block register -m blocks``."""

from blocks.guardrails import Guardrails
from blocks.postgresql import PostgreSQLDatabase

__all__ = ["Guardrails", "PostgreSQLDatabase"]
