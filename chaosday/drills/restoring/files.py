"""SQLite and DuckDB: databases that are a file, whose backup is another file or a folder."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from chaosday.data.physical.sqlite_file import observe_sqlite
from chaosday.drills.restoring.ledgers import LedgerSubject
from chaosday.errors import TargetUnreachable
from chaosday.servers.account import Account
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.sqlite_file import SQLiteFile
from chaosday.workloads.ledger import Ledger

TIMEOUT_S = 3600.0


class FileSubject(LedgerSubject):
    """A database in one file. ``file_copy`` is what ``cp`` does: the file alone, whatever stands beside it."""

    def __init__(
        self, source: SQLiteFile | DuckDBFile, ledger: Ledger, account: Account, folder: Path, method: str
    ) -> None:
        super().__init__(source, ledger, account, folder)
        self.source, self.method = source, method
        self.copied = folder / f"restored{source.path.suffix}"
        self.kept = folder / f"backup{source.path.suffix}"

    def require(self) -> None:
        self.source.reach()

    def bring_up(self) -> None:
        began_s = time.monotonic()
        if self.method == "export":
            self._load()
        else:
            shutil.copyfile(self.kept, self.copied)
        self.parts["restore_s"] = time.monotonic() - began_s

    def copy(self) -> SQLiteFile | DuckDBFile:
        return self.source.model_copy(update={"path": self.copied})

    def take(self) -> dict[str, Any]:
        takes: dict[str, Callable[[], object]] = {
            "online": self._online,
            "export": self._export,
            "file_copy": lambda: shutil.copyfile(self.source.path, self.kept),
        }
        takes[self.method]()
        return {}

    def _online(self) -> None:
        raise NotImplementedError

    def _export(self) -> None:
        raise NotImplementedError

    def _load(self) -> None:
        raise NotImplementedError


class SQLiteBackup(FileSubject):
    """``online`` is SQLite's own backup API, which ``.backup`` calls; ``export`` its ``.dump``, one snapshot as text.

    https://www.sqlite.org/backup.html
    """

    def physical(self) -> dict[str, Any]:
        return {"sqlite_integrity": observe_sqlite(self.copied)} if self.copied.is_file() else {}

    def _online(self) -> None:
        until = time.monotonic() + TIMEOUT_S

        def told(*_: object) -> None:
            # It is also called each time that it was kept from going on by a writer.
            if time.monotonic() > until:
                raise TargetUnreachable(f"the backup of {self.source.path} did not end within {TIMEOUT_S:g} s")

        with self._source() as source, closing(sqlite3.connect(self.kept)) as kept:
            try:
                source.backup(kept, progress=told)
            except sqlite3.Error as error:
                raise TargetUnreachable(f"the backup of {self.source.path} failed: {error}") from None

    def _export(self) -> None:
        with self._source() as source, self.kept.open("w", encoding="utf-8") as file:
            try:
                source.execute("begin")
                file.writelines(f"{statement}\n" for statement in source.iterdump())
            except sqlite3.Error as error:
                raise TargetUnreachable(f"the export of {self.source.path} failed: {error}") from None

    def _load(self) -> None:
        said = ""
        with (
            closing(sqlite3.connect(self.copied, isolation_level=None)) as copy,
            self.kept.open(encoding="utf-8", newline="") as file,
        ):
            # Behind a table's definition whoever has the source may have written more, which SQLite itself reads over
            # and a dump repeats: no other file is opened by it, or written (VACUUM INTO attaches one, too).
            copy.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            try:
                for line in file:
                    said += line
                    if sqlite3.complete_statement(said):
                        copy.execute(said)
                        said = ""
            except sqlite3.Error as error:
                raise TargetUnreachable(f"the export could not be loaded: {error}") from None

    def _source(self) -> Any:
        where = f"{self.source.path.absolute().as_uri()}?mode=ro"
        return closing(sqlite3.connect(where, uri=True, timeout=60, isolation_level=None))


class DuckDBBackup(FileSubject):
    """``export`` is ``EXPORT DATABASE`` as Parquet: of a file that one process has at a time, so that clients pause.

    https://duckdb.org/docs/stable/sql/statements/export
    """

    @property
    def alone(self) -> bool:  # type: ignore[override]
        return self.method == "export"

    def _export(self) -> None:
        self._do(self.source.path, f"export database {_text(self.kept)} (format parquet)")

    def _load(self) -> None:
        self._do(self.copied, f"import database {_text(self.kept)}")

    def _do(self, path: Path, statement: str) -> None:
        import duckdb

        try:
            with closing(duckdb.connect(str(path))) as connection:
                # A view may read any file and any address: it has the database, and the folder of the export.
                connection.execute(f"set allowed_directories = [{_text(self.kept)}]")
                connection.execute("set enable_external_access = false")
                connection.execute(statement)
        except duckdb.Error as error:
            raise TargetUnreachable(f"{path}: {str(error).splitlines()[0]}") from None


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
