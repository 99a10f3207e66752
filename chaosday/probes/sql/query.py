"""A query of your own as a probe, of any SQL database."""

from __future__ import annotations

from contextlib import closing
from typing import Literal

from pydantic import Field

from chaosday.clients.tables import ended_after, limited, told
from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
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
        if not row or row[0] is None:
            return ProbeReading(probe=self.kind, healthy=None, words="the query returned nothing")
        try:
            value = float(row[0])
        except (TypeError, ValueError):
            return ProbeReading(probe=self.kind, healthy=None, words="the query did not return a number")
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return ProbeReading(probe=self.kind, healthy=low and high, value=value, words=f"the query returned {value:g}")
