"""What workloads and checks share: clients that ask, pace and record; content of ledgers, banks and objects; the driver.

Any room from ``workloads``, ``stores`` and ``judging`` upwards may import it.
"""
