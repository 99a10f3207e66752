"""A process stands still, and everybody thinks it is there."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, ForeignState, LeaseError, TargetUnreachable
from chaosday.mechanisms.hosts.guarded import ShellGuard
from chaosday.mechanisms.hosts.process_choice import Choice, chosen, fresh_members, roots_of
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Processes, ProcessIdentity, Shell, Target
from chaosday.processes.process_table import SIGNAL_NOTED, alive_script, note_script, read_table, signal_script

_WATCH_S = 0.2
_SETTLE_S = 2.0
_ROUNDS = 50
_BY = "process table: state and CPU time"


class ProcessPause(Fault):
    """SIGSTOP, with its SIGCONT in the lease: the longest pause of a garbage collector or a hypervisor.

    With ``tree`` it is asked again who descends from them until nobody new is found: what is stopped begets no more.
    """

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
        again = signal_script(victims, "CONT") + SIGNAL_NOTED
        undo = Undo(script=again, residue_script=alive_script(victims, state="T"))
        return FaultPlan(
            lease=self.lease(context, undo),
            affected=[f"process {root.pid} ({root.command[:60]})" for root in roots],
            snapshot={"stopped": []},
            baseline=Reading(value=0, unit="stopped processes", by=_BY),
            mechanism="SIGSTOP",
            data={"victims": [victim.model_dump() for victim in victims]},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Stop those that were planned, the main one first, which must not react to others; then those born since."""
        shell, victims = target.capability(Shell), _victims(plan)
        result = shell.run(signal_script(victims, "STOP"))
        if not result.out.split():
            raise TargetUnreachable(
                f"none of {', '.join(plan.affected)} could be stopped: {result.err.strip() or 'gone'}"
            )
        if self.tree:
            self._stop_fresh(target, shell, plan, victims)

    def _stop_fresh(self, target: Target, shell: Shell, plan: FaultPlan, known: list[ProcessIdentity]) -> None:
        """A session that a database opened between plan and pause would go on writing."""
        holder = target.capability(LeaseHolder)
        for _ in range(_ROUNDS):
            if not (fresh := fresh_members(read_table(shell), known)):
                return
            if not isinstance(holder, ShellGuard):
                raise CapabilityMissing(f"{len(fresh)} processes were born since the plan, and no lease can note them")
            noted = note_script(fresh, holder.notes(plan.lease.id))
            done = shell.run(f"{noted}{signal_script(fresh, 'STOP')}")
            if done.code:
                raise LeaseError(f"those born since the plan cannot be noted with the lease: {done.err.strip()[:200]}")
            known = known + fresh
        raise TargetUnreachable(f"{', '.join(plan.affected)} bears processes faster than they can be stopped")

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        """All in state T, and no CPU time used between two looks; with ``tree`` all that descend from them as well."""
        shell, victims = target.capability(Shell), _victims(plan)
        until = time.monotonic() + _SETTLE_S
        while True:
            members = victims + (fresh_members(read_table(shell), victims) if self.tree else [])
            still = _standing(shell, members)
            if still == len(members) or time.monotonic() >= until:
                break
            time.sleep(0.02)
        during = Reading(value=still, unit="stopped processes", by=_BY)
        why = f"{still} of {len(members)} are in state T and used no CPU time in {_WATCH_S} s; before, none"
        return Bite(
            fault=self.kind,
            target=self.target,
            bit=still == len(members),
            baseline=plan.baseline,
            during=during,
            why=why,
        )

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        """Which of them are stopped."""
        shell, victims = target.capability(Shell), _victims(plan)
        states = _states(shell, victims + (fresh_members(read_table(shell), victims) if self.tree else []))
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
