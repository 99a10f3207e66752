"""Corruptions: known damage, planted in copies, stated exactly."""
