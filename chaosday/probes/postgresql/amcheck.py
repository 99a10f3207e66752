"""pg_amcheck's word on the structure of tables and indexes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.hosts.postgres_tools import observe_amcheck, tools_of
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import ServerFiles, Target


class PostgresAmcheck(Probe):
    """Runs pg_amcheck on the target; the check ``amcheck`` judges what it printed.

    The database needs the extension amcheck, and the user has to be allowed to use it.
    """

    kind: Literal["postgresql.amcheck"] = "postgresql.amcheck"
    longest_s: ClassVar[float] = LONG_S
    tables: list[str] = Field(default=[], description="Patterns of tables; none is every table")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe(target)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        words = f"pg_amcheck examined {said['pages']} pages and ended with {said['exit_code']}"
        healthy = {0: True, 2: False}.get(said["exit_code"])
        return ProbeReading(probe=self.kind, healthy=healthy, value=said["pages"], unit="pages", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"amcheck": self._observe(target)}

    def _observe(self, target: Target) -> dict[str, Any]:
        tools, server = tools_of(target.capability(ServerFiles))
        return observe_amcheck(tools, server, self.tables)
