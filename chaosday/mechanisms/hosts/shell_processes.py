"""The processes of a target that are found by a pattern on their command lines."""

from __future__ import annotations

from dataclasses import dataclass

from chaosday.model.target import ProcessIdentity, Shell
from chaosday.processes.process_table import read_table


@dataclass(frozen=True)
class ShellProcesses:
    """``Processes`` over any shell: what matches ``pattern``, and all that descends from it."""

    shell: Shell
    pattern: str

    def processes(self) -> list[ProcessIdentity]:
        """Matching processes, lowest number first, each before its descendants; empty when there is none."""
        table = read_table(self.shell)
        found: dict[int, ProcessIdentity] = {}
        for row in table.matching(self.pattern):
            for member in table.tree(row.pid):
                found.setdefault(member.pid, member.identity)
        return list(found.values())
