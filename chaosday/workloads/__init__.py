"""Workloads: issue operations, record the History."""
