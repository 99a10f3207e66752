"""Can a cluster be backed up now, and does the backup hold what its manifest promises?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.data.physical.backup import observe_backup
from chaosday.errors import ChaosdayError, TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import tools_of
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import ServerFiles, Target
from chaosday.servers.account import owner_of


class PostgresBackup(Probe):
    """Takes a base backup and runs pg_verifybackup on it; the check ``pg_verifybackup`` judges what it said.

    The copy needs as much room as the cluster, in the system's folder for temporary files.
    """

    kind: Literal["postgresql.backup"] = "postgresql.backup"
    longest_s: ClassVar[float] = LONG_S

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe(target)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        words = f"pg_verifybackup ended with {said['exit_code']} over {said['files']} files"
        healthy = None if not said["files"] else said["exit_code"] == 0
        return ProbeReading(probe=self.kind, healthy=healthy, value=said["files"], unit="files", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"pg_verifybackup": self._observe(target)}

    def _observe(self, target: Target) -> dict[str, Any]:
        files = target.capability(ServerFiles)
        tools, server = tools_of(files)
        with tempfile.TemporaryDirectory(prefix="chaosday-backup-") as folder:
            if files.data_directory is not None:
                owner_of(files.data_directory).own(Path(folder))
            into = Path(folder) / "backup"
            options = ["-D", str(into), "-c", "fast", "-X", "stream", "--no-sync"]
            done = tools.run("pg_basebackup", *server.arguments, *options, at=server)
            if done.exit_code:
                raise TargetUnreachable(f"pg_basebackup failed: {(done.lines or ['it printed nothing'])[-1]}")
            return observe_backup(tools, into)
