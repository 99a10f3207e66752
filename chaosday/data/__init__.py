"""Data sets compared, described, examined and read.

Any room from ``checks`` and ``probes`` upwards may import it.
"""
