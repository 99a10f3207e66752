"""The proxy before a real server: clients notice nothing, and an ask is stopped on the side that was said."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from chaosday.mechanisms.wire.conversation import Ask, Gate, Leave
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.servers.postgres import Node

pytestmark = pytest.mark.lab
PATIENCE_S = 60.0
WHERE = "host='127.0.0.1', user='postgres', dbname='postgres'"
INSERT = "insert into wired values (1, 'a')"


class Noting(Gate):
    """Notes every ask, and stops the one whose text holds ``at``."""

    def __init__(self, at: str = "", leave: Leave = Leave.GO, then: Leave = Leave.STOP) -> None:
        self.asks: list[Ask] = []
        self.at, self.leave, self.then = at, leave, then
        self.reached = threading.Event()

    def arrived(self, ask: Ask) -> Leave:
        self.asks.append(ask)
        if not self.at or self.at not in ask.text:
            return Leave.GO
        if self.leave is not Leave.WITHHOLD:
            self.reached.set()
        return self.leave

    def answered(self, ask: Ask) -> Leave:
        if self.leave is Leave.WITHHOLD and self.at in ask.text:
            self.reached.set()
            return self.then
        return Leave.GO


@pytest.fixture
def node(pair: tuple[Node, Node]) -> Iterator[Node]:
    """A server with an empty table ``wired``."""
    with straight(pair[0]) as sql:
        sql.execute("drop table if exists wired")
        sql.execute("create table wired (n int, said text)")
        yield pair[0]
        sql.execute("drop table wired")


def straight(node: Node, port: int = 0) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="127.0.0.1",
        port=port or node.port,
        user="postgres",
        dbname="postgres",
        password=node.password,
        autocommit=True,
    )


def rows(node: Node) -> int:
    with straight(node) as sql:
        [(count,)] = sql.execute("select count(*) from wired").fetchall()
        return int(count)


def by_psycopg(node: Node, port: int) -> None:
    with straight(node, port) as sql:
        with sql.pipeline():
            for number in range(20):
                sql.execute("insert into wired values (%s, %s)", (number, "p"))
        with sql.cursor() as cursor, cursor.copy("copy wired from stdin") as copy:
            for number in range(2000):
                copy.write_row((number, "x" * 100))
        with sql.cursor() as cursor, cursor.copy("copy wired to stdout") as copy:
            assert sum(1 for _ in copy.rows()) == 2020
        with pytest.raises(psycopg.errors.DivisionByZero):
            sql.execute("select 1/0")
        with (
            pytest.raises(psycopg.errors.BadCopyFileFormat),
            sql.cursor() as cursor,
            cursor.copy("copy wired from stdin") as copy,
        ):
            for _ in range(5000):
                copy.write(b"no number\ttoo\tmany\n")


def by_psycopg2(node: Node, port: int) -> None:
    import io

    psycopg2 = pytest.importorskip("psycopg2")
    sql = psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", password=node.password)
    with sql, sql.cursor() as cursor:
        cursor.execute("insert into wired select n, 'x' from generate_series(1, 20) n; select 1")
        cursor.copy_expert("copy wired from stdin", io.StringIO("".join(f"{n}\ty\n" for n in range(2000))))
    sql.close()


def by_asyncpg(node: Node, port: int) -> None:
    asyncpg = pytest.importorskip("asyncpg")

    async def ask() -> None:
        sql = await asyncpg.connect(
            host="127.0.0.1", port=port, user="postgres", database="postgres", password=node.password
        )
        async with sql.transaction():
            await sql.executemany("insert into wired values ($1, $2)", [(n, "a") for n in range(20)])
        await sql.copy_records_to_table("wired", records=[(n, "c") for n in range(2000)])
        assert len(await sql.fetch("select * from wired")) == 2020
        await sql.close()

    asyncio.run(ask())


def by_psql(node: Node, port: int) -> None:
    script = (
        "begin;\ninsert into wired select n, 'x' from generate_series(1, 20) n;\ncommit;\ncopy wired from stdin;\n"
        + "".join(f"{n}\tz\n" for n in range(2000))
        + "\\.\n"
    )
    done = subprocess.run(
        [str(node.bin / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"],
        input=script,
        text=True,
        env={"PGPASSWORD": node.password},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", [by_psycopg, by_psycopg2, by_asyncpg, by_psql])
def test_clients_notice_nothing(client: Callable[[Node, int], None], node: Node) -> None:
    """Pipelines, prepared statements, COPY both ways and errors work as they do without a proxy."""
    gate = Noting()
    with WireProxy(("127.0.0.1", node.port), gate) as proxy:
        client(node, proxy.port)
    assert rows(node) == 2020
    assert any("wired" in ask.text for ask in gate.asks)


def test_asks_are_told_in_the_client_s_words(node: Node) -> None:
    """Each statement once, COPY twice (the rows are there when it ends), and whether a transaction was open."""
    gate = Noting()
    with WireProxy(("127.0.0.1", node.port), gate) as proxy, straight(node, proxy.port) as sql, sql.transaction():
        sql.execute("insert into wired values (%s, 'a')", (1,))
        with sql.cursor() as cursor, cursor.copy("copy wired from stdin") as copy:
            copy.write_row((2, "b"))
    assert [(ask.text, ask.transaction) for ask in gate.asks] == [
        ("BEGIN", "I"),
        ("insert into wired values ($1, 'a')", "T"),
        ("copy wired from stdin", "T"),
        ("end of: copy wired from stdin", "T"),
        ("COMMIT", "T"),
    ]


def in_a_transaction(node: Node, port: int) -> None:
    with straight(node, port) as sql, sql.transaction():
        sql.execute("insert into wired values (%s, 'a')", (1,))


def in_a_pipeline(node: Node, port: int) -> None:
    with straight(node, port) as sql, sql.pipeline() as pipeline:
        sql.execute("select 1")
        pipeline.sync()
        sql.execute("insert into wired values (%s, 'a')", (1,))
        pipeline.sync()


def in_a_copy(node: Node, port: int) -> None:
    with straight(node, port) as sql, sql.cursor() as cursor, cursor.copy("copy wired from stdin") as copy:
        copy.write_row((2, "b"))


@pytest.mark.parametrize(
    ("client", "at"),
    [(in_a_transaction, "COMMIT"), (in_a_pipeline, "insert"), (in_a_copy, "end of")],
    ids=["commit", "autocommit", "copy"],
)
@pytest.mark.parametrize(("leave", "expected"), [(Leave.STOP, 0), (Leave.WITHHOLD, 1)])
def test_an_ask_is_stopped_on_the_side_that_was_said(
    client: Callable[[Node, int], None], at: str, leave: Leave, expected: int, node: Node
) -> None:
    """Stopped on arrival the server has done nothing of it; withheld, all of it; the client knows neither."""
    gate = Noting(at, leave)
    ended = threading.Event()

    def ask() -> None:
        try:
            client(node, proxy.port)
        except psycopg.Error:
            ended.set()

    with WireProxy(("127.0.0.1", node.port), gate) as proxy:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert gate.reached.wait(PATIENCE_S)
        assert proxy.stopped and proxy.quiet() and not ended.is_set()
        assert rows(node) == expected
        proxy.reset()
        thread.join(PATIENCE_S)
        assert ended.is_set()
    until = time.monotonic() + PATIENCE_S
    while rows(node) != expected:
        assert time.monotonic() < until


@pytest.mark.parametrize(("leave", "expected"), [(Leave.CUT, 0), (Leave.WITHHOLD, 1)])
def test_a_connection_is_cut_and_others_go_on(leave: Leave, expected: int, node: Node) -> None:
    """On the side that was said; the client knows only that its connection has ended, and may come again."""
    gate = Noting("insert", leave, Leave.CUT)
    with WireProxy(("127.0.0.1", node.port), gate) as proxy, straight(node, proxy.port) as other:
        with straight(node, proxy.port) as sql, pytest.raises(psycopg.OperationalError):
            sql.execute("insert into wired values (1, 'a')")
        assert other.execute("select count(*) from wired").fetchone() == (expected,)


def test_what_was_withheld_may_be_let_go_after_all(node: Node) -> None:
    """The whole answer comes then, and the connection goes on."""
    gate = Noting("wired", Leave.WITHHOLD, Leave.GO)
    with WireProxy(("127.0.0.1", node.port), gate) as proxy, straight(node, proxy.port) as sql:
        assert sql.execute("insert into wired values (1, 'a') returning n").fetchone() == (1,)
        assert sql.execute("select count(*) from wired").fetchone() == (1,)


@pytest.mark.parametrize("leave", [Leave.HOLD, Leave.WITHHOLD])
def test_an_ask_is_held_while_others_come_and_go(leave: Leave, node: Node) -> None:
    """On either side; once released it is done and answered as if nothing had been, its client's death apart."""
    gate, answers = Noting("insert", leave, Leave.HOLD), []
    with WireProxy(("127.0.0.1", node.port), gate) as proxy:

        def ask() -> None:
            with straight(node, proxy.port) as sql:
                answers.append(sql.execute("insert into wired values (1, 'a') returning n").fetchone())

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert gate.reached.wait(PATIENCE_S)
        proxy.set_aside()
        proxy.reset()
        assert len(proxy.ports_aside()) == 1 and answers == []
        with straight(node, proxy.port) as other:
            assert other.execute("select count(*) from wired").fetchone() == (0 if leave is Leave.HOLD else 1,)
        proxy.release()
        thread.join(PATIENCE_S)
        assert answers == [(1,)] and rows(node) == 1


def test_what_a_dead_client_had_said_arrives_late(node: Node) -> None:
    """Its connection is kept until the ask is released and done, and ends then."""
    gate = Noting("COMMIT", Leave.HOLD)
    script = f'import psycopg\nwith psycopg.connect(port={{}}, {WHERE}) as sql: sql.execute("{INSERT}")'
    with WireProxy(("127.0.0.1", node.port), gate) as proxy:
        client = subprocess.Popen([sys.executable, "-c", script.format(proxy.port)], env={"PGPASSWORD": node.password})
        assert gate.reached.wait(PATIENCE_S)
        client.kill()
        client.wait()
        proxy.set_aside()
        assert rows(node) == 0 and len(proxy.ports_aside()) == 1
        proxy.release()
        until = time.monotonic() + PATIENCE_S
        while proxy.ports_aside():
            assert time.monotonic() < until
        assert rows(node) == 1


@pytest.mark.parametrize("error", [FileNotFoundError("state"), psycopg.errors.UndefinedTable("gone")])
def test_what_a_gate_raises_is_kept(node: Node, error: Exception) -> None:
    """Whoever drives the proxy hears of it: to the client it is a connection that ends."""

    class Failing(Gate):
        def arrived(self, ask: Ask) -> Leave:
            raise error

    with WireProxy(("127.0.0.1", node.port), Failing()) as proxy:
        with straight(node, proxy.port) as sql, pytest.raises(psycopg.OperationalError):
            sql.execute(INSERT)
        assert proxy.failed is error
        proxy.reset()
        with straight(node, proxy.port) as sql:
            sql.execute(INSERT)
        assert proxy.failed is None
    assert rows(node) == 1
