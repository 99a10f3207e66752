"""Rows of MySQL or MariaDB, out of one consistent snapshot."""

from __future__ import annotations

from typing import Any

from chaosday.data.connections.mysql import Session
from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.kinds import Field
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sources.staging import stage_rows
from chaosday.data.reconcile.sql import listed, statement, tick
from chaosday.data.reconcile.workspace import Workspace
from chaosday.errors import ChaosdayError

BINARY = 63
NO_LIMIT = 2**64 - 1
_KINDS = {
    "TINY": "int", "SHORT": "int", "LONG": "int", "INT24": "int", "LONGLONG": "int", "YEAR": "int",
    "DECIMAL": "decimal", "NEWDECIMAL": "decimal", "FLOAT": "float32", "DOUBLE": "float", "DATE": "date",
    "NEWDATE": "date", "TIME": "time", "DATETIME": "timestamp", "TIMESTAMP": "timestamptz", "JSON": "json",
    "BIT": "bytes", "GEOMETRY": "bytes",
}  # fmt: skip


class MysqlSource:
    """A MySQL or MariaDB side; times are read in UTC, numbers as the text the server writes."""

    def __init__(self, side: Side, label: str, patience: Patience | None = None) -> None:
        self.label = label
        self.notes: list[str] = []
        self.expected_rows: int | None = None
        self.session = Session(side.url, label, patience)
        parts = [tick(part) for part in side.table.split(".")]
        self.relation = side.subquery if side.query else ".".join(parts)
        try:
            self.session.ask("set session transaction isolation level repeatable read")
            # A server may be told to end every answer after so many rows.
            self.session.ask(f"set time_zone = '+00:00', sql_select_limit = {NO_LIMIT}")
            self.fields, self.exported = self._describe(side)
            self.fingerprint = self._fingerprint()
            self.session.ask("start transaction with consistent snapshot, read only")
        except ChaosdayError:
            self.close()
            raise

    def stage(self, workspace: Workspace) -> str:
        columns = listed(self.exported)
        sql = statement("select {columns} from {relation} t", columns=columns, relation=self.relation)
        return stage_rows(workspace, self.label, self.fields, self.session.rows(sql, 20_000))

    def changed(self) -> bool:
        self.session.ask("commit")
        return self._fingerprint() != self.fingerprint

    def close(self) -> None:
        self.session.close()

    def _describe(self, side: Side) -> tuple[list[Field], list[str]]:
        from pymysql.constants import FIELD_TYPE

        names = {number: name for name, number in vars(FIELD_TYPE).items() if isinstance(number, int)}
        names[FIELD_TYPE.TINY], names[FIELD_TYPE.TIME] = "TINY", "TIME"
        with self.session.errors(), self.session.connection.cursor() as cursor:
            every = listed(["t.*", *(f"t.{tick(name)}" for name in self._invisible(side))])
            cursor.execute(statement("select {every} from {relation} t limit 0", every=every, relation=self.relation))
            described = cursor._result.fields
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

    def _invisible(self, side: Side) -> list[str]:
        """The columns of a table that a star leaves out."""
        if side.query:
            return []
        # A table that is locked is waited for here, where the server says what it waits for: of the schema it does not.
        self.session.ask(statement("select 1 from {relation} t limit 0", relation=self.relation))
        schema, _, name = side.table.rpartition(".")
        found = self.session.ask(
            statement(
                "select column_name from information_schema.columns where table_schema = {schema}"
                " and table_name = {name} and extra like '%INVISIBLE%' order by ordinal_position",
                schema=_text(schema) if schema else "database()",
                name=_text(name),
            )
        )
        return [column for (column,) in found]

    def _fingerprint(self) -> tuple[tuple[Any, ...], ...]:
        """Count and checksum of the rows as they are now, to tell a write from no write."""
        # As text: of a number hex would keep what stands before the point.
        cells = listed(f"coalesce(hex(concat({name}, '')), '-')" for name in self.exported)
        row = f"crc32(concat_ws(',', {cells}))"
        sql = "select count(*), bit_xor({row}), sum({row}) from {relation} t"
        return self.session.ask(statement(sql, row=row, relation=self.relation))


def _text(value: str) -> str:
    """A text as a literal in which no character means anything, whatever the session takes a backslash for."""
    return f"convert(0x{value.encode().hex()} using utf8mb4)"
