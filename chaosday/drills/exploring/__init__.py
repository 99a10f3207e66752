"""Exploring: schedules of faults are drawn until one violates, and that one is shrunk; a parameter is swept."""
