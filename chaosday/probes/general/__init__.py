"""Probes of whoever writes the experiment."""
