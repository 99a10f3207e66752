"""A running process may open hardly any more files."""

from __future__ import annotations

from shlex import quote
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.model.words import said
from chaosday.processes.process_table import STARTED_FUNCTION, read_table


class HostFileDescriptors(ScriptFault):
    """Lower the soft limit of every process matching ``pattern`` so that ``left`` more descriptors can be opened.

    The hard limit stays as it is: without CAP_SYS_RESOURCE it could not be raised again.
    """

    kind: Literal["host.file_descriptors"] = "host.file_descriptors"
    pattern: str = Field(default="", description="Regular expression on command lines")
    left: int = Field(default=0, ge=0, le=1_000_000)

    tools = ("prlimit",)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        rows = read_table(shell).matching(self.pattern) if self.pattern else []
        if not rows:
            raise UsageError(f"no process matches {self.pattern!r}" if self.pattern else "say which by pattern")
        answers = ask(shell, {str(row.pid): _limits(row.pid) for row in rows})
        inject, undo, left = "", STARTED_FUNCTION, STARTED_FUNCTION
        for row in rows:
            if len(answers[str(row.pid)].split()) < 2:
                continue  # it ended while we looked
            soft, opened = answers[str(row.pid)].split()
            said("limit of open files", soft, "[0-9]+|unlimited")
            ours = int(opened) + self.left
            if soft.isdigit() and int(soft) <= ours:
                raise UsageError(f"process {row.pid} may only open {soft} files as it is and has {opened} open")
            same = f'[ "$(started {row.pid})" = {quote(row.started)} ]'
            is_ours = f"{same} && [ \"$(awk '/^Max open files/ {{ print $4 }}' /proc/{row.pid}/limits)\" = {ours} ]"
            inject += f"prlimit --pid {row.pid} --nofile={ours}: || exit 1\n"
            undo += f"if {is_ours}; then prlimit --pid {row.pid} --nofile={soft}: || exit 1; fi\n"
            left += f'if {is_ours}; then echo "process {row.pid} is limited to {ours} files"; fi\n'
        means = Means("prlimit", inject, undo, left)
        pids = [row.pid for row in rows]
        dump = {f"limit of process {pid}": f"awk '/^Max open files/' /proc/{pid}/limits" for pid in pids}
        return Prepared(means, {"pids": pids}, dump, affected=tuple(f"process {pid}" for pid in pids))

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        script = "\n".join(_limits(pid) for pid in data["pids"])
        lines = [line.split() for line in shell.run(PATH + script, sudo=True).out.splitlines()]
        alive = [words for words in lines if len(words) == 2]
        room = max(((int(soft) if soft.isdigit() else 2**30) - int(opened) for soft, opened in alive), default=-1)
        return Reading(value=room, unit="files may be opened", by="/proc/PID/limits and /proc/PID/fd")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"asked for {self.left} more, {during.value:g} {during.unit} at most, {baseline.value:g} before"
        return 0 <= during.value <= self.left + 8 and during.value < baseline.value, words


def _limits(pid: int) -> str:
    limit = f"awk '/^Max open files/ {{ print $4 }}' /proc/{pid}/limits 2>/dev/null"
    return f"echo $({limit}) $(ls /proc/{pid}/fd 2>/dev/null | grep -c .)"
