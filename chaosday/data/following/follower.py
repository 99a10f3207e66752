"""One reading of a stream after the other.

A reading takes a snapshot of the source, sets a mark, waits until the sink has it, and takes a snapshot of the sink:
if the sink applies what it is given in the order of the source, everything in the first snapshot has arrived. Rows
that differ are looked up in the source once more. One that has the same version there as in the snapshot (PostgreSQL's
``xmin``), or is there neither time, was touched by nobody meanwhile and has to be the same at the sink; any other is
in flight.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaosday.clock import Clock, SystemClock
from chaosday.data.connections.postgresql import Session
from chaosday.data.following.marks import TABLE, Marks, patience_of
from chaosday.data.following.reading import KEYS_SHOWN, Reading
from chaosday.data.reconcile.cells import NotHashable
from chaosday.data.reconcile.options import DiffOptions
from chaosday.data.reconcile.pgdiff import diff_postgres
from chaosday.data.reconcile.postgres import PostgresSide
from chaosday.data.reconcile.result import DiffResult
from chaosday.data.reconcile.sides import Side
from chaosday.data.reconcile.sql import ident, listed, literal, statement
from chaosday.errors import UsageError

MOST_ROWS = 20_000
"""So many rows that differ are looked up in the source; of more it is said that there are."""
_WORDS = {"removed": "missing", "added": "extra", "changed": "changed"}

Suspect = tuple[str, tuple[str, ...]]
"""How a row differs, and its key as text."""


@dataclass(frozen=True)
class Following:
    """How a stream is followed. ``key`` empty: the source's primary key. ``timeout_s`` is how long a mark, a lock or a
    silent server is waited for; ``confirm`` in how many readings one after the other a row has to differ."""

    key: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    marks: str = TABLE
    timeout_s: float = 30.0
    confirm: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s < 1e6:
            raise UsageError("a timeout is a number of seconds above zero")
        if self.confirm < 1:
            raise UsageError("a difference is confirmed by one reading or more")


@dataclass
class _Found:
    """The rows that differ, sorted by whether somebody touched them meanwhile."""

    settled: set[Suspect] = field(default_factory=set)
    in_flight: int = 0
    more: int = 0


class Follower:
    """A source and a sink, two PostgreSQL tables; ``read`` takes one reading. Nothing is kept open between readings."""

    def __init__(
        self, source: str | Side, sink: str | Side, following: Following, *, clock: Clock | None = None
    ) -> None:
        self.source, self.sink = (_table(each, label) for each, label in ((source, "source"), (sink, "sink")))
        self.following = following
        self.marks = Marks(following.marks, self.source.table)
        self._clock = clock or SystemClock()
        self._suspects: dict[Suspect, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._suspects.clear()

    def make_marks(self) -> None:
        """Make the table of marks on both sides."""
        self.marks.make([self.source, self.sink])

    def read(self) -> Reading:
        """One reading; ``TargetUnreachable``, ``AccessDenied`` and ``UsageError`` where a side cannot be read."""
        began_ns = self._clock.monotonic_ns()
        patience = patience_of(self.following.timeout_s)
        waiting = Session(self.sink.url, "sink", patience)
        try:
            self.marks.checked(waiting, "sink")
            source = PostgresSide(self.source, "source", patience)
            try:
                reading = self._read(source, waiting)
            finally:
                source.close()
        finally:
            waiting.close()
        return replace(reading, took_s=(self._clock.monotonic_ns() - began_ns) / 1e9)

    def _read(self, source: PostgresSide, waiting: Session) -> Reading:
        if not source.is_table:
            raise UsageError("the source is no table")
        self.marks.checked(source.session, "source")
        mark = self.marks.set(self.source)
        lag_s, stands = self.marks.reached(waiting, mark, self.following.timeout_s, self._clock)
        if lag_s is None:
            self._suspects.clear()
            at = "it has none" if stands is None else f"it is at {stands}"
            why = f"the sink did not reach mark {mark} within {self.following.timeout_s:g} s ({at})"
            return Reading(mark, None, 0.0, reasons=[f"{why}: what is there was not compared"])
        sink = PostgresSide(self.sink, "sink", patience_of(self.following.timeout_s))
        try:
            copying = _copying(sink)
            result, found = self._compared(source, sink)
        finally:
            sink.close()
        return self._judged(mark, lag_s, result, found, copying)

    def _compared(self, source: PostgresSide, sink: PostgresSide) -> tuple[DiffResult, _Found]:
        options, key, notes = self._options(source, sink)
        with tempfile.TemporaryDirectory(prefix="chaosday-follow-") as folder:
            output = Path(folder) / "differences.parquet"
            try:
                result = diff_postgres(source, sink, replace(options, output=output))
            except NotHashable as error:
                raise UsageError(f"a column cannot be compared in the databases: {error}; leave it out") from None
            result.notes = [*notes, *result.notes]
            found = _sorted_out(source, key, result, output)
        return result, found

    def _options(self, source: PostgresSide, sink: PostgresSide) -> tuple[DiffOptions, list[str], list[str]]:
        key = list(self.following.key) or _primary_key(source)
        ours, theirs = ([column.name for column in side.columns] for side in (source, sink))
        ignored, notes = set(self.following.ignored), []
        only_there = [name for name in theirs if name not in ours and name not in ignored]
        if only_there:
            notes.append(f"NOT compared, only at the sink: {', '.join(only_there)}")
        lost = [name for name in ours if name not in theirs and name not in ignored]
        if lost:
            notes.append(f"NOT compared, the sink has no column {', '.join(lost)}")
        left_out = frozenset(ignored | {*only_there, *lost})
        return DiffOptions(key=tuple(key), ignored=left_out, moments=True), key, notes

    def _judged(self, mark: int, lag_s: float, result: DiffResult, found: _Found, copying: list[str]) -> Reading:
        confirm = self.following.confirm
        self._suspects = {each: self._suspects.get(each, 0) + 1 for each in found.settled}
        sure = sorted(each for each, times in self._suspects.items() if times >= confirm and not copying)
        counts = {name: sum(kind == name for kind, _ in sure) for name in _WORDS.values()}
        lost = [note for note in result.notes if "the sink has no column" in note]
        reasons = [*copying, *result.reasons, *lost]
        if found.more:
            reasons.append(f"{found.more:,} rows more differ, which were not looked up: read again")
        if len(sure) < len(self._suspects):
            reasons.append(f"{len(self._suspects) - len(sure)} rows differ, which the next reading has to confirm")
        if result.duplicate_keys_left != result.duplicate_keys_right:
            counts["extra"] = max(counts["extra"], result.duplicate_keys_right)
        if not result.rows_left + result.rows_right:
            reasons.append("there is no row on either side")
        return Reading(
            mark=mark,
            lag_s=lag_s,
            took_s=0.0,
            rows=result.rows_left,
            rows_sink=result.rows_right,
            in_flight=found.in_flight,
            suspected=len(self._suspects) - len(sure),
            keys=[", ".join(key) for _, key in sure[:KEYS_SHOWN]],
            notes=result.notes,
            reasons=reasons,
            **counts,
        )


def _table(given: str | Side, label: str) -> Side:
    side = Side.parse(given) if isinstance(given, str) else given
    if side.engine != "postgresql":
        raise UsageError(f"the {label} is not PostgreSQL: streams are followed between tables of PostgreSQL")
    if not side.table:
        raise UsageError(f"the {label} names no table; write postgresql://HOST/DATABASE#SCHEMA.TABLE")
    return side


def _primary_key(source: PostgresSide) -> list[str]:
    rows = source.query(
        statement(
            "select a.attname from pg_index i, unnest(i.indkey) with ordinality k(n, place)"
            " join pg_attribute a on a.attnum = k.n where i.indrelid = {oid} and a.attrelid = {oid} and i.indisprimary"
            " order by k.place",
            oid=source.oid,
        )
    )
    if not rows:
        raise UsageError("the source's table has no primary key: name the columns that identify a row with --key")
    return [str(name) for (name,) in rows]


def _copying(sink: PostgresSide) -> list[str]:
    """Whether a subscription is still copying the table: until then a mark says nothing about its rows."""
    rows = sink.query(statement("select srsubstate::text from pg_subscription_rel where srrelid = {oid}", oid=sink.oid))
    if any(state != "r" for (state,) in rows):
        return ["the sink's subscription has not copied the whole table yet"]
    return []


def _sorted_out(source: PostgresSide, key: Sequence[str], result: DiffResult, output: Path) -> _Found:
    """Look the rows that differ up in the source's snapshot, and in one that is newer than the sink's."""
    suspects, count = _differing(output, len(key))
    found = _Found(more=max(0, count - MOST_ROWS))
    if not suspects:
        return found
    keys = [each for _, each in suspects]
    before = _versions(source, key, keys)
    source.renew_snapshot()
    after = _versions(source, key, keys)
    for suspect in suspects:
        if before.get(suspect[1]) == after.get(suspect[1]):
            found.settled.add(suspect)
        else:
            found.in_flight += 1
    return found


def _differing(output: Path, key_columns: int) -> tuple[list[Suspect], int]:
    """As many as are looked up, and how many there are: of two tables that have nothing in common, all rows."""
    import pyarrow.parquet as pq

    suspects: list[Suspect] = []
    with pq.ParquetFile(output) as file:
        for batch in file.iter_batches(MOST_ROWS):
            # ``difference`` and the key come first, whatever the columns are called.
            columns: list[list[Any]] = [batch.column(number).to_pylist() for number in range(1 + key_columns)]
            suspects += [(_WORDS[str(kind)], tuple(map(str, key))) for kind, *key in zip(*columns, strict=True)]
            if len(suspects) >= MOST_ROWS:
                break
        return suspects[:MOST_ROWS], file.metadata.num_rows


def _versions(source: PostgresSide, key: Sequence[str], keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """By key: which transaction wrote the row; a row that is not there is left out.

    A row is known by its place among ``keys``: one value has many texts (1.5 is 1.50), and a difference's is not
    always the one that its table has.
    """
    wanted = listed(
        statement("array[{each}]::text[]", each=listed(literal(one[n]) for one in keys)) for n in range(len(key))
    )
    columns = [source.column(name) for name in key]
    rows = source.query(
        statement(
            "select w.place, t.xmin::text from {relation} t join unnest({wanted}) with ordinality"
            " as w({letters}, place) on {same}",
            relation=source.relation,
            wanted=wanted,
            letters=listed(f"c{n}" for n in range(len(key))),
            same=" and ".join(f"t.{ident(column.name)} = w.c{n}::{column.type}" for n, column in enumerate(columns)),
        )
    )
    return {keys[int(place) - 1]: str(transaction) for place, transaction in rows}
