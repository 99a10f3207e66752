"""A table of two real PostgreSQL followed while it is written to, by the program and from Python."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from chaosday.data.connections.postgresql import Session
from chaosday.data.following import Follower, Following, Reading
from chaosday.data.following.follower import _versions
from chaosday.data.following.marks import Marks, patience_of
from chaosday.data.following.reading import exit_code_of
from chaosday.data.reconcile.postgres import PostgresSide
from chaosday.data.reconcile.sides import Side
from chaosday.errors import Refused, TargetUnreachable, UsageError
from chaosday.lab.stands import fresh
from chaosday.servers.ports import free_port
from tests.running.waiting import until

pytestmark = [pytest.mark.lab]
ROWS = 2_000


@dataclass
class Pair:
    """Both sides' addresses, and a connection to each."""

    source_url: str
    sink_url: str
    source: psycopg.Connection[Any]
    sink: psycopg.Connection[Any]

    def follower(self, **options: Any) -> Follower:
        made = Follower(f"{self.source_url}#orders", f"{self.sink_url}#orders", Following(timeout_s=30, **options))
        made.make_marks()
        return made

    def refresh(self) -> None:
        self.sink.execute("alter subscription chaosday refresh publication")
        ready = "select count(*) from pg_subscription_rel where srsubstate <> 'r'"
        until(lambda: self.sink.execute(ready).fetchone() == (0,))

    def applied(self) -> None:
        """Wait for all that was written: a change of a table that the sink lacks ends its worker for ever."""
        (written,) = self.source.execute("select pg_current_wal_lsn()").fetchone() or ()
        reached = "select confirmed_flush_lsn >= %s from pg_replication_slots where slot_name = 'chaosday'"
        until(lambda: self.source.execute(reached, (written,)).fetchone() == (True,))

    @contextmanager
    def written_to(self) -> Iterator[None]:
        """Somebody changes, deletes and inserts rows of the lower half meanwhile."""
        over = threading.Event()

        def work() -> None:
            with psycopg.connect(self.source_url, autocommit=True) as connection:
                for n in range(1 << 30):
                    if over.wait(0.001):
                        return
                    row = 1 + n * 7 % (ROWS // 2)
                    connection.execute("delete from orders where id = %s", (row,))
                    connection.execute("insert into orders values (%s, 'again')", (row,))
                    connection.execute("update orders set v = v || 'y' where id = %s", (row + 1,))

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with fresh("postgresql_stream", {}) as facts:
        urls = [
            f"postgresql://postgres:{facts[side]['password']}@127.0.0.1:{facts[side]['port']}/postgres"
            for side in ("source", "sink")
        ]
        with psycopg.connect(urls[0], autocommit=True) as source, psycopg.connect(urls[1], autocommit=True) as sink:
            yield Pair(*urls, source, sink)


@pytest.fixture
def orders(pair: Pair) -> Iterator[Pair]:
    """A table with rows on both sides, in step."""
    for side in (pair.source, pair.sink):
        side.execute("create table orders (id bigint primary key, v text)")
    pair.follower()
    pair.source.execute(f"insert into orders select n, 'row ' || n from generate_series(1, {ROWS}) n")
    pair.refresh()
    yield pair
    pair.applied()
    for side in (pair.source, pair.sink):
        side.execute("drop table orders")


def told(reading: Reading) -> tuple[object, ...]:
    return reading.equal, reading.missing, reading.changed, reading.extra


def test_what_is_in_flight_is_no_difference_and_damage_is_one(orders: Pair) -> None:
    """While rows are written: equal; a row missing, one changed and one too many: suspected, then different, by key."""
    follower = orders.follower()
    with orders.written_to():
        sound = [follower.read() for _ in range(3)]
        orders.sink.execute("delete from orders where id = 1500")
        orders.sink.execute("update orders set v = 'other' where id = 1501")
        orders.sink.execute("insert into orders values (-1, 'never written')")
        first, second = follower.read(), follower.read()
    assert [told(each) for each in sound] == [(True, 0, 0, 0)] * 3
    assert all(each.lag_s is not None and abs(each.rows - ROWS) < 3 for each in sound)
    assert (told(first), first.suspected) == ((None, 0, 0, 0), 3)
    assert (told(second), set(second.keys)) == ((False, 1, 1, 1), {"1500", "1501", "-1"})
    assert exit_code_of([*sound, first, second]) == 1


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("numeric(10,2)", ("1.50", "-0.10")),
        ("numeric", ("1.500", "100")),
        ("timestamptz", ("2024-02-29 14:00:00.5+02", "0044-03-15 12:00:00+00 BC")),
        ("bytea", (r"\x00ff", r"\x")),
        ("char(4)", ("ab", "abcd")),
        ("uuid", ("6BA7B810-9DAD-11D1-80B4-00C04FD430C8",)),
        ("float8", ("0.1", "1e300", "-0")),
        ("boolean", ("t", "f")),
        ("interval", ("1 day 02:00:00", "-3 mons")),
        ("text", ("", "a'b", '{x,"y}', "null")),
    ],
)
def test_a_row_that_differs_is_found_again_whatever_its_key_is(pair: Pair, kind: str, values: tuple[str, ...]) -> None:
    """By its value, and not by one text of it: else what is in flight would be called settled."""
    # Both at the sink, of which nothing is published: a table that the source alone had would stop the stream.
    for name in ("hot", "cold"):
        pair.sink.execute(f"create table {name} (k {kind} primary key, v text)")
    try:
        for value in values:
            pair.sink.execute("insert into hot values (%s, 'x')", (value,), prepare=False)
        follower = Follower(f"{pair.sink_url}#hot", f"{pair.sink_url}#cold", Following())
        with contextlib.ExitStack() as sides:
            source, sink = (
                sides.enter_context(contextlib.closing(PostgresSide(side, label, patience_of(30))))
                for side, label in ((follower.source, "source"), (follower.sink, "sink"))
            )
            _, found = follower._compared(source, sink)
            assert (len(found.settled), found.in_flight) == (len(values), 0)
            there = _versions(source, ["k"], [key for _, key in found.settled])
            assert set(there) == {key for _, key in found.settled}
    finally:
        pair.sink.execute("drop table hot, cold")


def test_a_sink_that_stands_still_is_not_called_equal(orders: Pair) -> None:
    """However equal its rows are: the mark was not reached, and the reading says where the sink stands."""
    follower = orders.follower()
    reached = follower.read()
    orders.sink.execute("alter subscription chaosday disable")
    try:
        stopped = Follower(f"{orders.source_url}#orders", f"{orders.sink_url}#orders", Following(timeout_s=0.5)).read()
    finally:
        orders.sink.execute("alter subscription chaosday enable")
    assert (reached.equal, stopped.equal, stopped.lag_s) == (True, None, None)
    assert f"did not reach mark {stopped.mark} within 0.5 s (it is at {reached.mark})" in stopped.words()
    assert exit_code_of([reached, stopped]) == 2


def test_a_column_in_mid_stream(orders: Pair) -> None:
    """One that the sink lacks is no equality; one that only the sink has is named, and left out."""
    follower = orders.follower()
    orders.sink.execute("alter table orders add column note text")
    ahead = follower.read()
    orders.sink.execute("alter table orders drop column note")
    orders.source.execute("alter table orders add column note text")
    lacking = follower.read()
    assert (ahead.equal, lacking.equal) == (True, None)
    assert "only at the sink: note" in ahead.notes[0]
    assert "the sink has no column note" in lacking.words()


def test_the_program_says_it_line_by_line(orders: Pair) -> None:
    """A reading a line as JSON; equal is 0, and Ctrl-C ends it with 130 and no traceback."""
    sides = [f"{orders.source_url}#orders", f"{orders.sink_url}#orders"]
    command = [sys.executable, "-m", "chaosday", "reconcile", *sides, "--follow", "--json", "--every", "0.1"]
    done = subprocess.run([*command, "--readings", "2"], capture_output=True, text=True, check=False)
    assert (done.returncode, [json.loads(line)["equal"] for line in done.stdout.splitlines()]) == (0, [True, True])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
        assert going.stdout is not None and json.loads(going.stdout.readline())["equal"] is True
        os.kill(going.pid, signal.SIGINT)
        _, errors = going.communicate()
    assert going.returncode == 130
    assert "Traceback" not in errors


def test_what_cannot_be_followed_is_one_line(orders: Pair) -> None:
    """No table for marks, no key, another engine, a query, nobody there: each says what to do."""
    source, sink = f"{orders.source_url}#orders", f"{orders.sink_url}#orders"
    cases = [
        ((source, sink, Following(marks="public.none")), "make it on both sides with --make-mark"),
        ((source, "mysql://h/d#t", Following()), "streams are followed between tables of PostgreSQL"),
        ((f"{orders.source_url}#select 1 as id", sink, Following()), "the source names no table"),
        ((source, f"{orders.sink_url}#nowhere", Following()), "no table 'nowhere'"),
    ]
    for arguments, words in cases:
        with pytest.raises(UsageError, match=words):
            Follower(*arguments).read()
    with pytest.raises(TargetUnreachable):
        Follower(source, f"postgresql://127.0.0.1:{free_port()}/d#orders", Following()).read()


OWNER = "chaosday_marks_owner"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("create view stranger.marks as select 'x'::text as stream, stranger.mine() as mark", "is not a table"),
        (
            "create table stranger.marks (stream text primary key, mark bigint not null);"
            "create trigger more before insert on stranger.marks for each row execute function stranger.fired()",
            "trigger more",
        ),
        (
            "create table stranger.marks (stream text primary key, mark bigint not null check (stranger.mine() > 0))",
            "",
        ),
    ],
    ids=["view", "trigger", "constraint"],
)
def test_a_table_of_marks_that_somebody_planted_runs_nothing_as_us(pair: Pair, made: str, words: str) -> None:
    """We are a superuser here: what its owner has it run is refused, or run as its owner."""
    # At the sink, of which nothing is published: tables that the source alone has would stop the stream.
    pair.sink.execute(f"drop role if exists {OWNER}")
    pair.sink.execute(f"create role {OWNER}")
    try:
        pair.sink.execute(f"create schema stranger authorization {OWNER}")
        pair.sink.execute("create table public.ran_as (who text)")
        pair.sink.execute("grant insert on public.ran_as to public")
        pair.sink.execute(
            f"""set role {OWNER};
            create function stranger.mine() returns bigint language plpgsql as
                $$begin insert into public.ran_as values (current_user); return 1; end$$;
            create function stranger.fired() returns trigger language plpgsql as
                $$begin insert into public.ran_as values (current_user); return new; end$$;
            {made}; reset role"""
        )
        marks = Marks("stranger.marks", "orders")
        side = Side.parse(f"{pair.sink_url}#orders")
        if words:
            with pytest.raises(Refused, match=words):
                marks.set(side)
        else:
            assert marks.set(side) == 1
        assert pair.sink.execute("select who from public.ran_as where who <> %s", (OWNER,)).fetchall() == []
        if "view" in made:
            session = Session(pair.sink_url, "sink")
            with pytest.raises(Refused, match="is not a table"):
                marks.checked(session, "sink")
            session.close()
    finally:
        pair.sink.execute("drop schema if exists stranger cascade")
        pair.sink.execute("drop table if exists public.ran_as")
        pair.sink.execute(f"drop role if exists {OWNER}")


def test_a_server_that_says_nothing_is_no_mark(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark waits for a limit of ours; the server's own time-out is no end of one that stands still."""
    monkeypatch.setattr("chaosday.data.following.marks.ANSWER_S", 0.5)
    marks = Marks("public.slow_marks", "orders")
    side = Side.parse(f"{pair.sink_url}#orders")
    pair.sink.execute("create table public.slow_marks (stream text primary key, mark bigint not null)")
    try:
        with psycopg.connect(pair.sink_url) as holder:
            holder.execute("lock table public.slow_marks")
            with pytest.raises(TargetUnreachable, match=r"did not end within 0\.5 s"):
                marks.set(side)
    finally:
        pair.sink.execute("drop table public.slow_marks")
