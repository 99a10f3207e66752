"""Somebody's own backup and restore: two commands, and a server of ours that shows what they brought back."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from chaosday.drills.restoring.backups import COPY_SETTINGS, BaseBackup
from chaosday.drills.restoring.drill import OwnRestore
from chaosday.drills.restoring.picking import backups_of, picked
from chaosday.drills.restoring.replaying import recovered
from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import Server
from chaosday.processes.local_shell import ended
from chaosday.servers import postgres
from chaosday.servers.account import Account
from chaosday.servers.password_file import password_file
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.workloads.ledger import Ledger


class OwnBackup(BaseBackup):
    """What ``restoring.drill.OwnRestore`` describes; backup and copy lie in the drill's scratch folder."""

    needs: tuple[str, ...] = ("pg_ctl", "postgres")
    # Recovery up to a moment, which the restore asked for, is a part of it: its end is a server that takes writes.
    signals: tuple[str, ...] = ("standby.signal",)
    settings: str = COPY_SETTINGS + "recovery_target_action = 'promote'\n"

    def __init__(
        self, source: PostgreSQL, ledger: Ledger, account: Account, folder: Path, own: OwnRestore, seed: int = 1
    ) -> None:
        super().__init__(source, ledger, account, folder)
        self.own, self.seed, self.picked = own, seed, ""

    @property
    def data(self) -> Path:
        return self.folder / "restored"

    @property
    def backup(self) -> Path:
        """Where the backup may lie."""
        return self.folder / "backup"

    def take(self) -> dict[str, Any]:
        self._folder(self.backup)
        if self.own.backup:
            self._run(self.own.backup, "backup", self.server)
        return {}

    def choose(self, now_ns: int) -> dict[str, Any]:
        if not self.own.listing:
            return {}
        now_s, found = now_ns / 1e9, backups_of(self._run(self.own.listing, "listing", self.server))
        one = picked(found, self.own.pick, self.seed, now_s)
        self.picked = one.name
        return {"picked": one.name, "picked_of": len(found), "picked_age_s": max(0.0, now_s - one.at_s)}

    def start(self) -> Node:
        if self.own.into == "server":
            node = postgres.primary(self.folder, name="restored", bin_directory=self.tools.bin_directory)
            self.node = node  # ended with the rest where the command fails
            self._restored(Server(node.port, password=node.password))
            return node
        self._folder(self.data)
        self._restored(self.server)
        self._all_in_it()
        if not (self.data / "PG_VERSION").is_file():
            raise TargetUnreachable("the restore left no data directory in $CHAOSDAY_INTO: there is no PG_VERSION")
        self.account.close(self.data)
        node = super().start()
        recovered(self.copy(), node, self.own.timeout_s)
        return node

    def copy(self) -> PostgreSQL:
        if self.own.into == "server":
            assert self.node is not None
            return PostgreSQL.model_validate({"port": self.node.port, "password": self.node.password})
        return super().copy()

    def _all_in_it(self) -> None:
        """``TargetUnreachable`` where a part of what was restored lies elsewhere: that may be the source itself."""
        inside = Path(os.path.realpath(self.data.parent)) / self.data.name
        below = (Path(at, each) for at, folders, files in os.walk(self.data) for each in (*folders, *files))
        for path in filter(Path.is_symlink, itertools.chain([self.data], below)):
            leads = Path(os.path.realpath(path))
            if not leads.is_relative_to(inside):
                raise TargetUnreachable(
                    f"the restore left {path.relative_to(self.data.parent)} as a link to {leads}, which may be the "
                    "source's: let it restore everything, tablespaces too, into $CHAOSDAY_INTO"
                )

    def _restored(self, at: Server) -> None:
        began_s = time.monotonic()
        self._run(self.own.command, "restore", at)
        self.parts["restore_s"] = time.monotonic() - began_s

    def _folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self.account.own(folder)

    def _run(self, command: str, what: str, at: Server) -> str:
        """What it printed; words of one that fails are its last line, without the password, which it was not told."""
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C", "TZ": "UTC",
            "PGHOST": at.host, "PGPORT": str(at.port), "PGUSER": at.user, "PGDATABASE": at.database,
            "CHAOSDAY_BACKUP": str(self.backup), "CHAOSDAY_INTO": str(self.data),
            "CHAOSDAY_PICKED": self.picked, **at.environment,
        }  # fmt: skip
        account = self.account.popen_arguments()
        try:
            with password_file(at.password, account) as (needed, descriptors):
                code, out, err = ended(
                    ["sh", "-c", command], timeout_s=self.own.timeout_s, env=environment | needed,
                    pass_fds=descriptors, cwd=str(self.folder), **account,
                )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"the {what} command did not end within {self.own.timeout_s:g} s") from None
        if code:
            said = ([*out.splitlines(), *err.splitlines()] or ["it printed nothing"])[-1][:200]
            raise TargetUnreachable(f"the {what} command failed with exit code {code}: {said}")
        return out
