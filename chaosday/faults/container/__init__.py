"""Faults of containers on a host, by the engine that runs them."""
