"""The mark that says of a directory that its data may be damaged for good."""

from __future__ import annotations

SCRATCH = ".chaosday-scratch"
"""The name of a file in the directory; what is in it does not matter."""
