"""Tests of `chaosday/data/connections/`."""
