"""A process dies."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.process_choice import Choice, chosen, fresh_members, roots_of
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Processes, ProcessIdentity, Restart, Shell, Target
from chaosday.processes.process_table import read_table, signal_script

_POLL_S = 0.05
_BY = "process table"


class ProcessKill(Fault):
    """Sends a signal that ends it; what it was doing is lost, as in a crash."""

    kind: Literal["process.kill"] = "process.kill"
    requires: ClassVar[tuple[type[Any], ...]] = (Shell, Processes, LeaseHolder)

    signal: Literal["KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "HUP"] = "KILL"
    pid_file: str = ""
    """A file on the target whose first line is the number; empty takes the target's own processes."""
    pattern: str = ""
    """A regular expression over arguments, in place of the target's own processes."""
    tree: bool = False
    """Whether its descendants die with it."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many to kill at most, of those that match."""
    grace_s: float = Field(default=5, ge=0, le=600)
    """How long the signal may take to end it, in seconds."""
    respawn_within_s: float = Field(default=0, ge=0, le=3600)
    """A supervisor is expected to have started it again within so many seconds; 0 expects nothing."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        """The blast radius counts main processes: a server and its children are one thing."""
        choice = Choice(
            pid_file=self.pid_file, pattern=self.pattern, tree=self.tree, count=self.count, seed=context.seed
        )
        victims = chosen(target, choice)
        roots = roots_of(victims)
        undo, lasting = Undo(script=":"), {"running": f"killed with SIG{self.signal}, by design"}
        restart = target.capabilities().get(Restart)
        if restart is not None:
            undo = Undo(script=restart.restart_script())
        if restart is not None or self.respawn_within_s:
            lasting = {}
        return FaultPlan(
            lease=self.lease(context, undo),
            affected=[f"process {root.pid} ({root.command[:60]})" for root in roots],
            snapshot={"running": len(roots)},
            lasting=lasting,
            baseline=Reading(value=len(victims), unit="processes", by=_BY),
            mechanism=f"kill -{self.signal}",
            data={"victims": [victim.model_dump() for victim in victims]},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Signal those that were planned, the main one first, which must not see its children die; with ``tree`` those
        born since as well."""
        shell, victims = target.capability(Shell), _victims(plan)
        fresh = fresh_members(read_table(shell), victims) if self.tree else []
        result = shell.run(signal_script(victims + fresh, self.signal))
        if not result.out.split():
            raise TargetUnreachable(
                f"none of {', '.join(plan.affected)} could be signalled: {result.err.strip() or 'gone'}"
            )

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        """Look for them in the process table until they are gone, or the grace is over."""
        shell, victims = target.capability(Shell), _victims(plan)
        until = time.monotonic() + self.grace_s
        while (left := _alive(shell, victims)) and time.monotonic() < until:
            time.sleep(_POLL_S)
        during = Reading(value=left, unit="processes", by=_BY)
        why = f"{len(victims)} ran before SIG{self.signal}, {left} of them still run"
        return Bite(fault=self.kind, target=self.target, bit=left == 0, baseline=plan.baseline, during=during, why=why)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return None  # dead at once, and a supervisor may have started another since

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        """How many main processes run; a respawn is given its time."""
        until = time.monotonic() + self.respawn_within_s
        while True:
            running = self._running(target, plan)
            if running >= plan.snapshot.get("running", 0) or time.monotonic() >= until:
                return {"running": running}
            time.sleep(_POLL_S)

    def _running(self, target: Target, plan: FaultPlan) -> int:
        choice = Choice(pid_file=self.pid_file, pattern=self.pattern, tree=False, count=0, seed=0)
        return min(len(roots_of(chosen(target, choice, empty_is_fine=True))), int(plan.snapshot["running"]))


def _victims(plan: FaultPlan) -> list[ProcessIdentity]:
    return [ProcessIdentity.model_validate(victim) for victim in plan.data["victims"]]


def _alive(shell: Shell, victims: list[ProcessIdentity]) -> int:
    table = read_table(shell)
    return sum(table.find(victim) is not None for victim in victims)
