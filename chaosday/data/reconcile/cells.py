"""How PostgreSQL hashes one cell, so that no bit of it is lost.

A row's hash is the XOR of its cells' hashes, each seeded with the row's key and the column's number.
The seed is what makes XOR safe: a value that moves to another row or column hashes differently, so
swaps do not cancel. Keys are proved distinct on one side (see ``buckets``); without that proof two
equal rows would cancel each other.

Exact cells hash the whole value: the bytes of a text under the C collation (``hashtextextended``), a
small integer itself, and for everything else the text of its *binary* form (``numeric_send``,
``timestamptz_send`` ...), which tells 1.0 from 1.00 and 1 day from 24 hours, and costs a third of
``row::text``. PostgreSQL's own hash functions do less: they exist to agree with ``=``, so -0.0 hashes as
0.0 and 1.0 as 1.00, and an int8 or a timestamp is folded to 32 bits (src/backend/access/hash/hashfunc.c,
hashint8extended). ``fast`` cells use those.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaosday.data.reconcile.postgres import Column
from chaosday.data.reconcile.sql import ident, statement

SEED = "\0"
"""Stands for the seed in a cell's expression until ``seeded`` puts it there: no name and no type can hold it."""


class NotHashable(Exception):
    """Two columns whose values the databases cannot bring into one form: they have to be read here."""


_SMALL = {"int2", "int4", "bool"}
_TEXTUAL = {"text", "varchar", "name", "bpchar", "citext"}
_INTEGERS = {"int2", "int4", "int8"}
_NUMBERS = {*_INTEGERS, "numeric"}
_FLOATS = {"float4", "float8"}
_TIMES = {"timestamp", "timestamptz"}
# Types whose modifier (a width, a precision) says nothing about how one value is written.
_WIDTHS = {"varchar", "varbit", "timestamp", "timestamptz", "time", "timetz"}
_OWN_HASH = {
    # The server's hash of a numeric leaves out its sign as well: 5 and -5 hash alike. That one is put back.
    "numeric": (
        "hash_numeric_extended({value}, {seed} # ({value} < 0)::int4)",
        "trailing zeros of a numeric (1.0 and 1.00)",
    ),
    "float8": ("hashfloat8extended({value}, {seed})", "the sign of a floating-point zero (-0.0 and 0.0)"),
    "float4": ("hashfloat4extended({value}, {seed})", "the sign of a floating-point zero (-0.0 and 0.0)"),
    "int8": ("hashint8extended({value}, {seed})", "an int8 whose halves changed alike (it is folded to 32 bits)"),
    "jsonb": ("jsonb_hash_extended({value}, {seed})", "trailing zeros of a number inside jsonb"),
    "interval": ("interval_hash_extended({value}, {seed})", "an interval spelled otherwise (1 day and 24 hours)"),
}


@dataclass(frozen=True)
class Cell:
    """How one pair of columns is hashed and fetched on either side."""

    name: str
    left: str
    right: str
    left_text: str
    right_text: str
    blind_to: str = ""
    note: str = ""


def plan_cell(number: int, left: Column, right: Column, *, fast: bool) -> Cell:
    """The expressions for a pair of columns, with ``SEED`` in the place of their seed. Raises ``NotHashable``."""
    note = "" if left.type == right.type else f"{left.name}: {left.type} compared with {right.type}"
    if left.type == right.type or (left.base == right.base and left.base in _WIDTHS):
        own = _OWN_HASH.get(left.base) if fast else None
        hashed = [_hashed(column, own[0] if own else "") for column in (left, right)]
        texts = [_text(column) for column in (left, right)]
        blind = own[1] if own else ""
    else:
        texts = [_common(left, right), _common(right, left)]
        hashed = [_text_hash(text) for text in texts]
        blind = ""
    # A catalogue that says NOT NULL is no proof: foreign tables, checks not yet validated, damage.
    hashed = [_or_null(one, number) for one in hashed]
    return Cell(left.name, hashed[0], hashed[1], texts[0], texts[1], blind, note)


def _hashed(column: Column, own: str) -> str:
    name = f"t.{ident(column.name)}"
    if own or column.base in _SMALL:
        return statement(own or "hashint4extended({value}::int4, {seed})", value=name, seed=SEED)
    if column.base in {"text", "varchar"}:
        return _text_hash(name)
    if column.base in _FLOATS:
        # This hash sees every bit but the sign of zero.
        zero = f"case when {name} = 0 then hashtextextended({name}::text, {SEED}) else 0 end"
        return f"(hash{column.base}extended({name}, {SEED}) # {zero})"
    if column.base == "int8":
        # Two facets of one number: the halves' XOR and the upper half; together they are injective.
        return f"(hashint8extended({name}, {SEED}) # hashint8extended({name} >> 32, {SEED} # 1))"
    if column.send != "-" and column.category not in {"E", "C", "P", "X"}:
        return f"hashtextextended({column.send}({name})::text, {SEED})"
    return _text_hash(f"{name}::text")


def _text_hash(text: str) -> str:
    return f'hashtextextended({text} collate pg_catalog."C", {SEED})'


def _or_null(hashed: str, number: int) -> str:
    return f"coalesce({hashed}, hashint8extended({number}, {SEED}))"


def seeded(cell: str, seed: str) -> str:
    """A cell's expression with its seed."""
    return cell.replace(SEED, seed)


def _text(column: Column) -> str:
    name = f"t.{ident(column.name)}"
    # A cast of char(n) to text drops its blanks, which a heap flip can turn into something else.
    return f"concat({name}, '')" if column.base == "bpchar" else f"{name}::text"


def _common(column: Column, other: Column) -> str:
    """The text in which two columns of different types are compared, by the meaning of the value."""
    name = f"t.{ident(column.name)}"
    bases = {column.base, other.base}
    if bases <= _NUMBERS:
        return f"trim_scale({name}::numeric)::text"
    if bases <= _FLOATS:
        return f"{name}::float8::text"
    if bases <= _TIMES:
        return f"({name} at time zone 'UTC')::text" if column.base == "timestamptz" else f"{name}::text"
    if bases <= _TEXTUAL:
        return f"{name}::text"
    raise NotHashable


def key_text(columns: list[str]) -> str:
    """The key as one text that keeps NULL, '' and the borders between its columns apart."""
    return f"row({', '.join(columns)})::text"
