"""System calls of a running process fail, are late, or lie."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, ForeignState, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.processes import mark
from chaosday.processes.process_table import read_table

CALLS = re.compile(r"^[a-z0-9_]+$")
CAP_SYS_PTRACE = 19


class ProcessSyscall(ScriptFault):
    """Tamper with chosen calls of every process matching ``pattern``, through ``strace --inject``.

    ``effect`` "error" makes them fail with ``errno`` without being made, "delay" makes them ``delay_ms``
    late, "lie" answers success without making them. ``every`` spares all but each n-th call.
    """

    kind: Literal["process.syscall"] = "process.syscall"
    pattern: str = Field(default="", description="Regular expression on command lines")
    calls: list[str] = ["fsync", "fdatasync"]
    effect: Literal["error", "delay", "lie"] = "error"
    errno: str = Field(default="EIO", pattern=r"^E[A-Z0-9]+$")
    delay_ms: float = Field(default=50, gt=0, le=60_000)
    every: int = Field(default=1, ge=1, le=65_535)

    tools = ("strace", "setsid")

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        if not self.calls or not all(CALLS.match(call) for call in self.calls):
            raise UsageError(f"calls are names like fsync or pwrite64, not {self.calls}")
        rows = read_table(shell).matching(self.pattern) if self.pattern else []
        if not rows:
            raise UsageError(f"no process matches {self.pattern!r}" if self.pattern else "say which by pattern")
        traced = {str(row.pid): f"sed -n 's/^TracerPid:[[:space:]]*//p' /proc/{row.pid}/status" for row in rows}
        for pid, tracer in ask(shell, traced).items():
            if tracer not in ("", "0"):
                raise ForeignState(f"process {pid} is already traced by process {tracer}; a process has one tracer")
        self._may_trace(shell)
        calls, log = ",".join(self.calls), f"/var/lib/chaosday/{context.lease_id}.strace"
        how = {"error": f"error={self.errno}", "delay": f"delay_exit={round(self.delay_ms * 1000)}", "lie": "retval=0"}
        when = f":when=1+{self.every}" if self.every > 1 else ""
        pids = [row.pid for row in rows]
        attach = " ".join(f"-p {pid}" for pid in pids)
        strace = f"exec strace -f -qq -o {log} {attach} -e trace={calls} -e inject={calls}:{how[self.effect]}{when}"
        held = f"grep -qE '^TracerPid:[[:space:]]*[1-9]' /proc/{pids[0]}/status"
        means = Means(
            mechanism=f"strace on {len(pids)} processes",
            inject="(umask 077; mkdir -p /var/lib/chaosday) || exit 1\n"
            + mark.start(context.lease_id, strace)
            + f"tries=0; until {held}; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.05; done\n",
            undo=f"{mark.end(context.lease_id)}rm -f {log}\n",
            residue=f"{mark.residue(context.lease_id)}[ ! -e {log} ] || echo file {log}\n",
        )
        dump = {f"tracer of process {pid}": command for pid, command in traced.items()}
        return Prepared(means, {"log": log}, dump, affected=tuple(f"process {pid}" for pid in pids))

    def _may_trace(self, shell: Shell) -> None:
        found = ask(shell, {"c": "sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status", "u": "id -u"})
        if not int(found["c"] or "0", 16) >> CAP_SYS_PTRACE & 1:
            raise CapabilityMissing(
                "the target does not let root trace processes (no CAP_SYS_PTRACE); allow it to the container"
            )

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        # The tracer's own count, but only of calls that the kernel reported back as tampered with.
        log = data["log"]
        count = f"c=$(grep -cE 'INJECTED|DELAYED' {log} 2>/dev/null); c=${{c:-0}}"
        tries = 40 if hurt else 0
        wait = f"t=0; while {count}; [ $c -eq 0 ] && [ $t -lt {tries} ]; do sleep 0.1; t=$((t + 1)); done"
        return Reading(
            value=int(shell.run(f"{PATH}{wait}; echo $c", sudo=True).out.strip() or 0),
            unit="calls tampered with",
            by="strace, as reported by the kernel",
        )

    def served_by(self, plan: FaultPlan) -> str:
        """The log keeps what it counted when the tracer is dead."""
        return "the tracer"

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        return during.value > baseline.value, f"{during.value:g} calls of {', '.join(self.calls)} tampered with"
