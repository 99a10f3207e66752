"""Figures, each by one command: ``python -m benchmarks NAME [--quick] [--json]``. They print and never assert a time."""
