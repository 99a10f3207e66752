"""Whether a primary has standbys that stream from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import ANSWER_S, Probe, ProbeReading
from chaosday.model.target import Postgres, Target


class PostgresReplicating(Probe):
    """Healthy when at least ``standbys`` are in state streaming (pg_stat_replication) on the target."""

    kind: Literal["postgresql.replicating"] = "postgresql.replicating"
    standbys: int = Field(default=1, ge=1)
    synchronous: bool = False
    """Count only standbys that a commit waits for."""

    def read(self, target: Target) -> ProbeReading:
        import psycopg

        condition = "and sync_state in ('sync', 'quorum')" if self.synchronous else ""
        query = f"select count(*) from pg_stat_replication where state = 'streaming' {condition}"  # noqa: S608
        try:
            with target.capability(Postgres).connect(timeout_s=3, answer_s=ANSWER_S) as connection:
                count = int(connection.execute(query).fetchone()[0])
        except (ChaosdayError, psycopg.Error) as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error).splitlines()[0])
        return ProbeReading(
            probe=self.kind,
            healthy=count >= self.standbys,
            value=count,
            unit="standbys",
            words=f"{count} of {self.standbys} standbys streaming{' synchronously' if self.synchronous else ''}",
        )
