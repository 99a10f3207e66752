"""PostgreSQL: a backup by its own programs, and a copy brought to life from it in a scratch folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from chaosday.clients.ledger import operations
from chaosday.data.physical.backup import observe_backup
from chaosday.drills.restoring.subject import RESTORED, Subject, newest
from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import Ended, PostgresTools, Server
from chaosday.model.history import NEVER_NS, OK, History
from chaosday.probes.postgresql.write import PostgresWrite
from chaosday.servers import postgres
from chaosday.servers.account import Account
from chaosday.servers.ports import free_port
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.undo.undoing import Attempt
from chaosday.workloads.ledger import Ledger

# Whatever the source is told about archiving, preloading or listening must not happen twice.
COPY_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
archive_mode = off
ssl = off
hba_file = '{hba}'
port = {port}
"""


LONGEST_FOLDER = 80
"""Bytes: the path of a socket has 107 at most, unix(7), and ends in /.s.PGSQL.12345.lock."""


class PostgresBackup(Subject):
    """One way to back up and restore; everything it makes on this machine is under ``folder``."""

    needs: tuple[str, ...] = ()
    """Programs of PostgreSQL's that it calls."""

    def __init__(self, source: PostgreSQL, ledger: Ledger, account: Account, folder: Path) -> None:
        self.source, self.workload, self.account, self.folder = source, ledger, account, folder
        self.tools = programs_of(source, account)
        self.server = Server(source.port, source.host, source.user, source.database, source.secret() or "")
        self.node: Node | None = None

    def require(self) -> None:
        where = self.tools.bin_directory
        if missing := [name for name in self.needs if not (where / name).is_file()]:
            raise CapabilityMissing(f"no {', '.join(missing)} in {where}: set bin_directory of the source")
        if not self.account.can_enter(where):
            raise CapabilityMissing(f"{where} is closed to the account that would run the copy")

    def restore(self) -> None:
        self.node = self.start()
        written = PostgresWrite(target=RESTORED).read(self.copy())
        if written.healthy is not True:
            raise TargetUnreachable(f"the restored store takes no write: {written.words}")

    @abstractmethod
    def start(self) -> Node:
        """A server on what was backed up, on this machine and on a port of its own."""

    @abstractmethod
    def copy(self) -> PostgreSQL:
        """The restored server as a target."""

    def read(self) -> pa.Table:
        return self.workload.read_back(self.copy(), {})[RESTORED]

    def behind(self, history: History, rows: pa.Table) -> tuple[int, float | None]:
        """A write is there where its row has its version or a later one."""
        ops = operations(history)
        sure = (ops.status == OK) & (ops.end_ns < NEVER_NS)
        key, version, end = ops.key[sure], ops.version[sure], ops.end_ns[sure]
        ids = rows["id"].to_numpy()
        if not len(ids):
            return newest(end, np.zeros(len(end), dtype=bool))
        order = np.argsort(ids, kind="stable")
        ids, held = ids[order], rows["version"].to_numpy()[order]
        at = np.minimum(np.searchsorted(ids, key), len(ids) - 1)
        return newest(end, (ids[at] == key) & (held[at] >= version))

    def tidy(self) -> tuple[list[str], list[str]]:
        errors, residue = [], []
        if self.node is not None:
            tried = Attempt("the restored server could not be stopped")
            with tried:
                self.node.stop()
            errors += [tried.error] if tried.error else []
            if self.node.pid_file.exists():
                residue.append(f"the restored server still runs on port {self.node.port}")
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            residue.append(f"{self.folder} is still there")
        return errors, residue

    def described(self) -> str:
        return f"a copy of {self.source.name()} in a scratch folder of this machine"

    def _made(self, done: Ended) -> None:
        if done.exit_code:
            raise TargetUnreachable(f"{done.command[0]} failed: {(done.lines or ['it printed nothing'])[-1]}")


class BaseBackup(PostgresBackup):
    """pg_basebackup with the WAL that it needs; the copy is started on the very files of the backup."""

    needs = ("pg_basebackup", "pg_verifybackup", "pg_ctl", "postgres")
    sockets: Path | None = None

    @property
    def data(self) -> Path:
        return self.folder / "backup"

    def take(self) -> dict[str, Any]:
        options = ["-D", str(self.data), "-c", "fast", "-X", "stream", "--no-sync"]
        self._made(self.tools.run("pg_basebackup", *self.server.arguments, *options, password=self.server.password))
        return {"pg_verifybackup": observe_backup(self.tools, self.data)}

    def start(self) -> Node:
        node = Node("restored", self.data, free_port(), self.server.password, self.tools.bin_directory, self.account)
        # The source's own rules may not let us in from here, nor its passwords be known to us. Whoever can enter the
        # folder of the socket is asked for none: that is the copy's account, and root.
        self.sockets = self._socket_folder()
        hba = self.folder / "hba.conf"
        hba.write_text("local all all trust\n")
        self.account.own(hba)
        for name in ("standby.signal", "recovery.signal"):
            (self.data / name).unlink(missing_ok=True)
        node.configure(COPY_SETTINGS.format(hba=hba, port=node.port, sockets=self.sockets))
        node.start()
        return node

    def copy(self) -> PostgreSQL:
        assert self.node is not None
        where = {"port": self.node.port, "host": str(self.sockets), "via": "", "sslmode": ""}
        return self.source.model_copy(update=where)

    def tidy(self) -> tuple[list[str], list[str]]:
        errors, residue = super().tidy()
        if self.sockets is not None:
            shutil.rmtree(self.sockets, ignore_errors=True)
        return errors, residue

    def _socket_folder(self) -> Path:
        folder = self.folder / "sockets"
        if len(os.fsencode(folder)) <= LONGEST_FOLDER:
            folder.mkdir(mode=0o700)
        else:
            folder = Path(tempfile.mkdtemp(prefix="chaosday-"))
        self.account.own(folder)
        return folder


class Dump(PostgresBackup):
    """pg_dump in its custom format, restored by pg_restore into a cluster made for it."""

    needs = ("pg_dump", "pg_restore", "initdb", "pg_ctl", "postgres")

    @property
    def file(self) -> Path:
        return self.folder / "backup.dump"

    def take(self) -> dict[str, Any]:
        options = ["-Fc", "-f", str(self.file), self.server.database]
        self._made(self.tools.run("pg_dump", *self.server.arguments, *options, password=self.server.password))
        return {}

    def start(self) -> Node:
        node = postgres.primary(self.folder, name="restored", bin_directory=self.tools.bin_directory)
        # Owners and grants name roles that a new cluster does not have.
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "-d", "postgres", str(self.file)]
        at = Server(node.port, password=node.password)
        self._made(self.tools.run("pg_restore", *at.arguments, *options, password=at.password))
        return node

    def copy(self) -> PostgreSQL:
        assert self.node is not None
        return PostgreSQL.model_validate({"port": self.node.port, "password": self.node.password})


METHODS: dict[str, type[PostgresBackup]] = {"base_backup": BaseBackup, "dump": Dump}


def programs_of(source: PostgreSQL, account: Account) -> PostgresTools:
    """PostgreSQL's programs: the target's own, else those on the PATH, else those of the lab's package."""
    if source.bin_directory is not None:
        return PostgresTools(source.bin_directory, account.popen_arguments())
    found = shutil.which("pg_basebackup")
    if found and (Path(found).resolve().parent / "postgres").is_file():
        return PostgresTools(Path(found).resolve().parent, account.popen_arguments())
    try:
        return PostgresTools(postgres.binaries(), account.popen_arguments())
    except CapabilityMissing:
        raise CapabilityMissing(
            "no PostgreSQL programs to restore with: set bin_directory of the source, or pip install 'chaosday[lab]'"
        ) from None
