"""Standbys that really stream before anything is asked of them."""

from __future__ import annotations

from chaosday.clock import SystemClock
from chaosday.errors import TargetUnreachable
from chaosday.model.experiment import Settle
from chaosday.model.target import Postgres, Target
from chaosday.probes.postgresql.replicating import PostgresReplicating
from chaosday.running.settling import settled
from chaosday.servers.postgres import Node


def until_streaming(database: Target, standbys: list[Node], synchronous_standby_names: str) -> None:
    """Set whom commits wait for, where there is anybody, and wait for every standby; ``TargetUnreachable`` else."""
    if synchronous_standby_names:
        with database.capability(Postgres).connect() as connection:
            connection.execute(f"alter system set synchronous_standby_names = '{synchronous_standby_names}'")
            connection.execute("select pg_reload_conf()")
    probe = PostgresReplicating(standbys=len(standbys), synchronous=bool(synchronous_standby_names))
    done = settled(Settle(), probe, database, SystemClock())
    if not done.settled:
        said = "; ".join(node.last_words() for node in standbys)
        raise TargetUnreachable(f"the standbys do not stream: {done.words}; their logs end: {said}")
