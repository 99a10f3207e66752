"""``pg_verifybackup`` run on a base backup, and its words kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import PostgresTools


def observe_backup(tools: PostgresTools, backup: Path, *, wal: bool = True) -> dict[str, Any]:
    """Verify a plain base backup against its manifest; ``wal`` parses the WAL that it needs, too.

    Gives ``exit_code``, ``version``, ``lines``, ``files`` (how many the manifest promises; 0 if it cannot
    be read) and ``checksums`` (whether the cluster that was backed up keeps page checksums).
    """
    if not backup.is_dir():
        raise TargetUnreachable(f"there is no backup in {backup}")
    done = tools.run("pg_verifybackup", *([] if wal else ["--no-parse-wal"]), str(backup))
    control = tools.run("pg_controldata", "-D", str(backup))
    found = re.search(r"Data page checksum version:\s+(\d+)", control.out)
    return {
        "tool": "pg_verifybackup",
        "command": [*done.command[:-1], backup.name],
        "exit_code": done.exit_code,
        "version": tools.version("pg_verifybackup"),
        "lines": [line.replace(str(backup), backup.name) for line in done.lines],
        "files": _promised(backup / "backup_manifest"),
        "checksums": found[1] != "0" if found else None,
    }


def _promised(path: Path) -> int:
    try:
        return len(json.loads(path.read_text())["Files"])
    except (OSError, ValueError, KeyError):
        return 0
