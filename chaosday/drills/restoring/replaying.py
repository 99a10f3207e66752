"""PostgreSQL to a moment: a base backup, the WAL streamed since, and a recovery that stops in time."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from chaosday.clients.tables import told
from chaosday.drills.restoring.accident import Accident, Moment, happen
from chaosday.drills.restoring.backups import COPY_SETTINGS, BaseBackup
from chaosday.drills.restoring.ledgers import ANSWER_S, made
from chaosday.errors import TargetUnreachable
from chaosday.model.sql import Sql
from chaosday.processes.local_shell import RUN_MARK
from chaosday.servers.account import Account
from chaosday.servers.password_file import password_file
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.workloads.ledger import Ledger

TARGET = """recovery_target_action = 'promote'
recovery_target_timeline = 'current'
restore_command = '{fetch}'
"""
MOMENT = re.compile(r"[A-Za-z0-9 :.+/-]{10,60}")
BEGUN_S, END_S, REPLAY_S = 60.0, 10.0, 3600.0


class Replayed(BaseBackup):
    """The WAL comes by pg_receivewal, which began before the backup: nothing is set up at the source, which may archive
    as it likes or not at all.

    https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-PITR-RECOVERY
    """

    needs: tuple[str, ...] = (*BaseBackup.needs, "pg_receivewal")
    signals: tuple[str, ...] = ("standby.signal",)

    def __init__(self, source: PostgreSQL, ledger: Ledger, account: Account, folder: Path, accident: Accident) -> None:
        super().__init__(source, ledger, account, folder)
        self.accident = accident
        self._receiving: subprocess.Popen[bytes] | None = None
        self._target = ""
        self._fetch_to = ""

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def take(self) -> dict[str, Any]:
        self.room("wal")
        self._receive()
        return super().take()

    def happen(self) -> Moment:
        sql = self.source.capability(Sql)
        moment = happen(self.accident, sql, self.workload, "select clock_timestamp()::text")
        if not MOMENT.fullmatch(moment.name):
            # It becomes a line of the copy's configuration, in which commands stand.
            raise TargetUnreachable(f"the source's clock says no moment: {moment.name[:40]!r}")
        with closing(sql.open(answer_s=ANSWER_S)) as connection, told(sql):
            self._fetch_to = str(connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()[0])
        self._target = moment.name if self.accident.recover_to == "before" else ""
        return moment

    def start(self) -> Node:
        began_s = time.monotonic()
        self._end_receiving()
        # From the segment that it had begun up to the end of the accident, and no longer than that takes.
        options = ["-D", str(self.wal), "--no-loop", f"--endpos={self._fetch_to}"]
        made(self.tools.run("pg_receivewal", *self.server.arguments, *options, at=self.server))
        self.parts["fetch_s"] = time.monotonic() - began_s
        self.account.write(self.data / "recovery.signal", "")
        began_s = time.monotonic()
        self.settings = COPY_SETTINGS + self._recovery()
        node = super().start()
        recovered(self.copy(), node, REPLAY_S)
        self.parts["replay_s"] = time.monotonic() - began_s
        return node

    def tidy(self) -> tuple[list[str], list[str]]:
        self._end_receiving()
        return super().tidy()

    def _recovery(self) -> str:
        # %p and %f are the server's, and every other % of the path is doubled.
        wal = shlex.quote(str(self.wal)).replace("%", "%%")
        fetch = f"cp {wal}/%f %p 2>/dev/null || cp {wal}/%f.partial %p"
        said = TARGET.format(fetch=fetch.replace("'", "''"))
        return said + (f"recovery_target_time = '{self._target}'\n" if self._target else "")

    def _receive(self) -> None:
        """Begin to stream; returns once there is WAL. The process carries the run's mark, and ends with it."""
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", **self.server.environment}
        environment |= {RUN_MARK: os.environ[RUN_MARK]} if RUN_MARK in os.environ else {}
        command = [str(self.tools.bin_directory / "pg_receivewal"), *self.server.arguments, "-D", str(self.wal)]
        log = self.ours / "receive.log"
        with password_file(self.server.password, self.tools.run_as) as (needed, descriptors), log.open("wb") as file:
            self._receiving = subprocess.Popen(
                [*command, "--no-loop"], stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd="/",
                env=environment | needed, pass_fds=descriptors, start_new_session=True, **self.tools.run_as,
            )  # fmt: skip
            self._wait_for_wal(log)

    def _wait_for_wal(self, log: Path) -> None:
        until, receiving = time.monotonic() + BEGUN_S, self._receiving
        assert receiving is not None
        while not any(self.wal.iterdir()):
            if receiving.poll() is not None or time.monotonic() > until:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise TargetUnreachable(f"pg_receivewal failed: {(lines or ['it printed nothing'])[-1]}")
            time.sleep(0.05)

    def _end_receiving(self) -> None:
        receiving, self._receiving = self._receiving, None
        if receiving is None:
            return
        receiving.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            receiving.wait(END_S)
        if receiving.poll() is None:
            receiving.kill()
            receiving.wait()


def recovered(copy: PostgreSQL, node: Node, timeout_s: float) -> None:
    """Wait for the end of the recovery: before it, a server may answer already and take no write."""
    until, sql = time.monotonic() + timeout_s, copy.capability(Sql)
    while True:
        try:
            with closing(sql.open(answer_s=ANSWER_S)) as connection, told(sql):
                if not connection.execute("select pg_is_in_recovery()").fetchone()[0]:
                    return
        except TargetUnreachable:
            if not node.pid_file.exists():
                raise TargetUnreachable(f"the copy did not recover: its log ends: {node.last_words()}") from None
        if time.monotonic() > until:
            raise TargetUnreachable(f"the restored server still recovers after {timeout_s:g} s")
        time.sleep(0.1)
