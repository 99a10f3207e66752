"""A process stands still, and everybody thinks it is there."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ForeignState, TargetUnreachable
from chaosday.mechanisms.hosts.process_choice import Choice, chosen, roots_of
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Processes, ProcessIdentity, Shell, Target
from chaosday.processes.process_table import alive_script, read_table, signal_script

_WATCH_S = 0.2
_SETTLE_S = 2.0
_BY = "process table: state and CPU time"


class ProcessPause(Fault):
    """SIGSTOP, with its SIGCONT in the lease: the longest pause of a garbage collector or a hypervisor."""

    kind: Literal["process.pause"] = "process.pause"
    requires: ClassVar[tuple[type[Any], ...]] = (Shell, Processes, LeaseHolder)

    pid_file: str = ""
    """A file on the target whose first line is the number; empty takes the target's own processes."""
    pattern: str = ""
    """A regular expression over arguments, in place of the target's own processes."""
    tree: bool = True
    """Whether its descendants stand still with it."""
    count: int = Field(default=1, ge=1, le=1000)
    """How many to pause at most, of those that match."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        """Refuses a process that somebody else has stopped: we would set it going again."""
        choice = Choice(
            pid_file=self.pid_file, pattern=self.pattern, tree=self.tree, count=self.count, seed=context.seed
        )
        victims = chosen(target, choice)
        still = _states(target.capability(Shell), victims)
        if stopped := [pid for pid, state in still.items() if state == "T"]:
            raise ForeignState(f"process {stopped[0]} is already stopped by somebody else; continue it first")
        roots = roots_of(victims)
        undo = Undo(script=signal_script(victims, "CONT"), residue_script=alive_script(victims, state="T"))
        return FaultPlan(
            lease=self.lease(context, undo),
            affected=[f"process {root.pid} ({root.command[:60]})" for root in roots],
            snapshot={"stopped": []},
            baseline=Reading(value=0, unit="stopped processes", by=_BY),
            mechanism="SIGSTOP",
            data={"victims": [victim.model_dump() for victim in victims]},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Stop exactly those that were planned, the main one first: it must not react to the others."""
        result = target.capability(Shell).run(signal_script(_victims(plan), "STOP"))
        if not result.out.split():
            raise TargetUnreachable(
                f"none of {', '.join(plan.affected)} could be stopped: {result.err.strip() or 'gone'}"
            )

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        """All in state T, and no CPU time used between two looks."""
        shell, victims = target.capability(Shell), _victims(plan)
        until = time.monotonic() + _SETTLE_S
        while (still := _standing(shell, victims)) < len(victims) and time.monotonic() < until:
            time.sleep(0.02)
        during = Reading(value=still, unit="stopped processes", by=_BY)
        why = f"{still} of {len(victims)} are in state T and used no CPU time in {_WATCH_S} s; before, none"
        return Bite(
            fault=self.kind,
            target=self.target,
            bit=still == len(victims),
            baseline=plan.baseline,
            during=during,
            why=why,
        )

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        """Which of them are stopped."""
        states = _states(target.capability(Shell), _victims(plan))
        return {"stopped": sorted(pid for pid, state in states.items() if state == "T")}


def _victims(plan: FaultPlan) -> list[ProcessIdentity]:
    return [ProcessIdentity.model_validate(victim) for victim in plan.data["victims"]]


def _states(shell: Shell, victims: list[ProcessIdentity]) -> dict[int, str]:
    table = read_table(shell)
    return {row.pid: row.state for victim in victims if (row := table.find(victim)) is not None}


def _standing(shell: Shell, victims: list[ProcessIdentity]) -> int:
    before = read_table(shell)
    time.sleep(_WATCH_S)
    after = read_table(shell)
    pairs = [(before.find(victim), after.find(victim)) for victim in victims]
    return sum(
        one is not None and two is not None and one.state == two.state == "T" and one.cpu_s == two.cpu_s
        for one, two in pairs
    )
