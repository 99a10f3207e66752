"""Known damage to SQLite and DuckDB files that are stores: in each table that is an output, by SQL, and undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from chaosday.data.reconcile.sql import ident, statement
from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.differences import CHANGED, DUPLICATED, LOST, ORPHAN
from chaosday.drills.pipelines.embedded import opened, refusals
from chaosday.drills.pipelines.folders import carry

_DAMAGES = {
    LOST: "delete from {table} where rowid = (select max(rowid) from {table})",
    DUPLICATED: "insert into {table} select * from {table} where rowid = (select max(rowid) from {table})",
    CHANGED: "update {table} set {column} = {other} where rowid = (select max(rowid) from {table})",
}
_OTHERS = {"text": "{column} || ' chaosday'", "integer": "{column} + 1", "real": "{column} + 1"}


def planted_stores(comparator: Comparator) -> Iterator[tuple[str, str, AbstractContextManager[None]]]:
    """Each damage with its output's name and a context within which it is there; a store is as it was afterwards.

    What a table's own constraints refuse, a run cannot do to it either, and is not planted.
    """
    if comparator.scratch is None:
        return
    place = comparator.scratch / "planting"
    for store, path in comparator.value.embedded.items():
        kind, work = comparator.value.stores[store].type, comparator.scratch / "work"
        names = [each for each in comparator.value.lives_on if each.startswith(path)]
        for output, content in comparator.files("").items():
            if not output.startswith(f"{store}.") or not content.rows:
                continue
            table = output.removeprefix(f"{store}.").partition(".")
            for damage, words in _DAMAGES.items():
                carry(work, place, names)
                if _done(kind, place / path, words, _named(table[0], table[2])):
                    yield output, damage, _there(work, place, names)
        carry(work, place, names)
        with opened(kind, place / path) as database:
            database.execute("create table chaosday_orphan (n int)")
        yield f"{store}.main.chaosday_orphan", ORPHAN, _there(work, place, names)


def _named(schema: str, table: str) -> str:
    return f"{ident(schema)}.{ident(table)}"


def _done(kind: str, file: Path, words: str, table: str) -> bool:
    """Whether the damage could be done to that copy, to one row."""
    with contextlib.suppress(*refusals()), opened(kind, file) as database:
        fields = {"table": table}
        if "{column}" in words:
            found = _other(database, table)
            if found is None:
                return False
            fields["column"] = ident(found[0])
            fields["other"] = statement(_OTHERS[found[1]], column=fields["column"])
        database.execute(statement(words, **fields))
        return True
    return False


def _other(database: Any, table: str) -> tuple[str, str] | None:
    """A column of the row that is damaged that holds something, and how it is changed."""
    row = database.execute(statement("select * from {table} order by rowid desc limit 1", table=table))
    names, values = [each[0] for each in row.description], row.fetchone() or ()
    for name, value in zip(names, values, strict=False):
        said = {str: "text", int: "integer", float: "real"}.get(type(value))
        if said is not None:
            return str(name), said
    return None


@contextlib.contextmanager
def _there(work: Path, damaged: Path, names: list[str]) -> Iterator[None]:
    whole = damaged.with_name("whole")
    carry(work, whole, names)
    carry(damaged, work, names)
    try:
        yield
    finally:
        carry(whole, work, names)
