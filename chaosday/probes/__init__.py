"""Probes: read-only questions to a target."""
