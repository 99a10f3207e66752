"""A DuckDB database."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from chaosday.errors import TargetUnreachable
from chaosday.model.sql import Sql
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.stores.duckdb import DuckDBStore, database


class DuckDBFile(Target):
    """A file of this machine that no other process has open; it is made by the first workload that writes to it."""

    kind: Literal["duckdb_file"] = "duckdb_file"
    here: ClassVar[bool] = True
    path: Path = Path("chaosday.duckdb")

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Sql and Store."""
        return {Sql: database(self.path), Store: DuckDBStore(self.path)}

    def reach(self) -> str:
        """Say which library would open it; the folder has to be there."""
        if not self.path.parent.is_dir():
            raise TargetUnreachable(f"{self.path.parent} is not a directory")
        return f"DuckDB {version('duckdb')}, {self.path}"
