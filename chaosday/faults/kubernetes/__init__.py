"""Faults of a Kubernetes cluster and of what runs in it."""
