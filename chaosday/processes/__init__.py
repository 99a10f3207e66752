"""This machine's processes: what runs, which are ours, a shell, pipes across forks, limits to what is waited for.

Any room from ``record`` upwards may import it.
"""
