"""A query of your own as a probe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
from chaosday.model.target import Postgres, Target


class PostgresQuery(Probe):
    """One number from one row, healthy between ``at_least`` and ``at_most``; no row is no answer.

    The query runs in a read-only transaction with a time-out.
    """

    kind: Literal["postgresql.query"] = "postgresql.query"
    query: str = "select 1"
    at_least: float | None = Field(default=None, title="At least")
    at_most: float | None = Field(default=None, title="At most")
    timeout_ms: int = Field(default=3000, ge=1)

    def read(self, target: Target) -> ProbeReading:
        import psycopg

        try:
            with target.capability(Postgres).connect(
                timeout_s=self.timeout_ms / 1000, answer_s=self.timeout_ms / 1000 + GRACE_S
            ) as connection:
                # For this transaction alone: what is set for a session stays with a pooler's connection, for others.
                connection.execute("begin read only")
                connection.execute(f"set local statement_timeout = {self.timeout_ms}")
                row = connection.execute(self.query).fetchone()
                connection.execute("rollback")
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        except psycopg.Error as error:
            return ProbeReading(
                probe=self.kind, healthy=None, words=f"the query failed: {error.sqlstate or 'no answer'}"
            )
        if not row or row[0] is None:
            return ProbeReading(probe=self.kind, healthy=None, words="the query returned nothing")
        try:
            value = float(row[0])
        except (TypeError, ValueError):
            return ProbeReading(probe=self.kind, healthy=None, words="the query did not return a number")
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return ProbeReading(probe=self.kind, healthy=low and high, value=value, words=f"the query returned {value:g}")
