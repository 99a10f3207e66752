"""Databases to be thrown away, and what a crash would leave in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chaosday.errors import CapabilityMissing, TargetUnreachable, UsageError
from chaosday.servers.copies import CONTROL, Commits, Copies, Source
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def copies(server_directory: Path) -> Iterator[Copies]:
    """A server with one database, ``shop``, of one table and one sequence."""
    folder = server_directory / "copies"
    folder.mkdir()
    folder.chmod(0o711)
    made = Copies.start(folder)
    script = folder / "shop.sql"
    script.write_text(
        "create table orders (id bigserial primary key, n int);\ninsert into orders (n) values (1), (2);\n"
    )
    made.build(Source("shop", "loader", file=script))
    made.keep("begin")
    yield made
    assert made.close() == []


def count(copies: Copies, database: str = "shop") -> int:
    with copies.connect(database) as sql:
        return int(sql.execute("select count(*) from orders").fetchone()[0])


def test_a_database_is_as_it_was_kept(copies: Copies) -> None:
    """Whatever was done to it, and whoever is still connected; the copies are apart from each other."""
    copies.restore("begin")
    other = copies.connect("shop")
    other.execute("insert into orders (n) values (3)")
    other.close()
    copies.keep("more")
    assert count(copies) == 3
    straggler = copies.connect("shop")
    copies.restore("begin")
    assert count(copies) == 2 and count(copies, copies.copy_of("shop", "more")) == 3
    with pytest.raises(psycopg.OperationalError):
        straggler.execute("select 1")


def test_sequences_go_on_as_after_lost_transactions(copies: Copies) -> None:
    """The next number is another one; the rows are the same."""
    copies.restore("begin")
    copies.let_sequences_go_on("shop", 7)
    with copies.connect("shop") as sql:
        assert sql.execute("insert into orders (n) values (3) returning id").fetchone() == (10,)


@pytest.mark.parametrize(
    ("done", "added"),
    [
        (["insert into orders (n) values (1)"], 1),
        (["begin", "insert into orders (n) values (1)"], 0),
        (["begin", "insert into orders (n) values (1)", "rollback"], 0),
        (["begin", "insert into orders (n) values (1)", "commit"], 1),
        (["select * from orders"], 0),
    ],
)
def test_commits_are_counted_and_nothing_else_is(copies: Copies, done: list[str], added: int) -> None:
    """What is in a transaction that is not at its end would not outlive a crash."""
    copies.restore("begin")
    commits = Commits(copies)
    before, _ = commits.look()
    with copies.connect("shop") as sql:
        for each in done:
            sql.execute(each)
        assert commits.look()[0] - before == added


def test_two_that_overlap_are_told_apart(copies: Copies) -> None:
    """A transaction that was begun first and commits last is missing until it does."""
    copies.restore("begin")
    commits = Commits(copies)
    with copies.connect("shop") as first, copies.connect("shop") as second:
        first.execute("begin")
        first.execute("insert into orders (n) values (1)")
        second.execute("insert into orders (n) values (2)")
        assert commits.look()[0] == 1
        second.execute("insert into orders (n) values (2)")
        assert commits.look()[0] == 2
        first.execute("prepare transaction 'half'")
        assert commits.look() == (2, ("half",))
        second.execute("commit prepared 'half'")
        assert commits.look() == (3, ())


def test_a_server_is_copied_and_only_read(copies: Copies, pair: tuple[Node, Node]) -> None:
    """The copy has its rows, and nothing was written to any table of the original."""
    written = "select relid, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables order by 1"
    with PostgreSQL(**pair[0].target()).connect() as sql:
        sql.execute("create table original_rows as select n from generate_series(1, 5) n")
        sql.execute("select pg_stat_force_next_flush()")
        before = sql.execute(written).fetchall()
        copies.build(Source("mirror", "postgres", server=PostgreSQL(**pair[0].target())))
        copies.databases.remove("mirror")
        after = sql.execute(written).fetchall()
        sql.execute("drop table original_rows")
    with copies.connect("mirror") as sql:
        assert sql.execute("select count(*) from original_rows").fetchone() == (5,)
    assert before and after == before


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [("create tabel x ()", "broken.sql", "syntax error"), ("no dump", "broken.dump", "what can be: a dump in pg_dump")],
)
def test_what_cannot_be_loaded_is_said(copies: Copies, tmp_path: Path, text: str, name: str, words: str) -> None:
    """The file, what the tool said, and what would do."""
    file = tmp_path / name
    file.write_text(text)
    database = name.replace(".", "_")
    with pytest.raises(UsageError, match=words):
        copies.build(Source(database, "postgres", file=file))
    copies.databases.remove(database)


def test_a_server_that_cannot_be_read_is_said(copies: Copies) -> None:
    """Why, and that a dump would do."""
    away = PostgreSQL(port=1)
    with pytest.raises(CapabilityMissing, match="what would do: a dump"):
        copies.build(Source("away", "postgres", server=away))
    copies.databases.remove("away")


def test_tls_is_asked_of_the_original_as_its_address_says(
    copies: Copies, pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or as libpq's variable does: one that has none is not read in clear then."""
    plain = pair[0].target()
    for server, variable in ((PostgreSQL(**plain, sslmode="require"), ""), (PostgreSQL(**plain), "require")):
        monkeypatch.setenv("PGSSLMODE", variable)
        with pytest.raises(CapabilityMissing, match="SSL"):
            copies.build(Source("clear", "postgres", server=server))
        copies.databases.remove("clear")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("create foreign data wrapper w; create server other foreign data wrapper w;", "has the foreign server other:"),
        (
            "create subscription s connection 'host=localhost' publication p with (connect = false, slot_name = none);",
            "has the subscription s:",
        ),
    ],
    ids=["foreign server", "subscription"],
)
def test_a_copy_that_would_write_elsewhere_is_none(copies: Copies, script: str, words: str) -> None:
    """What our own server sends to another one nobody watches."""
    file = copies.folder / "reaching.sql"
    file.write_text(script)
    with pytest.raises(CapabilityMissing, match=words):
        copies.build(Source("reaching", "postgres", file=file))
    copies.databases.remove("reaching")
    with copies.connect("reaching") as sql:
        sql.execute("drop subscription if exists s")


def test_prepared_transactions_go_with_the_database_and_are_not_kept(copies: Copies) -> None:
    """No copy can hold one, and it would keep its database from being replaced."""
    copies.restore("begin")
    with copies.connect("shop") as sql:
        sql.execute("begin; insert into orders (n) values (3); prepare transaction 'it''s'")
    assert copies.prepared() == ["it's"]
    with pytest.raises(CapabilityMissing, match=r"prepared transactions \(it's\)"):
        copies.keep("half")
    copies.restore("begin")
    assert copies.prepared() == [] and count(copies) == 2


def test_copies_of_long_names_are_apart(copies: Copies) -> None:
    """The server cuts off what is longer than 63 bytes; a database of such a name is refused."""
    names = ["d" * 59 + letter for letter in "ab"]
    kept = {copies.copy_of(name, copy) for name in names for copy in ("golden", "base")}
    assert len({name[:63] for name in kept}) == 4
    for database, user in (("\u00e4" * 32, "postgres"), ("fine", "u" * 64)):
        with pytest.raises(UsageError, match="63 bytes at most"):
            copies.build(Source(database, user))


def test_a_database_may_be_called_as_the_server_s_own(copies: Copies) -> None:
    """Many a pipeline works in ``postgres``; a template is nobody's to work in."""
    copies.build(Source("postgres", "postgres"))
    copies.keep("own")
    copies.restore("own")
    copies.databases.remove("postgres")
    copies.build(Source("templates", "postgres"))
    copies.databases.remove("templates")
    for name in ("template1", CONTROL):
        with pytest.raises(UsageError, match="a server's own"):
            copies.build(Source(name, "postgres"))


def test_a_tool_that_does_not_end_is_said(copies: Copies) -> None:
    """As one that fails: which one, and how long it was waited for."""
    with pytest.raises(TargetUnreachable, match="psql of node copies did not end within"):
        copies.node.tool("psql", "-h", "127.0.0.1", "-p", str(copies.node.port), "-U", "postgres", "-d", "postgres",
                         "-c", "select pg_sleep(600)", timeout_s=0.2)  # fmt: skip


def test_nothing_of_it_lies_in_shared_memory(copies: Copies) -> None:
    """A killed server's segments in /dev/shm would stay until the machine is started again; its folder goes."""
    with copies.connect("shop") as sql:
        pid = sql.execute("select pg_backend_pid()").fetchone()[0]
        maps = Path(f"/proc/{pid}/maps").read_text()
    assert "pg_dynshmem" in maps and "/dev/shm" not in maps
