"""pg_checksums' word on every page, from a disposable copy of the running cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.hosts.postgres_tools import disposable_copy, largest_table, observe_checksums, tools_of
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import ServerFiles, Target
from chaosday.servers.account import owner_of


class PostgresChecksums(Probe):
    """Copies the cluster with pg_basebackup, lets the copy recover, and runs pg_checksums on it; the
    check ``pg_checksums`` judges what it printed. The user has to be allowed to replicate.

    The copy needs as much room as the cluster, in the system's folder for temporary files.
    """

    kind: Literal["postgresql.checksums"] = "postgresql.checksums"
    longest_s: ClassVar[float] = LONG_S
    slice_schema: str = Field(default="chaosday", description="Schema of whose largest table some pages are kept")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe(target)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        words = (
            f"pg_checksums read {said['blocks']} pages, {said['bad']} of them bad, and ended with {said['exit_code']}"
        )
        healthy = None if not said["blocks"] else said["bad"] == 0 and said["exit_code"] == 0
        return ProbeReading(probe=self.kind, healthy=healthy, value=said["bad"], unit="bad pages", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"pg_checksums": self._observe(target)}

    def _observe(self, target: Target) -> dict[str, Any]:
        files = target.capability(ServerFiles)
        tools, server = tools_of(files)
        # Not in the run's own folder: the account that owns the cluster may not be let in there.
        with tempfile.TemporaryDirectory(prefix="chaosday-copy-") as folder:
            if files.data_directory is not None:
                owner_of(files.data_directory).own(Path(folder))
            relation = largest_table(tools, server, self.slice_schema)
            return observe_checksums(tools, disposable_copy(tools, server, Path(folder) / "data"), relation=relation)
