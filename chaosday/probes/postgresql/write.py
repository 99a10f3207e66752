"""Readiness by a real write: the only question whose answer means that clients can write."""

from __future__ import annotations

import contextlib
from typing import Literal

from chaosday.clients.published import refuse_published
from chaosday.clients.sql import alone, execute_all
from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
from chaosday.model.target import Postgres, Target


class PostgresWrite(Probe):
    """Commit one row to a heartbeat table of ours and read it back.

    "The port is open" and "the standby says it is streaming" are both true long before a commit
    returns, so neither is asked. The table ``chaosday.heartbeat`` holds one row.
    """

    kind: Literal["postgresql.write"] = "postgresql.write"
    timeout_ms: int = 3000

    def read(self, target: Target) -> ProbeReading:
        import psycopg

        try:
            with (
                target.capability(Postgres).connect(
                    timeout_s=self.timeout_ms / 1000, answer_s=self.timeout_ms / 1000 + GRACE_S
                ) as connection,
                alone(connection),
            ):
                connection.execute(f"set local statement_timeout = {self.timeout_ms}")
                refuse_published(connection)
                connection.execute("create schema if not exists chaosday")
                connection.execute("create table if not exists chaosday.heartbeat (one int primary key, beats bigint)")
                beats = connection.execute(
                    "insert into chaosday.heartbeat values (1, 1) "
                    "on conflict (one) do update set beats = heartbeat.beats + 1 returning beats"
                ).fetchone()[0]
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        except psycopg.Error as error:
            words = getattr(error, "sqlstate", None) or "connection lost"
            return ProbeReading(probe=self.kind, healthy=False, words=f"the write failed: {words}")
        return ProbeReading(probe=self.kind, healthy=True, value=float(beats), unit="beats", words="a write committed")

    def clean_up(self, target: Target) -> None:
        import psycopg

        with target.capability(Postgres).connect() as connection:
            execute_all(connection, "drop table if exists chaosday.heartbeat")
            # Somebody else's tables keep the schema, and it is theirs then.
            with contextlib.suppress(psycopg.Error):
                connection.execute("drop schema if exists chaosday")
