"""Databases to be thrown away: a PostgreSQL server of our own, filled from somebody's dump and copied at will.

The original is read by ``pg_dump`` at most. A copy keeps the original's name, since pipelines quote it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from chaosday.errors import CapabilityMissing, TargetUnreachable, UsageError
from chaosday.processes.process_table import identity, is_running
from chaosday.servers import postgres
from chaosday.servers.janitor import end_server
from chaosday.servers.postgres import Node

CONTROL = "chaosday@control"
_NAME_AT_MOST_BYTES = 63
_TAKEN = ("template0", "template1", CONTROL)
SETTINGS = """
# All of it is thrown away: nothing has to survive a power cut, and nothing but the pipeline may take transactions.
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_prepared_transactions = 20
max_connections = 100
"""


@dataclass(frozen=True)
class Source:
    """What a database is filled from: a dump or SQL file, a server that is read, or nothing."""

    database: str
    user: str
    file: Path | None = None
    server: Any = None
    """A PostgreSQL target, whose ``host``, ``port``, ``user``, ``database`` and ``secret()`` are asked."""


@dataclass
class Copies:
    """The server, its databases, and copies of them by name; everything lies in ``folder``."""

    node: Node
    folder: Path
    databases: list[str] = field(default_factory=list)
    _control: Any = None

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Initialise and start it."""
        # Whatever the umask says: the server's account has to pass.
        folder.chmod(0o711)
        with contextlib.ExitStack() as interrupted:
            # By a signal, too: a server that is half started is not left.
            interrupted.callback(end_server, folder / "copies")
            made = cls(postgres.primary(folder, name="copies", extra=SETTINGS), folder)
            # A pipeline's database may well be called postgres, so that we have to stand elsewhere.
            with made.connect("postgres") as sql:
                sql.execute(f'create database "{CONTROL}"')
            interrupted.pop_all()
        return made

    def build(self, source: Source) -> None:
        """Fill a database; ``UsageError`` or ``CapabilityMissing`` where the source cannot be copied, and why."""
        if source.database in self.databases:
            raise UsageError(
                f"two stores are called {source.database!r} by the pipeline; they need different databases"
            )
        if source.database in _TAKEN:
            raise UsageError(f"{source.database!r} is a server's own; name a database that the pipeline works on")
        for name in (source.database, source.user):
            if len(name.encode()) > _NAME_AT_MOST_BYTES:
                raise UsageError(f"{name!r} is too long: PostgreSQL's names have {_NAME_AT_MOST_BYTES} bytes at most")
        self._make_user(source.user)
        self._execute("drop database if exists {} with (force)", source.database)
        self._execute("create database {} owner {}", source.database, source.user)
        self.databases.append(source.database)
        if source.server is not None:
            self._load(self._dumped(source), source)
        elif source.file is not None:
            self._load(source.file, source)
        self._refuse_what_reaches_out(source.database)

    def keep(self, name: str) -> None:
        """Keep a copy of every database as it is now; an older one of that name goes. ``CapabilityMissing`` where
        transactions are prepared, which no copy can hold."""
        if prepared := self.prepared():
            raise CapabilityMissing(
                f"a copy cannot hold prepared transactions ({', '.join(prepared)}): commit them or roll them back first"
            )
        for database in self.databases:
            self._copy(database, self.copy_of(database, name))

    def restore(self, name: str) -> None:
        """Make every database as it was kept; whoever is connected is thrown out."""
        for database in self.databases:
            self._copy(self.copy_of(database, name), database)

    def copy_of(self, database: str, name: str) -> str:
        """The database in which that copy is."""
        whole = f"{database}@{name}"
        if len(whole.encode()) <= _NAME_AT_MOST_BYTES:
            return whole
        # Cut off by the server two copies would be one.
        return f"{hashlib.sha256(database.encode()).hexdigest()[:32]}@{name}"

    def prepared(self) -> list[str]:
        """The names of transactions that are prepared in the databases and neither committed nor rolled back."""
        return self._prepared(self.databases)

    def _prepared(self, databases: Sequence[str]) -> list[str]:
        words = "select gid from pg_prepared_xacts where database = any(%s) order by 1"
        return [gid for (gid,) in self.control.execute(words, (list(databases),)).fetchall()]

    def run_script(self, database: str, file: Path) -> None:
        """Have psql run a file, as one transaction; ``UsageError`` with its first complaint."""
        try:
            arguments = ("-qX1", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", str(self._within_reach(file)))
            self.node.tool("psql", *self._where(database), *arguments, timeout_s=3600)
        except TargetUnreachable as error:
            raise UsageError(f"{file} cannot be loaded: {error}") from None

    def let_sequences_go_on(self, database: str, by: int) -> None:
        """Move every sequence on, as transactions that came to nothing do."""
        with self.connect(database) as sql:
            sql.execute(
                "select setval(format('%%I.%%I', schemaname, sequencename)::regclass,"
                " coalesce(last_value, start_value) + %s * increment_by) from pg_sequences",
                (by,),
            )

    def wait_until_alone(self, patience_s: float, beside: Sequence[int] = ()) -> list[str]:
        """Wait until nobody but us is connected, and who comes from the ports ``beside``; then, what still was at it,
        which is ended."""
        until = time.monotonic() + patience_s
        while others := self._others(beside):
            if time.monotonic() > until:
                self.control.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = any(%s)"
                    " and client_port <> all(%s)",
                    (self.databases, list(beside)),
                )
                return others
            time.sleep(0.002)
        return []

    def wait_for(self, ports: Sequence[int]) -> bool:
        """Whether somebody waits for a lock of those who come from these ports."""
        ((found,),) = self.control.execute(
            "select exists (select from pg_stat_activity waiting, unnest(pg_blocking_pids(waiting.pid)) blocker"
            " join pg_stat_activity other on other.pid = blocker where other.client_port = any(%s))",
            (list(ports),),
        ).fetchall()
        return bool(found)

    def connect(self, database: str) -> Any:
        """A connection of ours, past every proxy."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.node.port,
            user="postgres",
            password=self.node.password,
            dbname=database,
            autocommit=True,
            application_name="chaosday",
        )

    @property
    def control(self) -> Any:
        """A connection that takes no transaction number and looks only at the server."""
        if self._control is None or self._control.closed:
            self._control = self.connect(CONTROL)
        return self._control

    def address(self, database: str) -> str:
        """Where a database is, with its password, for whoever compares."""
        from urllib.parse import quote

        return f"postgresql://postgres:{self.node.password}@127.0.0.1:{self.node.port}/{quote(database, safe='')}"

    def close(self) -> list[str]:
        """Stop the server and take everything away; what is left."""
        if self._control is not None:
            self._control.close()
            self._control = None
        server = identity(self.node.postmaster_pid() or 0)
        # One that does not end in time is said below.
        with contextlib.suppress(TargetUnreachable):
            self.node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        left = [str(self.folder)] if self.folder.exists() else []
        return [*left, f"process {server.pid}"] if is_running(server) else left

    def _others(self, beside: Sequence[int]) -> list[str]:
        found = self.control.execute(
            "select left(query, 80) from pg_stat_activity where datname = any(%s) and backend_type = 'client backend'"
            " and client_port <> all(%s)",
            (self.databases, list(beside)),
        ).fetchall()
        return [str(query) for (query,) in found]

    def _copy(self, database: str, name: str) -> None:
        self._roll_back_prepared(name)
        self._execute("drop database if exists {} with (force)", name)
        self._execute("create database {} template {} strategy file_copy", name, database)

    def _roll_back_prepared(self, database: str) -> None:
        """What is prepared outlives its client, holds its locks, and keeps a database from being dropped."""
        from psycopg import sql

        if found := self._prepared([database]):
            with self.connect(database) as connection:
                for gid in found:
                    connection.execute(sql.SQL("rollback prepared {}").format(sql.Literal(gid)))

    def _refuse_what_reaches_out(self, database: str) -> None:
        """A server of ours that writes elsewhere would be seen by nobody who watches the command."""
        with self.connect(database) as sql:
            found = sql.execute(
                "select 'the foreign server ' || srvname from pg_foreign_server"
                " union all select 'the subscription ' || subname from pg_subscription"
                " where subdbid = (select oid from pg_database where datname = current_database()) order by 1"
            ).fetchall()
        if found:
            said = ", ".join(str(words) for (words,) in found)
            raise CapabilityMissing(
                f"{database} has {said}: a copy would write through it to what is no copy; leave it out of the dump"
            )

    def _make_user(self, user: str) -> None:
        from psycopg import sql

        known = self.control.execute("select 1 from pg_roles where rolname = %s", (user,)).fetchone()
        if known is None:
            words = sql.SQL("create role {} superuser login password {}")
            self.control.execute(words.format(sql.Identifier(user), sql.Literal(self.node.password)))

    def _execute(self, words: str, *names: str) -> None:
        from psycopg import sql

        self.control.execute(sql.SQL(words).format(*map(sql.Identifier, names)))

    def _where(self, database: str, user: str = "postgres") -> Sequence[str]:
        from psycopg.conninfo import make_conninfo

        # A name with = in it would be taken for an address.
        return ("-h", "127.0.0.1", "-p", str(self.node.port), "-U", user, "-d", make_conninfo(dbname=database))

    def _load(self, file: Path, source: Source) -> None:
        if not file.is_file():
            raise UsageError(f"there is no file {file} to fill the database {source.database} from")
        if file.suffix == ".sql":
            self.run_script(source.database, file)
            return
        try:
            where = self._where(source.database, source.user)
            dump = str(self._within_reach(file))
            self.node.tool("pg_restore", *where, "--no-owner", "--no-acl", "--no-subscriptions", "-e", dump,
                           timeout_s=3600)  # fmt: skip
        except TargetUnreachable as error:
            raise UsageError(
                f"{file} cannot be restored: {error}; what can be: a dump in pg_dump's own form (-Fc), or SQL in *.sql"
            ) from None

    def _dumped(self, source: Source) -> Path:
        """A dump of the original, which is read and nothing else; it goes with the folder."""
        from psycopg.conninfo import make_conninfo

        server, file = source.server, self.folder / f"{source.database.encode().hex()}.dump"
        original = Node("the original", self.node.data, server.port, server.secret() or "", self.node.bin,
                        self.node.account)  # fmt: skip
        # The program gets none of our variables: TLS is asked for as libpq would be by them.
        where = make_conninfo(
            dbname=server.database,
            sslmode=server.sslmode or os.environ.get("PGSSLMODE") or "prefer",
            sslrootcert=os.environ.get("PGSSLROOTCERT") or None,
        )
        arguments = ("-h", server.host, "-p", str(server.port), "-U", server.user, "-d", where)
        file.touch(0o600)
        self.node.account.own(file)
        try:
            original.tool("pg_dump", *arguments, "-w", "-Fc", "-f", str(file), timeout_s=3600)
        except TargetUnreachable as error:
            raise CapabilityMissing(
                f"{server.name()} cannot be copied: {error}; what would do: a dump of it (pg_dump -Fc) under 'from'"
            ) from None
        return file

    def _within_reach(self, file: Path) -> Path:
        """The file, or a copy of it where the account of the server's programs may not enter."""
        file = file.resolve()
        if self.node.account.uid is None or file.is_relative_to(self.folder.resolve()):
            return file
        place = Path(tempfile.mkdtemp(dir=self.folder)) / file.name
        place.parent.chmod(0o711)
        shutil.copyfile(file, place)
        place.chmod(0o600)
        self.node.account.own(place)
        return place


@dataclass
class Commits:
    """How many transactions have been committed since it was made, in all of the server: what a crash leaves.

    It is exact, also for those within the server (dblink) and for two that overlap; sub-transactions count. What was
    prepared and is neither committed nor rolled back is told apart. The question itself takes no transaction number.
    """

    copies: Copies
    count: int = 0
    _base: int = 0
    _looking: threading.Lock = field(default_factory=threading.Lock)
    """The proxy's thread asks, and whoever drives it; on the one connection their transactions must not cross."""

    def __post_init__(self) -> None:
        ((self._base,),) = self.copies.control.execute(
            "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        ).fetchall()

    def look(self) -> tuple[int, tuple[str, ...]]:
        """The number now, and the names of prepared transactions."""
        with self._looking:
            return self._look()

    def _look(self) -> tuple[int, tuple[str, ...]]:
        sql = self.copies.control
        with sql.transaction():
            ((low, settled, above),) = sql.execute(
                "with now as materialized (select pg_snapshot_xmin(s)::text::bigint as low,"
                " pg_snapshot_xmax(s)::text::bigint as high from pg_current_snapshot() s)"
                " select low, count(*) filter (where x < low and done), count(*) filter (where x >= low and done) from"
                " (select x, low, pg_xact_status(x::text::xid8) = 'committed' as done from now,"
                " lateral (select x from generate_series(%s::bigint, high - 1) x union all select null) r) each"
                " group by low",
                (self._base,),
            ).fetchall()
            prepared = sql.execute("select gid from pg_prepared_xacts order by 1").fetchall()
        if low > self._base:
            self._base, self.count = low, self.count + settled
        else:
            above += settled
        return self.count + above, tuple(gid for (gid,) in prepared)
