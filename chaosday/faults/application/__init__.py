"""Faults of an application: in the HTTP proxy before it, or inside its Python process."""
