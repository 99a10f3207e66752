"""This machine's processes: what runs, which are ours, a shell, pipes across forks.

Any room from ``record`` upwards may import it.
"""
