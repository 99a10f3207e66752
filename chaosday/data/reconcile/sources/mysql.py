"""Rows of MySQL or MariaDB, out of one consistent snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.staging import stage_rows
from chaosday.data.reconcile.sql import listed, statement, tick
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable, UsageError

BINARY = 63
_DENIED = {1044, 1045, 1142, 1143, 1227, 1698}
_WRONG = {1049, 1054, 1064, 1060, 1109, 1146, 1305}
_KINDS = {
    "TINY": "int", "SHORT": "int", "LONG": "int", "INT24": "int", "LONGLONG": "int", "YEAR": "int",
    "DECIMAL": "decimal", "NEWDECIMAL": "decimal", "FLOAT": "float32", "DOUBLE": "float", "DATE": "date",
    "NEWDATE": "date", "TIME": "time", "DATETIME": "timestamp", "TIMESTAMP": "timestamptz", "JSON": "json",
    "BIT": "bytes", "GEOMETRY": "bytes",
}  # fmt: skip


class MysqlSource:
    """A MySQL or MariaDB side; times are read in UTC, numbers as the text the server writes."""

    def __init__(self, side: Side, label: str) -> None:
        self.label = label
        self.notes: list[str] = []
        self.expected_rows: int | None = None
        self.connection = self._connect(side)
        parts = [tick(part) for part in side.table.split(".")]
        self.relation = side.subquery if side.query else ".".join(parts)
        try:
            self._ask("set session transaction isolation level repeatable read")
            self._ask("set time_zone = '+00:00'")
            self.fields, self.exported = self._describe()
            self.fingerprint = self._fingerprint()
            self._ask("start transaction with consistent snapshot, read only")
        except ChaosdayError:
            self.close()
            raise

    def stage(self, workspace: Workspace) -> str:
        columns = listed(self.exported)
        sql = statement("select {columns} from {relation} t", columns=columns, relation=self.relation)
        return stage_rows(workspace, self.label, self.fields, self._rows(sql))

    def changed(self) -> bool:
        self._ask("commit")
        return self._fingerprint() != self.fingerprint

    def close(self) -> None:
        self.connection.close()

    def _connect(self, side: Side) -> Any:
        try:
            import pymysql
        except ImportError:
            raise CapabilityMissing("MySQL needs a driver: pip install 'chaosday[databases]'") from None
        parts = urlsplit(side.url)
        try:
            return pymysql.connect(
                host=parts.hostname or "localhost",
                port=parts.port or 3306,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                database=unquote(parts.path.removeprefix("/")) or None,
                charset="utf8mb4",
                conv={},
                connect_timeout=10,
                autocommit=True,
            )
        except pymysql.Error as error:
            raise self._explained(error) from None

    def _ask(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        import pymysql

        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)
                rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
                return rows
        except pymysql.Error as error:
            raise self._explained(error) from None

    def _rows(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        import pymysql
        from pymysql.cursors import SSCursor

        try:
            with self.connection.cursor(SSCursor) as cursor:
                cursor.execute(sql)
                while rows := cursor.fetchmany(20_000):
                    yield rows
        except pymysql.Error as error:
            raise self._explained(error) from None

    def _describe(self) -> tuple[list[Field], list[str]]:
        import pymysql
        from pymysql.constants import FIELD_TYPE

        names = {number: name for name, number in vars(FIELD_TYPE).items() if isinstance(number, int)}
        names[FIELD_TYPE.TINY], names[FIELD_TYPE.TIME] = "TINY", "TIME"
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement("select * from {relation} t limit 0", relation=self.relation))
                described = cursor._result.fields
        except pymysql.Error as error:
            raise self._explained(error) from None
        fields, exported = [], []
        for column in described:
            word = names.get(column.type_code, "VARCHAR")
            # BOOLEAN is a TINYINT of width one here; other numbers than 0 and 1 in it keep their digits.
            kind = (
                "bool"
                if word == "TINY" and column.length == 1
                else _KINDS.get(word) or ("bytes" if column.charsetnr == BINARY else "text")
            )
            fields.append(Field(column.name, kind, word.lower(), "native" if kind == "bytes" else "text", "mysql"))
            name = f"t.{tick(column.name)}"
            # A FLOAT prints six digits; as a DOUBLE it prints all that it has.
            exported.append(f"cast({name} as double)" if word == "FLOAT" else name)
        return fields, exported

    def _fingerprint(self) -> tuple[tuple[Any, ...], ...]:
        """Count and checksum of the rows as they are now, to tell a write from no write."""
        cells = listed(f"coalesce(hex({name}), '-')" for name in self.exported)
        row = f"crc32(concat_ws(',', {cells}))"
        sql = "select count(*), bit_xor({row}), sum({row}) from {relation} t"
        return self._ask(statement(sql, row=row, relation=self.relation))

    def _explained(self, error: Exception) -> ChaosdayError:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = re.sub(r"\s+", " ", str(error.args[1] if len(error.args) > 1 else error))
        if number in _DENIED:
            return AccessDenied(f"the {self.label} side refused us: {said}; grant SELECT to this user")
        if number in _WRONG:
            return UsageError(f"the {self.label} side cannot be read as asked: {said}")
        return TargetUnreachable(f"the {self.label} side gave no answer: {said}; check that it is up")
