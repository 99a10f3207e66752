"""Whether the comparator would have seen it: known damage, planted into a copy of the golden output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from chaosday.drills.pipelines.comparing import Comparator, Table
from chaosday.drills.pipelines.differences import CHANGED, DUPLICATED, LOST, ORPHAN, Difference
from chaosday.drills.pipelines.planting_files import planted_files
from chaosday.drills.pipelines.planting_stores import planted_stores

GOLDEN = "golden"
_PLANTED = {
    DUPLICATED: "insert into {table} ({columns}) overriding system value select {columns} from {table} where {one}",
    LOST: "delete from {table} where {one}",
    CHANGED: "update {table} set {column} = {other} where {one}",
}
_OTHERS = {
    "text": "coalesce({column}, '') || '#'",
    "bigint": "(select coalesce(max({column}), 0) + 1 from {table})",
    "date": "(select coalesce(max({column}), '2000-01-01') + 1 from {table})",
    "timestamp": "(select coalesce(max({column}), '2000-01-01') + interval '1 day' from {table})",
    "jsonb": "jsonb_build_array({column})",
}
"""By type, a value that a row does not have."""
_LIKE = {
    "character varying": "text",
    "integer": "bigint",
    "numeric": "bigint",
    "double precision": "bigint",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
}


@dataclass(frozen=True)
class Planted:
    """One damage: where it was planted, and whether it was told by its name, there and nowhere else.

    The damage ``nothing`` is the control, which has to stay silent.
    """

    output: str
    damage: str
    told: bool
    said: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def look(comparator: Comparator, over: Callable[[], bool] = lambda: False) -> list[Planted]:
    """Plant every damage into every output that has rows, each alone and undone again; the control comes first.

    The stores hold the golden output when this begins, and when it ends.
    """
    silent = comparator.compare(GOLDEN)
    found = [Planted("every output", "nothing", not silent, _words(silent))]
    for name, table in comparator.outputs(GOLDEN).items():
        if not _plain(comparator, table) or not comparator.digest(GOLDEN, table)[0]:
            continue
        for damage in _PLANTED:
            if over():
                return found
            if damage == CHANGED and _other(comparator, table) is None:
                continue
            with _undone(comparator, table.store):
                _plant(comparator, table, damage)
                found.append(_told(comparator, name, damage))
    if comparator.scratch is not None:
        for name, damage, undone in planted_files(comparator.scratch / "work", comparator.value.files):
            if over():
                return found
            with undone:
                found.append(_told(comparator, name, damage))
    for name, damage, undone in planted_stores(comparator):
        if over():
            return found
        with undone:
            found.append(_told(comparator, name, damage))
    for store in comparator.value.servers:
        with _undone(comparator, store):
            comparator.connection(store, "").execute("create table public.chaosday_orphan (n int)")
            found.append(_told(comparator, f"{store}.public.chaosday_orphan", ORPHAN))
    return found


def _told(comparator: Comparator, name: str, damage: str) -> Planted:
    said = comparator.compare(GOLDEN)
    told = [(each.output, each.kind, each.rows) for each in said] == [(name, damage, 1)]
    return Planted(name, damage, told, _words(said))


@contextmanager
def _undone(comparator: Comparator, store: str) -> Iterator[None]:
    with comparator.connection(store, "").transaction(force_rollback=True):
        yield


def _plant(comparator: Comparator, table: Table, damage: str) -> None:
    """Damage one row, whatever constraints, triggers and generated columns would say to it."""
    from psycopg import sql

    connection = comparator.connection(table.store, "")
    connection.execute("set local session_replication_role = replica")
    where = sql.Identifier(table.schema, table.name)
    for kind, name in _guards(connection, where.as_string(connection)):
        words = (
            "alter table {table} drop constraint if exists {name} cascade" if kind else "drop index if exists {name}"
        )
        named = sql.Identifier(name) if kind else sql.Identifier(table.schema, name)
        connection.execute(sql.SQL(words).format(table=where, name=named))
    column, other = _other(comparator, table) or ("", "null")
    generated = {name for (name,) in connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attgenerated <> ''",
        (where.as_string(connection),)).fetchall()}  # fmt: skip
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in table.columns if name not in generated)
    fields = {"table": where, "column": sql.Identifier(column), "columns": columns}
    one = sql.SQL("(tableoid, ctid) = (select tableoid, ctid from {} limit 1)").format(where)
    value = sql.SQL(other).format(**fields)
    connection.execute(sql.SQL(_PLANTED[damage]).format(other=value, one=one, **fields))


def _guards(connection: Any, table: str) -> list[tuple[bool, str]]:
    """What would refuse a damaged row: constraints (True), then unique indexes that are none."""
    constraints = connection.execute(
        "select conname from pg_constraint where conrelid = %s::regclass and contype in ('p', 'u', 'c', 'x')", (table,)
    ).fetchall()
    indexes = connection.execute(
        "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = %s::regclass"
        " and i.indisunique and not exists (select 1 from pg_constraint where conindid = c.oid)",
        (table,),
    ).fetchall()
    return [*((True, name) for (name,) in constraints), *((False, name) for (name,) in indexes)]


def _plain(comparator: Comparator, table: Table) -> bool:
    """Whether rows can be planted into it; into a materialized view they cannot."""
    found = comparator.connection(table.store, "").execute(
        "select 1 from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where nspname = %s and relname = %s and relkind in ('r', 'p')",
        (table.schema, table.name),
    )
    return found.fetchone() is not None


def _other(comparator: Comparator, table: Table) -> tuple[str, str] | None:
    """A compared column, and a value for it that its row does not have."""
    compared = comparator.compared(table)
    kinds = {c: _LIKE.get(k.partition("(")[0], k) for c, k in zip(table.columns, table.types, strict=True)}
    narrow = {c for c, k in zip(table.columns, table.types, strict=True) if "(" in k and k.startswith("char")}
    for kind, other in _OTHERS.items():
        for column in compared:
            if kinds[column] == kind and column not in narrow:
                return column, other
    return None


def _words(said: list[Difference]) -> str:
    return "; ".join(f"{each.rows} {each.kind} in {each.output}" for each in said) or "nothing"
