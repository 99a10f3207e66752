"""Faults below a directory: the file system lies, fails, is slow, or damages what it is given."""
