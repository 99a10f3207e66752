"""How faults do what they do, one folder per place that is hurt.

Any room from ``faults`` and ``stores`` upwards may import it.
"""
