"""Figures, each by one command: ``python -m benchmarks NAME [--quick] [--json]``; they never assert a time."""
