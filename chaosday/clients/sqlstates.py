"""What a server's error code says about the statement that it ended."""

from __future__ import annotations

DEFINITE = ("0A", "22", "23", "25", "28", "40001", "40002", "40P01", "42", "55", "57P03", "53300")
"""SQLSTATE classes and codes after which a statement provably had no effect.

The server reported an error of the statement itself and rolled it back (PostgreSQL 18, appendix A). Class 57 is not
among them: a backend that is shut down while it waits for a synchronous standby has committed locally.
Nor is 40003: it says that nobody knows whether the statement was completed.
"""
