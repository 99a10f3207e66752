"""A Great Expectations suite as a monitor: does it notice?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.data.expectations import Expectation, error_in, named, validated
from chaosday.data.frame_types import of_rows
from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
from chaosday.model.target import Postgres, Target


class PostgresExpectations(Probe):
    """Validates a suite on the rows of a query, healthy when every expectation is met.

    No rows, and an expectation that could not be evaluated, are no answer: most suites pass on nothing.
    """

    kind: Literal["postgresql.expectations"] = "postgresql.expectations"
    query: str = Field(default="select 1 as id", min_length=1)
    key: str = Field(default="id", description="Column that tells rows apart")
    suite: list[Expectation] = [Expectation()]
    timeout_ms: int = Field(default=30_000, ge=1)

    def read(self, target: Target) -> ProbeReading:
        import psycopg

        try:
            with target.capability(Postgres).connect(
                timeout_s=5, answer_s=self.timeout_ms / 1000 + GRACE_S
            ) as connection:
                # For this transaction alone: what is set for a session stays with a pooler's connection, for others.
                connection.execute("begin read only")
                connection.execute(f"set local statement_timeout = {self.timeout_ms}")
                asked = connection.execute(self.query)
                frame = of_rows([column.name for column in asked.description or []], asked.fetchall())
                connection.execute("rollback")
            if frame.empty or not self.suite:
                return ProbeReading(probe=self.kind, healthy=None, words="there was nothing to validate")
            results = validated(frame, self.suite, self.key)
        except psycopg.Error as error:
            words = f"the query failed: {error.sqlstate or 'no answer'}"
            return ProbeReading(probe=self.kind, healthy=None, words=words)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        if errors := [said for result in results if (said := error_in(result))]:
            return ProbeReading(probe=self.kind, healthy=None, words=f"could not be evaluated: {errors[0]}")
        unmet = [named(each) for each, result in zip(self.suite, results, strict=True) if not result["success"]]
        words = f"{len(results) - len(unmet)} of {len(results)} met on {len(frame):,} rows"
        words += f"; not {', '.join(unmet[:3])}" if unmet else ""
        return ProbeReading(probe=self.kind, healthy=not unmet, value=len(unmet), unit="unmet", words=words)
