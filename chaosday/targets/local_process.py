"""A process of this machine, with or without its descendants."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable, UsageError
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Processes, ProcessIdentity, Restart, Shell, Target
from chaosday.processes.local_shell import LocalShell
from chaosday.processes.process_table import STARTED_FUNCTION, read_table
from chaosday.undo.lease import ShellLeases, default_state_dir


class LocalProcess(Target):
    """A process chosen by number, by the file that holds its number, or by its arguments."""

    kind: Literal["local_process"] = "local_process"
    here: ClassVar[bool] = True
    offers_with: ClassVar[Mapping[type[Any], str]] = {Restart: "restart"}
    pid: int = Field(default=0, ge=0)
    """Its number; 0 is not chosen this way."""
    pid_file: str = ""
    """A file whose first line is its number (a postmaster.pid is one)."""
    pattern: str = ""
    """A regular expression over its arguments; the lowest number that matches is the main one."""
    tree: bool = False
    """Whether its descendants belong to it."""
    restart: str = ""
    """POSIX ``sh`` that starts it again and renews ``pid_file``; empty where only its own supervisor may."""
    state_dir: str = Field(default="", title="Lease directory")
    """Where undos are kept; empty is /var/lib/chaosday/leases as root, the user's state directory otherwise."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Shell, Processes and LeaseHolder; Restart where a restart command is given."""
        offered: dict[type[Any], Any] = {Shell: self._shell, Processes: self, LeaseHolder: self._leases}
        return offered | ({Restart: self} if self.restart else {})

    def reach(self) -> str:
        """Find it in the process table."""
        found = self.processes()
        if not found:
            raise TargetUnreachable(f"no process {self._words()} runs here")
        return f"process {found[0].pid} ({found[0].command[:60]}), {len(found)} in all"

    def processes(self) -> list[ProcessIdentity]:
        """The main process first, then (with ``tree``) its descendants; empty when it is down."""
        table = read_table(self._shell)
        if self.pattern:
            own = os.getpid()
            roots = [row.pid for row in table.matching(self.pattern) if row.pid != own]
        else:
            roots = [self.pid or _pid_in(self.pid_file)] if self.pid or self.pid_file else []
            if not roots:
                raise UsageError("a local_process needs one of pid, pid_file or pattern")
        if not self.tree:
            return [row.identity for root in roots if (row := table.rows.get(root)) and row.alive]
        rows = {row.pid: row for root in roots for row in table.tree(root)}
        return [row.identity for row in rows.values()]

    def commands(self) -> list[str]:
        return [self.restart] if self.restart else []

    def restart_script(self) -> str:
        """``restart``, where the process of the pid file does not run; without one nobody could tell."""
        if not self.pid_file:
            raise UsageError("restart needs pid_file: without it nobody could tell whether it was started again")
        guard = f"pid=$(head -n 1 {shlex.quote(self.pid_file)} 2>/dev/null)\n"
        return f'{STARTED_FUNCTION}{guard}[ -n "$pid" ] && [ -n "$(started "$pid")" ] || {{\n{self.restart}\n}}\n'

    def _words(self) -> str:
        return f"{self.pid}" if self.pid else f"of {self.pid_file or repr(self.pattern)}"

    @cached_property
    def _shell(self) -> LocalShell:
        return LocalShell()

    @cached_property
    def _leases(self) -> ShellLeases:
        return ShellLeases(self._shell, self.state_dir or default_state_dir())


def _pid_in(path: str) -> int:
    try:
        return int(Path(path).read_text().split("\n", 1)[0].strip() or 0)
    except (OSError, ValueError):
        return 0
