"""Whether a server takes writes, on a real pair: acknowledged, refused, waited for in vain; and no session stays."""

from __future__ import annotations

import pytest

from chaosday.model.target import Postgres
from chaosday.probes.postgresql.takes_writes import PostgresTakesWrites
from chaosday.servers.ports import free_port
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL

pytestmark = pytest.mark.lab


def test_a_commit_that_nobody_confirms_is_no_acknowledgement(pair: tuple[Node, Node]) -> None:
    """A primary does and its standby does not; one that waits for who never comes says nothing, and holds nobody."""
    primary, standby = (PostgreSQL.model_validate(node.target()) for node in pair)
    probe = PostgresTakesWrites(timeout_ms=300)
    assert PostgresTakesWrites(timeout_ms=30_000).read(primary).healthy is True
    assert PostgresTakesWrites(timeout_ms=30_000).read(standby).healthy is False
    assert probe.read(primary.on_port(free_port())).healthy is False
    with primary.capability(Postgres).connect() as connection:
        named = connection.execute("show synchronous_standby_names").fetchone()[0]
        connection.execute("alter system set synchronous_standby_names = 'nobody_comes'")
        connection.execute("select pg_reload_conf()")
        try:
            while connection.execute("show synchronous_standby_names").fetchone()[0] != "nobody_comes":
                pass
            for _ in range(3):
                assert probe.read(primary).healthy is None
            waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
            assert connection.execute(waiting).fetchone() == (0,)
        finally:
            connection.execute(f"alter system set synchronous_standby_names = '{named}'")
            connection.execute("select pg_reload_conf()")
