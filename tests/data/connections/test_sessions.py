from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pymysql
import pytest

from chaosday import progress
from chaosday.data.connections.waiting import Patience
from chaosday.data.reconcile import diff
from chaosday.errors import ChaosdayError, TargetUnreachable
from tests.data.connections.conftest import PASSWORD, Authority
from tests.data.reconcile.servers import Postgres

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without anybody's passwords."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGPASSWORD", "PGSSLMODE", "MYSQL_PWD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def outcome(url: str) -> bool | str | None:
    """Whether a table is equal to itself, or the kind of error that ended the comparison, which tells no secret."""
    try:
        return diff(url, url, key=["id"]).equal
    except ChaosdayError as error:
        assert PASSWORD not in str(error)
        return type(error).__name__


def options(text: str, authority: Authority) -> str:
    """The options with the paths of certificates filled in."""
    for name in ("ca", "stranger", "certificate", "key"):
        text = text.replace(f"<{name}>", str(getattr(authority, name)))
    return text


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", True),
        ("sslmode=require", True),
        ("sslmode=verify-full&sslrootcert=<ca>", True),
        ("sslmode=require&sslrootcert=<ca>", True),
        ("sslmode=verify-ca&sslrootcert=<stranger>", "TargetUnreachable"),
        ("sslmode=require&sslrootcert=<stranger>", "TargetUnreachable"),
        ("sslmode=disable", "AccessDenied"),
        ("sslrootcert=/no/such.pem", "UsageError"),
        ("sslmode=require&sslrootcert=/no/such.pem", "UsageError"),
        ("sslrootcert=<ca>", "UsageError"),
        ("sslmode=prefer&sslcert=<certificate>", "UsageError"),
        ("sslmode=encrypted", "UsageError"),
        ("ssl_ca=/no/such.pem", "UsageError"),
    ],
)
def test_tls_options_of_postgresql(postgres: Postgres, authority: Authority, asked: str, expected: object) -> None:
    """Each TLS option is honoured or refused, on a server that takes this user with TLS only."""
    url = f"postgresql://lab:{PASSWORD}@127.0.0.1:{postgres.port}/postgres?{options(asked, authority)}".rstrip("?")
    assert outcome(f"{url}#t") == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", True),
        ("ssl_mode=REQUIRED", True),
        ("ssl=true", True),
        ("ssl_ca=<ca>", True),
        ("ssl-mode=verify_identity&ssl-ca=<ca>", True),
        ("ssl_ca=<stranger>", "TargetUnreachable"),
        ("ssl_mode=VERIFY_CA", "TargetUnreachable"),
        ("ssl_ca=/no/such.pem", "UsageError"),
        ("ssl_ca=<key>", "UsageError"),
        ("ssl_cert=/no/such.pem", "UsageError"),
        ("ssl_disabled=true", "AccessDenied"),
        ("ssl_mode=DISABLED&ssl_ca=<ca>", "UsageError"),
        ("ssl_ca=<ca>&ssl_verify_cert=false", "UsageError"),
        ("ssl_key=<key>", "UsageError"),
        ("ssl_mode=perhaps", "UsageError"),
        ("sslrootcert=<ca>", "UsageError"),
        ("charset=latin1", "UsageError"),
    ],
)
def test_tls_options_of_mysql(mariadb: str, authority: Authority, asked: str, expected: object) -> None:
    """Each TLS option is honoured or refused, on a server that takes this user with TLS only."""
    url = mariadb.replace("lab:lab", f"guarded:{PASSWORD}")
    assert outcome(f"{url}?{options(asked, authority)}".rstrip("?") + "#t") == expected


def test_tls_is_demanded_of_a_server_without(mariadb: str, home: Path) -> None:
    """A demand for TLS on a unix socket, which has none in PostgreSQL, or in an option file, is not left out."""
    (home / ".my.cnf").write_text("[client]\nssl-ca = /no/such.pem\n")
    assert outcome(f"{mariadb}#t") == "UsageError"
    (home / ".my.cnf").write_text("[client]\nssl-cipher = x\n")
    assert outcome(f"{mariadb}#t") == "UsageError"


def test_unix_sockets_in_both_habits(postgres: Postgres, mariadb: str) -> None:
    """The folder or socket is a quoted host or an option; demanding TLS on PostgreSQL's is refused."""
    folder = str(postgres.data.parent)
    urls = [f"postgresql://postgres@{quote(folder, safe='')}:{postgres.port}/postgres",
            f"postgresql://postgres@/postgres?host={folder}&port={postgres.port}"]  # fmt: skip
    assert [outcome(f"{url}#t") for url in urls] == [True, True]
    assert outcome(f"{urls[1]}&sslmode=require#t") == "UsageError"
    with (
        pymysql.connect(
            host="127.0.0.1", port=int(mariadb.rsplit(":", maxsplit=1)[-1][:-2]), user="lab", password="lab"
        ) as there,
        there.cursor() as cursor,
    ):
        cursor.execute("select @@socket")
        path = str(cursor.fetchall()[0][0])
    urls = [f"mysql://lab:lab@{quote(path, safe='')}/d", f"mariadb://lab:lab@localhost/d?unix_socket={path}",
            f"mysql://lab:lab@/d?socket={path}"]  # fmt: skip
    assert [outcome(f"{url}#t") for url in urls] == [True, True, True]


def test_passwords_come_from_the_usual_files(
    postgres: Postgres, mariadb: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services, ~/.pgpass, ~/.my.cnf and the environment are read, so that no URL needs a password."""
    url = f"postgresql://lab@127.0.0.1:{postgres.port}/postgres#t"
    assert outcome(url) == "AccessDenied"
    (home / ".pgpass").write_text(f"127.0.0.1:{postgres.port}:postgres:lab:{PASSWORD}\n")
    (home / ".pgpass").chmod(0o600)
    assert outcome(url) is True
    service = home / "services"
    service.write_text(f"[mine]\nhost=127.0.0.1\nport={postgres.port}\ndbname=postgres\nuser=lab\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    assert outcome("postgresql:///?service=mine#t") is True
    service.write_text(service.read_text() + "sslrootcert=/no/such.pem\n")
    assert outcome("postgresql:///?service=mine#t") == "UsageError"
    bare = mariadb.replace("lab:lab", "guarded")
    assert outcome(f"{bare}#t") == "AccessDenied"
    (home / ".my.cnf").write_text(f"[client]\npassword = '{PASSWORD}'\n")
    assert outcome(f"{bare}#t") is True
    (home / ".my.cnf").unlink()
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)
    assert outcome(f"{bare}#t") is True


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as id) t; commit; create table written(i int); --",
        "select nextval('counting')::int as id",
        "select written() as id",
        "select set_config('transaction_read_only', 'off', false) as id, written()",
    ],
)
def test_a_check_of_postgresql_writes_nothing(postgres: Postgres, query: str) -> None:
    """No query can leave our parenthesis or change a thing: sessions are read-only from their first statement."""
    postgres.sql(
        "drop table if exists written, kept", "create table kept(i int)", "create sequence if not exists counting",
        "create or replace function written() returns int language sql as 'insert into kept values (1) returning i'",
    )  # fmt: skip
    assert outcome(f"{postgres.url}#{query}") in {"UsageError", "TargetUnreachable"}
    assert postgres.sql("select to_regclass('written'), (select count(*) from kept)") == [(None, 0)]


def test_a_check_of_mysql_writes_nothing(mariadb: str) -> None:
    """A function that writes is refused by the read-only session."""
    port = int(mariadb.rsplit(":", maxsplit=1)[-1][:-2])
    account: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "lab", "password": "lab", "database": "d"}
    with pymysql.connect(**account, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("create table kept(i int)")
        cursor.execute("create function written() returns int begin insert into kept values (1); return 1; end")
        assert outcome(f"{mariadb}#select written() as id") == "UsageError"
        cursor.execute("select count(*) from kept")
        assert cursor.fetchall() == ((0,),)


@contextlib.contextmanager
def locked(engine: str, postgres: Postgres, mariadb: str) -> Iterator[str]:
    """The URL of a table that somebody else has locked for writing."""
    if engine == "postgresql":
        with psycopg.connect(postgres.url) as holder:
            holder.execute("lock table t in access exclusive mode")
            yield f"{postgres.url}#t"
        return
    port = int(mariadb.rsplit(":", maxsplit=1)[-1][:-2])
    account: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "lab", "password": "lab", "database": "d"}
    with pymysql.connect(**account) as holder, holder.cursor() as cursor:
        cursor.execute("lock tables t write")
        yield f"{mariadb}#t"


def heard(act: Callable[[], Any]) -> tuple[list[tuple[float, str]], ChaosdayError]:
    """What is said, when, and the error in which it ends."""
    said: list[tuple[float, str]] = []
    began = time.monotonic()
    listening = progress.listening(lambda step: said.append((time.monotonic() - began, step.words)))
    with listening, pytest.raises(ChaosdayError) as caught:
        act()
    return said, caught.value


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_lock_is_named_and_given_up(engine: str, postgres: Postgres, mariadb: str) -> None:
    """A locked table is told of while it is waited for, and the wait ends when its time is up."""
    with locked(engine, postgres, mariadb) as url:
        said, error = heard(lambda: diff(url, url, key=["id"], patience=Patience(lock_timeout_s=5)))
    assert isinstance(error, TargetUnreachable)
    assert "--lock-timeout" in str(error)
    assert [words for _, words in said if "waits for a lock" in words]


@contextlib.contextmanager
def silenced(port: int, after: Callable[[bytes], bool]) -> Iterator[int]:
    """The port of a server that passes everything on until a client says what ``after`` knows, then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        opened: list[socket.socket] = []
        mute = threading.Event()

        def pump(source: socket.socket, sink: socket.socket, asked: bool) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    if asked and after(data):
                        mute.set()
                    if not mute.is_set():
                        sink.sendall(data)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = door.accept()
                    server = socket.create_connection(("127.0.0.1", port))
                    opened.extend((client, server))
                    threading.Thread(target=pump, args=(client, server, True), daemon=True).start()
                    threading.Thread(target=pump, args=(server, client, False), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]
        for one in opened:
            one.close()


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_server_that_falls_silent_is_left(engine: str, postgres: Postgres, mariadb: str) -> None:
    """A server that has logged us in and then says nothing is told of, and does not hold us for ever."""
    real = f"{postgres.url}?sslmode=disable" if engine == "postgresql" else f"{mariadb}?ssl_mode=DISABLED"
    port = postgres.port if engine == "postgresql" else int(mariadb.rsplit(":", maxsplit=1)[-1][:-2])
    with silenced(port, lambda data: b"from" in data.lower()) as mute:
        url = real.replace(f":{port}", f":{mute}") + "#t"
        said, error = heard(lambda: diff(url, url, key=["id"], patience=Patience(silence_s=6)))
    assert isinstance(error, TargetUnreachable)
    assert "silent" in str(error)
    assert "says nothing" in said[0][1]


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01\x00\x00\x00\x09"])
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_port_that_speaks_something_else(engine: str, greeting: bytes) -> None:
    """Another protocol behind the port is a side that cannot be reached, in one line."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = door.accept()
                    with client:
                        client.sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        assert outcome(f"{engine}://lab@127.0.0.1:{door.getsockname()[1]}/d#t") == "TargetUnreachable"
