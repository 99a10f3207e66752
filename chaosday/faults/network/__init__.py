"""Faults of the network between clients and servers."""
