"""Probes of HTTP services."""
