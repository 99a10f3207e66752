"""Filters, queues and shapers of packets: what network faults are made of."""
