"""Tables of ours in a database whose every table is published: no subscriber of somebody's is stopped by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from chaosday.errors import Refused, TargetUnreachable
from chaosday.faults.data.rows import DataRows
from chaosday.lab.stands import fresh
from chaosday.model.lease import Lease, Undo
from chaosday.model.sql import Sql
from chaosday.model.target import Postgres, Target
from chaosday.probes.postgresql.write import PostgresWrite
from chaosday.probes.sql.write import SqlWrite
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.undo.table_leases import TableLeases
from chaosday.workloads.changes import Changes
from chaosday.workloads.changes_seen import ChangesSeen
from chaosday.workloads.ledger import Ledger
from chaosday.workloads.set import Set
from tests.running.waiting import until

pytestmark = [pytest.mark.lab]
EVERY_TABLE = "all tables of this database are published \\(chaosday\\)"


@dataclass
class Stream:
    """Both targets, and a question to either."""

    source: Target
    sink: Target

    def ask(self, side: str, statement: str) -> Any:
        with closing(getattr(self, side).capability(Sql).open()) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def until_in_step(self) -> None:
        """Until the sink has applied what is written now."""
        self.ask("source", "insert into steady values (default)")
        rows = "select count(*) from steady"
        until(lambda: bool(self.ask("sink", rows) == self.ask("source", rows)))


@pytest.fixture(scope="module")
def stream() -> Iterator[Stream]:
    with fresh("postgresql_stream", {}) as facts:
        both = [
            cast(Target, member("targets", "postgresql").model_validate(facts[side])) for side in ("source", "sink")
        ]
        made = Stream(*both)
        for side in ("sink", "source"):
            made.ask(side, "create table steady (n bigserial primary key)")
        made.ask("sink", "alter subscription chaosday refresh publication")
        yield made


@pytest.mark.parametrize("kind", [Ledger, Set])
def test_tables_of_a_workload_are_refused_where_a_subscriber_would_get_their_rows(stream: Stream, kind: Any) -> None:
    """Nothing is made, and the subscriber goes on."""
    with pytest.raises(Refused, match=EVERY_TABLE):
        kind(target="source", scope="refused").prepare(stream.source)
    assert stream.ask("source", "select to_regnamespace('chaosday')::text") == [(None,)]
    stream.until_in_step()


@pytest.mark.parametrize("kind", [PostgresWrite, SqlWrite])
def test_a_probe_that_writes_gives_no_answer_there(stream: Stream, kind: Any) -> None:
    """It says why, and is not taken for a database that is down."""
    said = kind(target="source").read(stream.source)
    assert said.healthy is None and "are published" in said.words
    stream.until_in_step()


def test_rows_that_are_sent_on_are_not_damaged(stream: Stream, tmp_path: Path) -> None:
    """The subscriber would have the damage too, at whom nobody pointed; nor are pre-images kept beside such rows."""
    stream.ask("source", "insert into steady values (default)")
    stream.ask("source", "comment on table steady is 'chaosday-scratch'")
    fault = DataRows(target="db", table="steady", key="n", damage="delete", count=1, accept_weak_lease=True, ttl_s=30)
    rows = stream.ask("source", "select count(*) from steady")
    life = Lifecycle("r", Journal.create(tmp_path / "j.jsonl", "r"), {"db": stream.source}, max_affected=1)
    with life, pytest.raises(Refused, match="publication chaosday sends it on"):
        life.plan(fault)
    lease = Lease(id="cd-kept", run="r", fault="f", target="db", undo=Undo(), ttl_s=30)
    with pytest.raises(Refused, match=EVERY_TABLE):
        TableLeases(stream.source.capability(Postgres)).arm(lease)
    assert stream.ask("source", "select count(*) from steady") == rows
    assert stream.ask("source", "select to_regnamespace('chaosday_kept')::text") == [(None,)]
    stream.until_in_step()


def test_the_sink_which_publishes_nothing_takes_all_of_it(stream: Stream) -> None:
    """And so does the source for a workload whose tables are meant for the stream."""
    workload = Ledger(target="sink", scope="free")
    workload.prepare(stream.sink)
    workload.clean_up(stream.sink)
    assert PostgresWrite(target="sink").read(stream.sink).healthy


def test_tables_of_a_stream_stay_until_all_of_it_has_arrived(stream: Stream) -> None:
    """Taken away before, they would stop the subscription at the first row; once it has caught up they go."""
    writer = Changes(target="source", scope="late")
    reader = ChangesSeen(target="sink", scope="late", subscription="chaosday", patience_s=0.5)
    writer.prepare(stream.source)
    reader.prepare(stream.sink)
    stream.ask("sink", "alter subscription chaosday disable")
    stream.ask("source", "insert into chaosday.changes_late (id, version, value, extra) values (1, 1, 1, null)")
    stream.ask("source", "insert into chaosday.changes_late_marks values (0, 1, 1, 0)")
    writer.clean_up(stream.source)
    with pytest.raises(TargetUnreachable, match="has not applied all that was written"):
        reader.clean_up(stream.sink)
    stream.ask("sink", "alter subscription chaosday enable")
    stream.until_in_step()
    reader.clean_up(stream.sink)
    assert stream.ask("sink", "select to_regclass('chaosday.changes_late')::text") == [(None,)]
    stream.until_in_step()
