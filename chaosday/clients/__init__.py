"""What workloads and checks share: clients that ask, pace and record; what ledgers, banks and objects hold; the driver.

Any room from ``workloads``, ``stores`` and ``judging`` upwards may import it.
"""
