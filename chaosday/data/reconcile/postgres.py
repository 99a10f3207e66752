"""A PostgreSQL side: one repeatable-read snapshot, its columns, and rows streamed out of it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chaosday.data.connections.postgresql import Session
from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile.sides import SYNTAX, Side
from chaosday.data.reconcile.sql import ident, listed, literal, statement
from chaosday.errors import CapabilityMissing, ChaosdayError, UsageError

OLDEST_VERSION = 140000
# Everything that changes how a value is written as text, fixed on both sides. Sequential scans read
# the heap: after a fault the index may be the thing that is damaged.
SETTINGS = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "xmloption": "content",
    "lc_monetary": "C",
    "client_encoding": "UTF8",
    # A query that row-level security would filter is an error, and not fewer rows.
    "row_security": "off",
    "jit": "off",
    "enable_sort": "off",
    "work_mem": "64MB",
    "hash_mem_multiplier": "8",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


@dataclass(frozen=True)
class Column:
    """A column as PostgreSQL describes it; ``send`` names its binary output function, if it is built in."""

    name: str
    type: str
    base: str
    category: str
    send: str
    not_null: bool
    plain_collation: bool


class PostgresSide:
    """A side that lives in PostgreSQL 14 or later; ``close`` ends its transaction and its connection."""

    def __init__(self, side: Side, label: str, patience: Patience | None = None) -> None:
        if not side.rows_named:
            raise UsageError(f"the {label} side names no table; {SYNTAX}")
        self.side = side
        self.label = label
        self.oid = 0
        self.session = Session(side.url, label, patience)
        self.connection = self.session.connection
        try:
            if self.connection.info.server_version < OLDEST_VERSION:
                raise CapabilityMissing(f"the {label} side is older than PostgreSQL 14, which has no bit_xor aggregate")
            if side.query:
                self.session.single(side.query)
            with self._errors():
                self._open_snapshot()
                self.oid, self.relation, self.is_plain_table = self._resolve()
                self.columns = self._describe()
        except ChaosdayError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the snapshot."""
        self.session.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a read in the snapshot."""
        with self._errors():
            return self.connection.execute(sql.encode()).fetchall()

    def execute(self, sql: str) -> None:
        """Run something without rows."""
        with self._errors():
            self.connection.execute(sql.encode())

    @property
    def is_table(self) -> bool:
        """Whether it is a relation with a name, and not a query."""
        return bool(self.oid)

    def copied(self, sql: str, form: str) -> Iterator[bytes]:
        """The bytes of ``COPY (sql) TO STDOUT``, piece by piece."""
        command = statement("copy ({sql}) to stdout ({form})", sql=sql, form=form)
        with self._errors(), self.connection.cursor() as cursor, cursor.copy(command.encode()) as copy:
            for piece in copy:
                self.session.heard()
                yield bytes(piece)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def estimated_rows(self) -> int:
        """The planner's idea of how many rows there are; counted where it has none."""
        if self.oid:
            [(estimate,)] = self.query(
                statement("select coalesce(sum(reltuples), -1) from pg_class where oid = {oid}", oid=self.oid)
            )
            if estimate > 0:
                return int(estimate)
        [(count,)] = self.query(statement("select count(*) from {relation} t", relation=self.relation))
        return int(count)

    def indexed(self, name: str) -> bool:
        """Whether a valid b-tree leads with that column."""
        if not self.oid:
            return False
        found = self.query(
            statement(
                "select 1 from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam"
                " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
                " where i.indrelid = {oid} and i.indisvalid and i.indpred is null and m.amname = 'btree'"
                " and a.attname = {name} limit 1",
                oid=self.oid,
                name=literal(name),
            )
        )
        return bool(found)

    def wal_position(self) -> str:
        """How far the server has written or replayed; the same position twice means no change between."""
        [(position,)] = self.query(
            "select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()::text"
            " else pg_current_wal_insert_lsn()::text end"
        )
        return str(position)

    def renew_snapshot(self) -> None:
        """End the snapshot and take a new one, with the same settings."""
        with self._errors():
            self.connection.rollback()
            self._open_snapshot()

    def rows_written_since(self, snapshot: str) -> tuple[int, int]:
        """Rows there are now, and how many of them the older ``snapshot`` could not see.

        ``xmin`` has 32 bits; ``age`` gives its distance from the next transaction, from which the
        full 64-bit number follows for every row young enough to matter.
        """
        [row] = self.query(
            statement(
                "with now as (select pg_snapshot_xmax(pg_current_snapshot())::text::numeric as next,"
                " pg_snapshot_xmin({snapshot}::pg_snapshot)::text::numeric as oldest)"
                " select count(*), count(*) filter (where age(t.xmin) <= now.next - now.oldest + 64 and not"
                " pg_visible_in_snapshot(greatest(now.next - age(t.xmin), 3)::text::xid8, {snapshot}::pg_snapshot))"
                " from {relation} t cross join now",
                snapshot=literal(snapshot),
                relation=self.relation,
            )
        )
        return int(row[0]), int(row[1])

    @property
    def is_local(self) -> bool:
        """Whether the server shares this machine's processors."""
        host = self.connection.info.host or "localhost"
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return host.startswith("/") or host in {"localhost", os.uname().nodename}

    def _open_snapshot(self) -> None:
        self.connection.execute("begin isolation level repeatable read read only")
        for name, value in SETTINGS.items():
            self.connection.execute(statement("set local {name} = {value}", name=name, value=literal(value)).encode())
        if self.oid:
            self.connection.execute("set local search_path = pg_catalog")
        [(self.snapshot,)] = self.connection.execute("select pg_current_snapshot()::text").fetchall()

    def _resolve(self) -> tuple[int, str, bool]:
        if self.side.query:
            return 0, self.side.subquery, False
        find = (
            "select c.oid::int8, n.nspname, c.relname, c.relkind::text from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where c.oid = to_regclass(%s) and c.relkind in ('r', 'p', 'm', 'v', 'f')"
        )
        schema, dot, name = self.side.table.rpartition(".")
        exact = f"{ident(schema)}.{ident(name)}" if dot else ident(name)
        for spelling in (self.side.table, exact):
            if '"' in self.side.table and spelling == exact:
                continue
            row = self.connection.execute(find.encode(), (spelling,)).fetchone()
            if row:
                self.connection.execute("set local search_path = pg_catalog")
                return int(row[0]), f"{ident(row[1])}.{ident(row[2])}", row[3] in {"r", "m"}
        raise UsageError(f"the {self.label} side has no table {self.side.table!r}")

    def _describe(self) -> list[Column]:
        probe = self.connection.execute(
            statement("select * from {relation} t limit 0", relation=self.relation).encode()
        )
        result = probe.pgresult
        if result is None or not probe.description:
            raise UsageError(f"the {self.label} side has no columns")
        names = [column.name for column in probe.description]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise UsageError(f"the {self.label} query has several columns called {', '.join(sorted(doubled))}")
        types = [(result.ftype(i), result.fmod(i)) for i in range(result.nfields)]
        return self._typed(names, types)

    def _typed(self, names: Sequence[str], types: Sequence[tuple[int, int]]) -> list[Column]:
        # Collation and NOT NULL are known for tables only; a query's columns are taken for nullable.
        rows = self.connection.execute(
            b"select u.i, format_type(t.oid, u.m), t.typname, t.typcategory::text,"
            b" case when t.typnamespace = 'pg_catalog'::regnamespace and coalesce(e.typnamespace, t.typnamespace)"
            b" = 'pg_catalog'::regnamespace then t.typsend::regproc::text else '-' end,"
            b" coalesce(a.attnotnull, false), coalesce(l.collisdeterministic, t.typcollation = 0 or a.attname is null)"
            b" from unnest(%s::oid[], %s::int4[], %s::text[]) with ordinality u(o, m, n, i)"
            b" join pg_type t on t.oid = u.o left join pg_type e on e.oid = t.typelem and t.typelem <> 0"
            b" left join pg_attribute a on a.attrelid = %s and a.attname = u.n"
            b" left join pg_collation l on l.oid = a.attcollation order by u.i",
            ([oid for oid, _ in types], [mod for _, mod in types], list(names), self.oid),
        ).fetchall()
        return [
            Column(name, row[1], row[2], row[3], row[4].rpartition(".")[2], row[5], row[6])
            for name, row in zip(names, rows, strict=True)
        ]

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return self.session.errors()


def selected(expressions: Sequence[tuple[str, str]]) -> str:
    """``expr as "name"`` for each pair."""
    return listed(f"{expression} as {ident(name)}" for expression, name in expressions)
