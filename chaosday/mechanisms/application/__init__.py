"""Faults inside a Python process: an import hook, a switch file, and the calls that are hurt."""
