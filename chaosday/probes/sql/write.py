"""Readiness by a real write to any SQL database: the only question whose answer means that clients can write."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

from chaosday.clients.tables import drop_table, limited, make_table, told
from chaosday.errors import AccessDenied, ChaosdayError, Refused, TargetUnreachable
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
from chaosday.model.sql import Sql
from chaosday.model.target import Target

TABLE = "beats"


class SqlWrite(Probe):
    """Commit one row to a table of ours, ``chaosday_beats`` (in PostgreSQL ``chaosday.beats``), and read it back."""

    kind: Literal["sql.write"] = "sql.write"
    timeout_ms: int = 3000

    def read(self, target: Target) -> ProbeReading:
        timeout_s = self.timeout_ms / 1000
        try:
            sql = target.capability(Sql)
            connection = sql.open(timeout_s=timeout_s, answer_s=timeout_s + GRACE_S)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        table = sql.dialect.table(TABLE)
        try:
            with closing(connection), told(sql):
                limited(connection, timeout_s)
                make_table(sql, TABLE, "one int primary key, beats bigint not null", wait_s=timeout_s + GRACE_S)
                with connection.transaction():
                    connection.execute(sql.dialect.insert_new(table, "one", "beats"), (1, 0))
                    connection.execute(f"update {table} set beats = beats + 1 where one = 1")  # noqa: S608
                row = connection.execute(f"select beats from {table} where one = 1").fetchone()  # noqa: S608
        except (TargetUnreachable, AccessDenied) as error:
            return ProbeReading(probe=self.kind, healthy=False, words=f"the write failed: {error}")
        except Refused as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        if row is None:
            return ProbeReading(probe=self.kind, healthy=False, words="what was committed is not there")
        return ProbeReading(probe=self.kind, healthy=True, value=float(row[0]), unit="beats", words="a write committed")

    def clean_up(self, target: Target) -> None:
        drop_table(target.capability(Sql), TABLE)
