"""SQLite's own ``integrity_check`` and ``foreign_key_check``, run on a file without writing to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable

LINES_KEPT = 1000


def observe_sqlite(path: Path) -> dict[str, Any]:
    """What SQLite says of a database: ``version``, ``pages``, ``lines`` (other than ok), ``foreign_keys``
    (rows without their parent) and ``error`` (why it could not be read to the end)."""
    if not path.is_file():
        raise TargetUnreachable(f"there is no file {path}")
    said: dict[str, Any] = {
        "tool": "sqlite integrity_check",
        "version": sqlite3.sqlite_version,
        "path": path.name,
        "pages": 0,
        "finished": False,
        "lines": [],
        "foreign_keys": [],
        "error": "",
        "busy": False,
    }
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("begin")
        said["pages"] = int(connection.execute("pragma page_count").fetchone()[0])
        lines = [str(row[0]) for row in connection.execute(f"pragma integrity_check({LINES_KEPT})")]
        said["lines"] = [line for line in lines if line != "ok"]
        broken = connection.execute("pragma foreign_key_check").fetchmany(LINES_KEPT)
        said["foreign_keys"] = [f"{table} row {row} -> {parent}" for table, row, parent, _ in broken]
        said["finished"] = bool(lines)
    except sqlite3.Error as error:
        said["error"] = str(error).splitlines()[0]
        said["busy"] = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    finally:
        connection.close()
    return said
