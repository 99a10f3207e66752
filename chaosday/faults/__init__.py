"""Faults, by family: one file, one frozen class; its fields are its JSON."""
