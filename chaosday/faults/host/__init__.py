"""Faults on a whole host: its processors, memory, disks, clock, services."""
