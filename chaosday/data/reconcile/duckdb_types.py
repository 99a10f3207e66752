"""DuckDB's types, Parquet's included: their kinds, and how a value leaves DuckDB without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaosday.data.reconcile.kinds import Field, Raw
from chaosday.data.reconcile.nested import Tree
from chaosday.data.reconcile.sql import ident, listed, literal, statement

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

_KINDS = {
    "boolean": "bool", "tinyint": "int", "smallint": "int", "integer": "int", "bigint": "int", "hugeint": "int",
    "utinyint": "int", "usmallint": "int", "uinteger": "int", "ubigint": "int", "uhugeint": "int", "bignum": "int",
    "decimal": "decimal", "float": "float32", "double": "float", "varchar": "text", "enum": "text", "bit": "text",
    "null": "text", "blob": "bytes", "date": "date", "time": "time", "time_ns": "time",
    "time with time zone": "timetz", "timestamp": "timestamp", "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp", "timestamp_ns": "timestamp", "timestamp with time zone": "timestamptz",
    "timestamptz_ns": "timestamptz", "interval": "interval", "uuid": "uuid",
}  # fmt: skip
# What DuckDB hands over as it is; every other type leaves it as text, because Arrow has no room for all of it.
_NATIVE = {"tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint", "decimal",
           "float", "double", "boolean", "varchar", "blob"}  # fmt: skip


def described(database: DuckDBPyConnection, relation: str, engine: str) -> list[Field]:
    """The columns of a relation."""
    rows = database.sql(statement("select * from {r} t limit 0", r=relation))
    return [_field(name, kind, engine) for name, kind in zip(rows.columns, rows.types, strict=True)]


def exported(fields: list[Field], relation: str, database: DuckDBPyConnection) -> str:
    """A query for all columns as ``f0``, ``f1`` ... in the form that their fields announce."""
    rows = database.sql(statement("select * from {r} t limit 0", r=relation))
    columns = listed(
        f"{_export(f't.{ident(name)}', kind, field.raw)} as f{number}"
        for number, (field, name, kind) in enumerate(zip(fields, rows.columns, rows.types, strict=True))
    )
    return statement("select {c} from {r} t", c=columns, r=relation)


def _field(name: str, kind: DuckDBPyType, engine: str) -> Field:
    word = "json" if str(kind) == "JSON" else str(kind.id)
    if word in {"list", "array", "struct", "map"}:
        tree = _tree(kind)
        loss = "" if "union" not in str(tree) else "a union, of which only the value is read; take it apart in a query"
        return Field(name, "nested", str(kind), "tokens", engine, loss, tree)
    found = "json" if word == "json" else _KINDS.get(word, "")
    loss = "" if found else f"a {kind}, of which nobody knows all that it holds; cast it in a query"
    raw: Raw = "native" if word in _NATIVE else "text"
    return Field(name, found or "text", str(kind), raw, engine, loss)


def _tree(kind: DuckDBPyType) -> Tree:
    word = str(kind.id)
    if word in {"list", "array"}:
        return ("list", _tree(_children(kind)[0][1]))
    if word == "struct":
        return ("struct", tuple((name, _tree(child)) for name, child in _children(kind)))
    if word == "map":
        return ("map", *(_tree(child) for _, child in _children(kind)))
    return "json" if str(kind) == "JSON" else _KINDS.get(word, "union")


def _children(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    # An array's second child is its length, which is no type.
    return [(name, child) for name, child in kind.children if not isinstance(child, (int, list))]


def _export(value: str, kind: DuckDBPyType, raw: str) -> str:
    if raw == "native":
        return value
    return _tokens(value, kind, 0) if raw == "tokens" else _text(value, kind)


def _text(value: str, kind: DuckDBPyType) -> str:
    if str(kind.id) in {"timestamp with time zone", "timestamptz_ns"}:
        return f"timezone('UTC', {value})::varchar"
    return f"hex({value})" if str(kind.id) == "blob" else f"{value}::varchar"


def _tokens(value: str, kind: DuckDBPyType, depth: int) -> str:
    """JSON arrays whose leaves are texts; NULL stays NULL at the top."""
    word, x = str(kind.id), f"x{depth}"
    if word in {"list", "array"}:
        one = f"coalesce({_tokens(x, _children(kind)[0][1], depth + 1)}, 'null')"
        filled = f"'[' || array_to_string(list_transform({value}, lambda {x}: {one}), ',') || ']'"
    elif word == "struct":
        fields = [
            f"coalesce({_tokens(f'struct_extract({value}, {literal(name)})', child, depth + 1)}, 'null')"
            for name, child in _children(kind)
        ]
        filled = "'[' || " + " || ',' || ".join(fields) + " || ']'"
    elif word == "map":
        parts = [f"coalesce({_tokens(f'{x}.{part}', child, depth + 1)}, 'null')" for part, child in _children(kind)]
        pair = f"'[' || {parts[0]} || ',' || {parts[1]} || ']'"
        filled = f"'[' || array_to_string(list_transform(map_entries({value}), lambda {x}: {pair}), ',') || ']'"
    else:
        return f"to_json({_text(value, kind)})::varchar"
    return f"case when {value} is not null then {filled} end"
