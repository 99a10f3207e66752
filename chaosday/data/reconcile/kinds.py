"""What a column holds, and in which kind two columns of different types are the same value.

=============  =======================================================================================
kind           canonical text (``canonical.py``), and when two values are equal
=============  =======================================================================================
bool           ``true``, ``false``
int, decimal   digits without exponent, leading ``+`` or superfluous zeros (1.50 is 1.5)
float          the shortest text that reads back as the same float64: -0.0, nan and inf are themselves
float32        the same for four bytes
text           itself, byte for byte (NFC is not NFD, a trailing space counts)
bytes          upper-case hexadecimal
date, time     ISO 8601, BC after it; every digit of a fraction counts
timetz         clock and offset: 12:00+02 is not 10:00+00
timestamp      ISO 8601 with a space
timestamptz    the same, in UTC
interval       months, days and seconds apart: 1 day is not 24 hours
uuid           lower case with hyphens
network        address and prefix
json           no white space, keys sorted, numbers as ``decimal``
nested         lists, structs and maps as JSON of canonical values
any            a value of a column without type: numbers, texts and blobs are never equal to one another
spelled        the same beside a CSV, which has no types: a number is what it spells
verbatim       as the server writes it, for two columns of one type in PostgreSQL
=============  =======================================================================================

A text (CSV's most of all) is read as what the other side is. One that cannot be read so, to its last
character, keeps its text with ``text:`` in front, and so differs from everything that can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chaosday.data.reconcile.nested import Tree, common_tree
from chaosday.errors import UsageError

Raw = Literal["native", "text", "hex", "tagged", "tokens", "array"]


@dataclass(frozen=True)
class Field:
    """A column of a side: its name, its kind, and its type in the side's own words.

    ``raw`` is how its values arrive in DuckDB: ``native`` (a value of DuckDB's own type), ``text``,
    ``hex`` (bytes as hexadecimal text), ``tagged`` (text after a letter for SQLite's storage class),
    ``tokens`` (see ``nested``) or ``array`` (PostgreSQL's spelling of one). ``loss`` says what the
    reader could not read exactly, and what to do about it. ``tree`` is the shape of a nested value.
    """

    name: str
    kind: str
    type: str
    raw: Raw = "native"
    engine: str = ""
    loss: str = ""
    tree: Tree = ""


@dataclass(frozen=True)
class Common:
    """The kind in which a pair of columns is compared, and the equivalence in words, where it needs any."""

    kind: str
    note: str = ""
    tree: Tree = ""


_WIDER = {
    frozenset({"int", "decimal"}): "decimal",
    frozenset({"bool", "int"}): "int",
    frozenset({"int", "float"}): "float",
    frozenset({"int", "float32"}): "float",
    frozenset({"decimal", "float"}): "float",
    frozenset({"decimal", "float32"}): "float32",
    frozenset({"float", "float32"}): "float",
    frozenset({"date", "timestamp"}): "timestamp",
    frozenset({"date", "timestamptz"}): "timestamptz",
    frozenset({"timestamp", "timestamptz"}): "timestamptz",
}
_SPELLED = "a decimal text is the float whose digits it has, to the last one it writes"
_WORDS = {
    "bool": "true, t, yes, y, on and 1, and their opposites, in any case",
    "int": "exact numbers; true is 1",
    "decimal": "exact numbers, whatever their scale",
    "float": f"float64: a whole number to its last digit, else {_SPELLED}",
    "float32": f"float32: a whole number to its last digit, else {_SPELLED}",
    "date": "ISO 8601 dates",
    "time": "ISO 8601 times of day, every digit of the fraction",
    "timetz": "time of day and offset, both",
    "timestamp": "ISO 8601 times, every digit of the fraction; a date is its midnight",
    "timestamptz": "moments, every digit of the fraction; a time without zone is taken for UTC",
    "interval": "months, days and seconds, each on its own",
    "uuid": "128-bit numbers, in any case, with or without hyphens",
    "network": "addresses with their prefix, which a single host may leave out",
    "json": "JSON values: white space, the order of keys and the spelling of numbers do not count",
    "nested": "lists, structs and maps, value by value",
    "any": "values with their storage class: a number is never a text",
    "spelled": "what they spell, because a CSV has no types",
    "text": "texts, byte for byte",
}


def common_kind(left: Field, right: Field) -> Common:
    """The kind in which two columns are compared; ``UsageError`` where no kind holds both."""
    if left.engine == right.engine == "postgresql" and left.type == right.type:
        return Common("verbatim")

    def leaf(ours: str, theirs: str) -> str:
        return _kind(Field(left.name, ours, ours), Field(right.name, theirs, theirs))

    kinds = {left.kind, right.kind}
    tree: Tree = ""
    if kinds == {"nested"}:
        kind, tree = "nested", common_tree(left.tree, right.tree, left.name, leaf)
    else:
        kind = _kind(left, right)
    if left.kind == right.kind and left.type.lower() == right.type.lower():
        return Common(kind, tree=tree)
    if kind == left.kind == right.kind and kind in {"text", "bytes", "bool"}:
        return Common(kind)
    return Common(kind, f"{left.name}: {left.type} and {right.type} compared as {_WORDS.get(kind, kind)}", tree)


def _kind(left: Field, right: Field) -> str:
    kinds = {left.kind, right.kind}
    tagged_text = kinds == {"text"} and "tagged" in {left.raw, right.raw}
    if kinds == {"any", "text"} and "csv" in {left.engine, right.engine}:
        return "spelled"
    if tagged_text or (kinds <= {"any", "text"} and "any" in kinds):
        return "any"
    if len(kinds) == 1:
        return left.kind
    for loose in ("text", "any"):
        # A column without type, or of text, is read as what the other side says.
        if loose in kinds and (kinds != {"text", "bytes"} or "csv" in {left.engine, right.engine}):
            other = (kinds - {loose}).pop()
            return "json" if other == "nested" else other
    if kinds == {"json", "nested"}:
        return "json"
    wider = _WIDER.get(frozenset(kinds))
    if wider is None:
        raise UsageError(
            f"column {left.name}: types {left.type} and {right.type} do not compare; cast one in a query or --ignore it"
        )
    return wider
