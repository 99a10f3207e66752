"""The canonical form of a value: the one text that means the same in every engine.

=============  ===========================================================================
kind           canonical text
=============  ===========================================================================
bool           ``true``, ``false``
int            digits, with a minus where it is one
decimal        digits without exponent, leading ``+``, superfluous zeros or ``-0`` (1.50 is 1.5)
float          the shortest text that reads back as the same float64: -0.0, nan and inf are themselves
text           itself, byte for byte (NFC is not NFD, a trailing space counts)
bytes          upper-case hexadecimal
date, time     ISO 8601
timestamp      ISO 8601 with a space; what is finer than a microsecond follows as ``+Nns``
timestamptz    the same, in UTC
interval       years, months, days and time apart, as DuckDB writes them
uuid           lower case with hyphens
json           no white space, keys sorted, numbers as ``decimal``
=============  ===========================================================================

Where the two sides have different kinds, both are read as the one that says more: a text (SQLite, CSV)
as what the other side is, an int as a decimal, a decimal as a float. A value that cannot be read so
keeps its text with ``text:`` in front, and so differs from everything that can.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chaosday.data.reconcile.sql import statement
from chaosday.errors import UsageError


@dataclass(frozen=True)
class Field:
    """A column of a side: its kind, its type in the side's own words, and its name in the staging table.

    ``raw`` is how the value arrives in DuckDB: ``native`` (a value of DuckDB's own type), ``text`` or
    ``hex`` (bytes as hexadecimal text).
    """

    name: str
    kind: str
    type: str
    raw: str = "native"


_WIDER = {
    frozenset({"int", "decimal"}): "decimal",
    frozenset({"bool", "int"}): "int",
    frozenset({"int", "float"}): "float",
    frozenset({"decimal", "float"}): "float",
    frozenset({"date", "timestamp"}): "timestamp",
    frozenset({"date", "timestamptz"}): "timestamptz",
    frozenset({"timestamp", "timestamptz"}): "timestamptz",
}


def common_kind(left: Field, right: Field) -> tuple[str, str]:
    """The kind in which two columns are compared, and what has to be said about it (or nothing)."""
    kinds = {left.kind, right.kind}
    if len(kinds) == 1:
        return left.kind, ""
    if "text" in kinds and "bytes" not in kinds:
        return (kinds - {"text"}).pop(), ""
    wider = _WIDER.get(frozenset(kinds))
    if wider is None:
        raise UsageError(
            f"column {left.name}: types {left.type} and {right.type} do not compare; cast one in a query or --ignore it"
        )
    if wider == "float":
        return (
            wider,
            f"{left.name}: {left.type} and {right.type} compared as float64: digits beyond the 15th are not seen",
        )
    if kinds == {"timestamp", "timestamptz"}:
        return wider, f"{left.name}: a time without zone is taken for UTC"
    return wider, ""


def canonical(value: str, field: Field, kind: str) -> str:
    """The DuckDB expression for the canonical text of ``value``, a column of ``field``, as ``kind``."""
    if kind == "text":
        return f"{value}::varchar"
    if kind == "bytes":
        return f"upper({value})" if field.raw == "hex" else f"hex({value})"
    text = f"{value}::varchar"
    form = _FORMS[kind]
    if kind == "json" and field.type.endswith(("]", ")")) and field.raw == "native":
        form = "canonical_json(to_json({value})::varchar)"
    elif kind == "int" and field.kind == "bool":
        form = "coalesce(try_cast({value} as hugeint), try_cast({value} as boolean)::int)::varchar"
    elif field.type == "TIMESTAMP_NS":
        rest = "case when epoch_ns({value}) % 1000 <> 0 then '+' || (epoch_ns({value}) % 1000) || 'ns' else '' end"
        form = f"{_FORMS['timestamp']} || {rest}"
    filled = statement(form, value=value, text=text)
    return statement("case when {v} is not null then coalesce({c}, 'text:' || {t}) end", v=value, c=filled, t=text)


_PLAIN = "regexp_full_match({text}, '[+-]?[0-9]+([.][0-9]*)?')"
_STRIPPED = (
    "regexp_replace(regexp_replace(regexp_replace({text}, '^([+]|(-))?0*([0-9])', '\\2\\3'),"
    " '([.][0-9]*?)0+$', '\\1'), '[.]$', '')"
)
_FORMS = {
    "bool": "case when {value}::varchar in ('1', 't', 'true') then 'true' when {value}::varchar in ('0', 'f', 'false')"
    " then 'false' end",
    "int": "try_cast({value} as hugeint)::varchar",
    "decimal": f"case when {_PLAIN} then regexp_replace({_STRIPPED}, '^-0$', '0') else canonical_number({{text}}) end",
    "float": "try_cast({value} as double)::varchar",
    "date": "try_cast({value} as date)::varchar",
    "time": "try_cast({value} as time)::varchar",
    "timestamp": "try_cast({value} as timestamp)::varchar",
    "timestamptz": "timezone('UTC', try_cast({value} as timestamptz))::varchar",
    "interval": "try_cast({value} as interval)::varchar",
    "uuid": "try_cast({value} as uuid)::varchar",
    "json": "canonical_json({text})",
}


def canonical_number(text: str) -> str | None:
    """A number in any spelling without exponent and superfluous zeros; None if it is none."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", text):
        return text.lower().removeprefix("+") if re.fullmatch(r"[+-]?(nan|inf(inity)?)", text, re.IGNORECASE) else None
    number = Decimal(text)
    if not number:
        return "0"
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def canonical_json(text: str) -> str | None:
    """JSON without white space, its keys sorted and its numbers in one spelling; None if it is none."""
    try:
        value = json.loads(text, parse_float=_Number, parse_int=_Number)
    except ValueError:
        return None
    return _written(value)


class _Number(str):
    """A number kept as it was spelled: no digit may get lost."""


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return canonical_number(str(value)) or str(value)
    if isinstance(value, dict):
        inside = (f"{json.dumps(key, ensure_ascii=False)}:{_written(value[key])}" for key in sorted(value))
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


_BY_NAME = {
    "BOOLEAN": "bool",
    "FLOAT": "float",
    "DOUBLE": "float",
    "BLOB": "bytes",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "JSON": "json",
}


def duckdb_kind(type_name: str) -> str:
    """The kind of a DuckDB type, Parquet's included."""
    if type_name.endswith("]") or type_name.startswith(("STRUCT", "MAP", "UNION")):
        return "json"
    if type_name.startswith("DECIMAL"):
        return "decimal"
    if type_name.endswith("INT") or type_name == "INTEGER":
        return "int"
    if type_name in _BY_NAME:
        return _BY_NAME[type_name]
    return "timestamp" if type_name.startswith("TIMESTAMP") else "text"
