"""A database in a file, as an application has it: SQLite with a write-ahead log, or DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import UsageError

ENGINES = ("sqlite_file", "duckdb_file")


@contextmanager
def stand(folder: Path, *, engine: str = "sqlite_file") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target of the kind ``engine``)."""
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    path = folder / "application.db"
    if engine == "sqlite_file":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma journal_mode = wal")
    yield {"server": {"kind": engine, "path": str(path)}}
