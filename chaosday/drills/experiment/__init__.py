"""Experiments: faults under a workload, and whether what was acknowledged is still there."""
