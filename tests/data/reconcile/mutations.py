"""Row mutations that a diff has to find: what is changed, by SQL, and in which row.

``make(schema, rows)`` is a table with a column of every common type; ``MUTATIONS`` maps a name to the
statement that plants it in a copy and the keys that differ afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = (
    "id bigint primary key, small int, big bigint, note text, amount numeric(18,6), score float8, at timestamptz,"
    " flag boolean, doc jsonb, tags int[], raw bytea"
)


@dataclass(frozen=True)
class Mutation:
    """One statement on ``{t}`` and the keys whose rows differ afterwards."""

    sql: str
    keys: frozenset[str]


def fill(table: str, rows: int) -> list[str]:
    """Statements that make and fill a table; rows 1 to 9 hold the values that mutations start from."""
    return [
        f"create table {table} ({COLUMNS})",
        f"insert into {table} select i, i % 1000, i::bigint * 7919, md5(i::text), i::numeric / 7, sqrt(i),"
        " timestamptz '2024-01-01Z' + i * interval '1 second', i % 3 = 0, jsonb_build_object('n', i, 'tag', 'a'),"
        f" array[i, i + 1], decode(md5(i::text), 'hex') from generate_series(1, {rows}) i",
        f"update {table} set note = null, flag = null where id = 1",
        f"update {table} set note = '' where id = 2",
        f"update {table} set score = 0.0, tags = array[1, null, 3] where id = 3",
        f"update {table} set note = U&'caf\\00e9' where id = 4",
        f"update {table} set score = 'NaN', big = 0 where id = 5",
    ]


def _one(assignment: str, key: int) -> Mutation:
    return Mutation(f"update {{t}} set {assignment} where id = {key}", frozenset({str(key)}))


MUTATIONS = {
    "null to empty": _one("note = ''", 1),
    "empty to null": _one("note = null", 2),
    "null to the word <null>": _one("note = '<null>'", 1),
    "null to false": _one("flag = false", 1),
    "zero to minus zero": _one("score = '-0.0'", 3),
    "last bit of a float": _one("score = 2.4494897427831783", 6),
    "NaN to null": _one("score = null", 5),
    "NFC to NFD": _one("note = U&'cafe\\0301'", 4),
    "trailing space": _one("note = note || ' '", 7),
    "letter case": _one("note = upper(note)", 8),
    "one microsecond": _one("at = at + interval '1 microsecond'", 9),
    "one millionth of a numeric": _one("amount = amount + 0.000001", 9),
    "one more": _one("small = small + 1", 10),
    "both halves of an int8": _one("big = 4294967297", 5),
    "array element": _one("tags[2] = 99", 11),
    "array null to zero": _one("tags[2] = 0", 3),
    "jsonb value": _one("doc = jsonb_build_object('n', 12, 'tag', 'b')", 12),
    "one bit of bytea": _one("raw = set_bit(raw, 13, 1 - get_bit(raw, 13))", 13),
    "boolean flipped": _one("flag = not flag", 14),
    "values of two rows swapped": Mutation(
        "update {t} set note = case id when 16 then md5('17') else md5('16') end where id in (16, 17)",
        frozenset({"16", "17"}),
    ),
    "row lost": Mutation("delete from {t} where id = 18", frozenset({"18"})),
}
