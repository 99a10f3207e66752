"""A first experiment for somebody's own system: small, whole, and written to be read and changed."""

from __future__ import annotations

from urllib.parse import urlsplit

from chaosday.errors import UsageError

POSTGRESQL = """\
# Aim chaosday at your own PostgreSQL. Everything disturbing happens in a proxy on this machine, in front of the
# database: only chaosday's own clients go through it. It writes to tables of its own in the schema `chaosday`.
# The password comes from $PGPASSWORD or ~/.pgpass.
title: Clients lose their connections
hypothesis: Every write that was acknowledged is still there after the clients' connections have been reset.
seed: 1

targets:
  database:
    kind: postgresql
    host: {host}
    port: {port}
    user: {user}
    database: {database}
    via: door
  door:
    kind: proxy_route
    upstream: {host}:{port}

workloads:
  - {{kind: ledger, target: database, clients: 4}}
  - {{kind: bank, target: database}}

steady_state:
  - {{kind: postgresql.write, target: database}}

faults:
  - at_s: 0
    fault: {{kind: network.proxy.latency, target: door, delay_ms: 20}}
  - at_s: 2
    fault: {{kind: network.proxy.reset, target: door}}

settle:
  probe: {{kind: postgresql.write, target: database}}

checks:
  - {{kind: ledger}}
  - {{kind: bank}}

baseline_s: 3
fault_window_s: 3
after_s: 2
loss_rate_to_see: 0.01
"""


def starter(address: str) -> str:
    """The experiment file for ``postgresql://user@host:port/database``; ``UsageError`` says what the address lacks."""
    try:
        parts = urlsplit(address)
        port = parts.port or 5432
    except ValueError:
        # What the standard library says of it repeats a part, which may be half a password.
        raise UsageError(
            "the address cannot be read; an address is written postgresql://user@host:5432/database"
        ) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise UsageError("an address is written postgresql://user@host:5432/database; other systems: docs/reference.md")
    if parts.password:
        raise UsageError("leave the password out, this goes into a file: export PGPASSWORD, or put it into ~/.pgpass")
    host, user, database = parts.hostname or "127.0.0.1", parts.username or "postgres", parts.path.strip("/")
    return POSTGRESQL.format(host=host, port=port, user=user, database=database or user)
