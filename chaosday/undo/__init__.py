"""How everything ends: leases, the watchdog, recovery, ending what a dead run left.

Any room from ``stores``, ``faults`` and ``running`` upwards may import it.
"""
