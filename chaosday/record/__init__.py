"""What is written down: the run directory, the journal, the recorder, transactions.

Any room from ``undo`` and ``clients`` upwards may import it.
"""
