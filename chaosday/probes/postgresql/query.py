"""A query of your own as a probe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading, within
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
        return within(self.kind, row, self.at_least, self.at_most)
