"""A query of your own as a probe, of any SQL database."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

from pydantic import Field

from chaosday.clients.tables import ended_after, limited, told
from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading, within
from chaosday.model.sql import Sql
from chaosday.model.target import Target


class SqlQuery(Probe):
    """One number from one row, healthy between ``at_least`` and ``at_most``; no row is no answer.

    The query runs in a read-only transaction. A DuckDB file that another process has open gives no answer.
    """

    kind: Literal["sql.query"] = "sql.query"
    query: str = "select 1"
    at_least: float | None = Field(default=None, title="At least")
    at_most: float | None = Field(default=None, title="At most")
    timeout_ms: int = Field(default=3000, ge=1)

    def read(self, target: Target) -> ProbeReading:
        timeout_s = self.timeout_ms / 1000
        try:
            sql = target.capability(Sql)
            with closing(sql.open(timeout_s=timeout_s, answer_s=timeout_s + GRACE_S)) as connection, told(sql):
                limited(connection, timeout_s)
                for statement in sql.dialect.read_only:
                    connection.execute(statement)
                with ended_after(sql, connection, timeout_s):
                    row = connection.execute(self.query).fetchone()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        return within(self.kind, row, self.at_least, self.at_most)
