"""Toxics: one file, one frozen class; what they do to the bytes of a connection."""
