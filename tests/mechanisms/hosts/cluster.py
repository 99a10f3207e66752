"""A throwaway PostgreSQL with one table, for the tests of its tools."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaosday.mechanisms.hosts.postgres_tools import PostgresTools, Server
from chaosday.servers.account import unprivileged
from chaosday.servers.ports import free_port
from chaosday.servers.postgres import binaries

TABLE = "ledger_rows"
ROWS = 3_000


@dataclass(frozen=True)
class Cluster:
    """A running server, its programs, its data and a folder that its account may write to."""

    tools: PostgresTools
    server: Server
    data: Path
    scratch: Path


@contextmanager
def cluster(*, checksums: bool = True) -> Iterator[Cluster]:
    """Start a server with a table of ``ROWS`` rows, and take everything away afterwards."""
    account = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="chaosday-pg-"))
    try:
        folder.chmod(0o700)
        account.own(folder)
        tools = PostgresTools(binaries(), account.popen_arguments())
        server = Server(free_port(), password=secrets.token_hex(8))
        secret = folder / "password"
        secret.touch(0o600)
        secret.write_text(server.password)
        account.own(secret)
        data = folder / "data"
        kind = "--data-checksums" if checksums else "--no-data-checksums"
        options = [
            kind,
            "--no-sync",
            "-U",
            server.user,
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        _ok(tools.run("initdb", *options, "-D", str(data)))
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nport = {server.port}\n")
            file.write("dynamic_shared_memory_type = mmap\n")
        _ok(tools.run("pg_ctl", "-w", "-D", str(data), "-l", str(folder / "log"), "start"))
        try:
            for statement in (
                "create extension amcheck",
                f"create table {TABLE} (id bigint primary key, word text)",
                f"insert into {TABLE} select n, md5(n::text) from generate_series(1, {ROWS}) n",
                f"vacuum analyze {TABLE}",
                "checkpoint",
            ):
                sql(tools, server, statement)
            yield Cluster(tools, server, data, folder)
        finally:
            tools.run("pg_ctl", "-w", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sql(tools: PostgresTools, server: Server, statement: str) -> str:
    """What psql prints for one statement."""
    done = tools.run("psql", *server.arguments, "-Atc", statement, server.database, at=server)
    _ok(done)
    return done.out.strip()


def _ok(done: object) -> None:
    assert getattr(done, "exit_code", None) == 0, getattr(done, "lines", done)
