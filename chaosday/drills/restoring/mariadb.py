"""MariaDB: a dump or the files, and a server of ours on what comes of them that nobody else gets into."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from abc import abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any

from chaosday.clients.tables import told
from chaosday.drills.restoring.ledgers import LedgerSubject, made, removed
from chaosday.drills.restoring.sockets import socket_folder
from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import Ended
from chaosday.model.sql import Sql
from chaosday.processes.local_shell import ended
from chaosday.servers.account import Account, owner_of
from chaosday.servers.mariadb import closed_server, install, option_file
from chaosday.servers.server import Server, program
from chaosday.targets.mariadb import MariaDB
from chaosday.undo.undoing import Attempt
from chaosday.workloads.ledger import Ledger

TIMEOUT_S = 3600.0


class MariaDBBackup(LedgerSubject):
    """One way to back up a server; the copy has no network, and a socket in a folder of its account's own."""

    programs: tuple[tuple[str, str], ...] = ()
    """What it calls, and Debian's package with it."""

    def __init__(self, source: MariaDB, ledger: Ledger, account: Account, folder: Path) -> None:
        super().__init__(source, ledger, account, folder)
        self.source = source
        self.server: Server | None = None
        self.sockets: Path | None = None

    def require(self) -> None:
        for name, package in (*self.programs, ("mariadbd", "mariadb-server")):
            program(name, package)
        self.source.reach()

    def copy(self) -> MariaDB:
        assert self.sockets is not None
        where = {
            "unix_socket": str(self.sockets / "s"),
            "user": "root",
            "password": None,
            "password_env": "",
            "via": "",
        }
        return self.source.model_copy(update=where | {"tls": None, "host": "localhost"})

    def tidy(self) -> tuple[list[str], list[str]]:
        tried = Attempt("the restored server could not be stopped")
        if self.server is not None:
            with tried:
                self.server.stop()
        removed(self.sockets)
        errors, residue = super().tidy()
        return [*([tried.error] if tried.error else []), *errors], residue

    def bring_up(self) -> None:
        run = self.room("run")
        self.sockets = socket_folder(self.folder, self.account)
        data, options = self.data(run)
        self.server = closed_server("restored", (data, run, self.ours), self.sockets / "s", self.account, options)
        self.server.start(self._answers())
        self.filled()

    @abstractmethod
    def data(self, run: Path) -> tuple[Path, Path | None]:
        """The data directory for the copy, and an option file that belongs to it."""

    def filled(self) -> None:
        """Load what is loaded into a running server."""

    def _answers(self) -> Any:
        # Any database that every server has: ours may have to be made first.
        return self.copy().model_copy(update={"database": "mysql"}).reach

    def run(self, words: list[str]) -> Ended:
        """A program of MariaDB's that logs in at the source."""
        with option_file(self._login(), self.account) as (option, descriptors):
            return self.ended([words[0], option, *words[1:]], descriptors)

    def ended(self, words: list[str], descriptors: tuple[int, ...] = (), named: str = "") -> Ended:
        """A program under the account of the copy."""
        name = named or Path(words[0]).name
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        try:
            code, out, err = ended(
                words, timeout_s=TIMEOUT_S, cwd=str(self.folder), env=environment, pass_fds=descriptors,
                **self.account.popen_arguments(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"{name} did not end within {TIMEOUT_S:g} s") from None
        return Ended([name], code, out, err)

    def _login(self) -> dict[str, str]:
        """Where the source is and who we are, in the words of an option file."""
        source, tls = self.source, self.source.tls
        where = {"host": source.host, "port": str(source.port), "protocol": "tcp"}
        if source.unix_socket:
            where = {"socket": source.unix_socket}
        secured = {"ssl-ca": tls.ca_file, "ssl-cert": tls.certificate_file, "ssl-key": tls.key_file} if tls else {}
        secured |= {"ssl-verify-server-cert": "1"} if tls else {}
        return {**where, "user": source.user, "password": source.secret(), **secured}


class MariaDBDump(MariaDBBackup):
    """``mariadb-dump --single-transaction`` of the database, loaded into a server made for it.

    https://mariadb.com/kb/en/mariadb-dump/
    """

    programs = (("mariadb-dump", "mariadb-client"), ("mariadb-install-db", "mariadb-server"))

    @property
    def file(self) -> Path:
        return self.folder / "backup.sql"

    def take(self) -> dict[str, Any]:
        words = [program(*self.programs[0]), "--single-transaction", "--quick", "--routines", "--triggers"]
        made(self.run([*words, f"--result-file={self.file}", "--", self.source.database]))
        return {}

    def data(self, run: Path) -> tuple[Path, Path | None]:
        data = self.room("data")
        install(data, run, self.account)
        return data, None

    def filled(self) -> None:
        began_s, copy = time.monotonic(), self.copy()
        sql = copy.model_copy(update={"database": "mysql"}).capability(Sql)
        with closing(sql.open()) as connection, told(sql):
            connection.execute(f"create database {sql.dialect.named(copy.database)}", ())
        client = program("mariadb", "mariadb-client")
        # A dump says what its server likes, and to the client \! is a command line.
        bounds = ["--no-defaults", "--loose-sandbox", "--local-infile=0"]
        at = [*bounds, f"--socket={copy.unix_socket}", "--user=root", "--", copy.database]
        script = 'file=$1; shift; exec "$@" <"$file"'
        made(self.ended(["sh", "-c", script, "sh", str(self.file), client, *at], named="mariadb"))
        self.parts["restore_s"] = time.monotonic() - began_s


class MariaDBFiles(MariaDBBackup):
    """``mariadb-backup`` of the whole server, prepared; the copy is started on those very files.

    https://mariadb.com/kb/en/mariadb-backup-overview/
    """

    programs = (("mariadb-backup", "mariadb-backup"),)

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def require(self) -> None:
        super().require()
        where = data_directory(self.source)
        if owner_of(where) != self.account and os.geteuid() == 0:
            raise CapabilityMissing(f"{where} is not of the account that would run the copy")

    def take(self) -> dict[str, Any]:
        self.room("backup")
        words = [program(*self.programs[0]), "--backup", f"--target-dir={self.backup}"]
        made(self.run([*words, f"--datadir={data_directory(self.source)}"]))
        return {}

    def data(self, run: Path) -> tuple[Path, Path | None]:
        began_s = time.monotonic()
        made(self.ended([program(*self.programs[0]), "--prepare", f"--target-dir={self.backup}"]))
        self.parts["restore_s"] = time.monotonic() - began_s
        options = self.backup / "backup-my.cnf"
        return self.backup, options if options.is_file() else None


def data_directory(source: MariaDB) -> Path:
    """Where the server keeps its files, which mariadb-backup reads itself: on this machine, or not at all."""
    sql = source.capability(Sql)
    with closing(sql.open()) as connection, told(sql):
        said, named = connection.execute("select @@datadir, @@hostname").fetchone()
    where = Path(str(said))
    if not where.is_dir() or named != socket.gethostname():
        raise CapabilityMissing(f"mariadb-backup reads the server's files: {where} of {named} is not on this machine")
    return where
