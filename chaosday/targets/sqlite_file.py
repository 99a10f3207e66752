"""A SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.errors import TargetUnreachable
from chaosday.model.lease import LeaseHolder
from chaosday.model.sql import Sql
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.sqlite import SQLiteStore, database
from chaosday.undo.row_leases import RowLeases


class SQLiteFile(Target):
    """A file of this machine; it is made by the first workload that writes to it."""

    kind: Literal["sqlite_file"] = "sqlite_file"
    here: ClassVar[bool] = True
    path: Path = Path("chaosday.sqlite")

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Sql, Store and LeaseHolder."""
        sql = database(self.path)
        return {Sql: sql, Store: SQLiteStore(self.path), LeaseHolder: RowLeases(sql)}

    def reach(self) -> str:
        """Say which library would open it; the folder has to be there."""
        if not self.path.parent.is_dir():
            raise TargetUnreachable(f"{self.path.parent} is not a directory")
        return f"SQLite {sqlite3.sqlite_version}, {self.path}"
