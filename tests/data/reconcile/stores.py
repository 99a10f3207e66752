"""Tables of the oracle's values, made in any engine."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tests.data.reconcile.oracle import KINDS, text
from tests.data.reconcile.servers import Postgres

Rows = Sequence[Sequence[Any]]
_numbers = itertools.count()


@dataclass
class Stores:
    """Makes tables with integer keys ``k0`` ... and a column for each kind; gives the side to compare."""

    folder: Path
    server: Postgres | None = None
    mariadb: str = ""
    _connections: dict[str, Any] = field(default_factory=dict)

    @property
    def engines(self) -> list[str]:
        """The engines there are."""
        servers = [*(["postgresql"] if self.server else []), *(["mariadb"] if self.mariadb else [])]
        return [*servers, "sqlite", "duckdb", "parquet", "csv"]

    def make(self, engine: str, keys: int, kinds: Sequence[str], rows: Rows) -> str:
        """A new table: ``keys`` integers, then a value (or None) of each kind, in every row."""
        name = f"o{next(_numbers)}"
        columns = [f"k{number}" for number in range(keys)] + [f"c{number}" for number in range(len(kinds))]
        types = ["int"] * keys + [KINDS[kind].declared[engine] for kind in kinds]
        declared = ", ".join(f"{column} {kind}" for column, kind in zip(columns, types, strict=True))
        create = f"create table {name} ({declared})"
        if engine == "sqlite":
            return self._sqlite(name, create, kinds, keys, rows)
        spelled = [
            [*map(str, row[:keys]), *(None if v is None else v if isinstance(v, Spelled) else text(kind, engine, v)
                                      for kind, v in zip(kinds, row[keys:], strict=True))]
            for row in rows
        ]  # fmt: skip
        if engine == "csv":
            return self._csv(name, columns, spelled)
        if engine == "postgresql":
            return self._postgres(name, create, spelled)
        if engine == "mariadb":
            return self._mariadb(name, create, kinds, keys, spelled)
        return self._duckdb(name, engine, columns, types, spelled)

    def _csv(self, name: str, columns: list[str], rows: list[list[str | None]]) -> str:
        path = self.folder / f"{name}.csv"
        lines = [",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row) for row in rows]
        path.write_text("\n".join([",".join(columns), *lines, ""]), newline="")
        return str(path)

    def _sqlite(self, name: str, create: str, kinds: Sequence[str], keys: int, rows: Rows) -> str:
        path = self.folder / f"{name}.db"
        database = sqlite3.connect(path)
        database.execute(create)
        native = {"int", "unsigned", "float", "bytes", "bool", "text"}
        given = [
            (*row[:keys], *(v if v is None or kind in native else text(kind, "sqlite", v)
                            for kind, v in zip(kinds, row[keys:], strict=True)))
            for row in rows
        ]  # fmt: skip
        marks = ", ".join("?" * (keys + len(kinds)))
        database.executemany(f"insert into {name} values ({marks})", given)
        database.commit()
        database.close()
        return f"sqlite:///{path}#{name}"

    def _duckdb(
        self, name: str, engine: str, columns: list[str], types: list[str], rows: list[list[str | None]]
    ) -> str:
        path = self.folder / f"{name}.duckdb"
        arriving = pa.table({c: pa.array([row[i] for row in rows], pa.string()) for i, c in enumerate(columns)})
        cast = ", ".join(
            f"from_hex({c}[3:]) as {c}" if kind == "blob" else f"{c}::{kind} as {c}"
            for c, kind in zip(columns, types, strict=True)
        )
        with duckdb.connect(str(path) if engine == "duckdb" else ":memory:") as database:
            database.execute("set timezone = 'UTC'")
            database.register("arriving", arriving)
            database.execute(f"create table {name} as select {cast} from arriving")
            if engine == "parquet":
                database.execute(f"copy {name} to '{self.folder}/{name}.parquet' (format parquet)")
                return f"{self.folder}/{name}.parquet"
        return f"duckdb:///{path}#{name}"

    def _postgres(self, name: str, create: str, rows: list[list[str | None]]) -> str:
        import psycopg

        assert self.server
        if "postgresql" not in self._connections:
            self._connections["postgresql"] = psycopg.connect(self.server.url, autocommit=True)
        connection = self._connections["postgresql"]
        connection.execute(create)
        with connection.cursor().copy(f"copy {name} from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        return f"{self.server.url}#{name}"

    def _mariadb(self, name: str, create: str, kinds: Sequence[str], keys: int, rows: list[list[str | None]]) -> str:
        import pymysql

        if "mariadb" not in self._connections:
            port = int(self.mariadb.rpartition(":")[2].partition("/")[0])
            self._connections["mariadb"] = pymysql.connect(
                host="127.0.0.1",
                port=port,
                user="lab",
                password="lab",
                database="d",
                autocommit=True,
                charset="utf8mb4",
            )
        marks = ", ".join(["%s"] * keys + ["unhex(substr(%s, 3))" if kind == "bytes" else "%s" for kind in kinds])
        with self._connections["mariadb"].cursor() as cursor:
            cursor.execute("set time_zone = '+00:00'")
            cursor.execute(create)
            if rows:
                cursor.executemany(f"insert into {name} values ({marks})", rows)
        return f"{self.mariadb}#{name}"

    def close(self) -> None:
        """Let go of the servers."""
        for connection in self._connections.values():
            connection.close()


class Spelled(str):
    """A text to be written as it is: another spelling of a value."""
