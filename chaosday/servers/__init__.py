"""Real servers started and stopped on this machine: the account they run as, their ports, PostgreSQL.

Any room from ``record`` upwards may import it.
"""
