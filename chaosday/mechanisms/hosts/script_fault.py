"""What every fault done by a script on a host has in common: how it is planned, undone, measured, compared."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from chaosday.mechanisms.hosts.guarded import guarded
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.tools import PATH, ask, need
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Shell, Target
from chaosday.processes import mark


@dataclass(frozen=True)
class Prepared:
    """A fault made ready for one host: ``data`` is what measuring needs to know again."""

    means: Means
    data: dict[str, Any] = field(default_factory=dict)
    dump: dict[str, str] = field(default_factory=dict)
    """Questions whose answers have to be the same after heal."""
    affected: tuple[str, ...] = ()
    lasting: dict[str, str] = field(default_factory=dict)


class ScriptFault(Fault):
    """A fault that is a script, an undo that is one too, and a reading by the host's own accounts."""

    requires: ClassVar[tuple[type[Any], ...]] = (Shell, LeaseHolder)
    tools: ClassVar[tuple[str, ...]] = ()
    inject_timeout_s: ClassVar[float] = 60

    @abstractmethod
    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        """Look, refuse what cannot or must not be, and write the scripts; touches nothing."""

    @abstractmethod
    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        """Read the effect; ``hurt`` says whether it is meant to be there, so that a slow one is waited for."""

    @abstractmethod
    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        """Whether the effect is there, and in words what was asked and what was measured."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        shell = target.capability(Shell)
        need(shell, *self.tools)
        prepared = self.prepare(shell, context)
        means = prepared.means
        return FaultPlan(
            lease=self.lease(context, Undo(script=PATH + means.undo, residue_script=PATH + means.residue)),
            affected=list(prepared.affected) or [self.target],
            snapshot=dict(ask(shell, prepared.dump)),
            lasting=prepared.lasting,
            baseline=self.measure(shell, context.lease_id, prepared.data, hurt=False),
            mechanism=means.mechanism,
            data={**prepared.data, "inject": means.inject, "dump": prepared.dump},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        stdin = self.stdin(plan.data)
        guarded(target, plan.lease, str(plan.data["inject"]), stdin=stdin, timeout_s=self.inject_timeout_s)

    def stdin(self, data: dict[str, Any]) -> str:
        """What the injecting script reads, where it is too long to be part of it."""
        return ""

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        return self._bite(plan, self.measure(target.capability(Shell), plan.lease.id, plan.data, hurt=True))

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return self.looked(target, plan)

    def looked(self, target: Target, plan: FaultPlan) -> Bite:
        """Its effect now: it has shown, and is not waited for again.

        What does it may be dead, and leave something that looks alike: a name that nobody resolves at all.
        """
        shell = target.capability(Shell)
        bite = self._bite(plan, self.measure(shell, plan.lease.id, plan.data, hurt=False))
        served = self.served_by(plan)
        if not served or ask(shell, {"served": mark.find(plan.lease.id)})["served"]:
            return bite
        return bite.model_copy(update={"bit": False, "why": f"{served} has ended; {bite.why}"})

    def served_by(self, plan: FaultPlan) -> str:
        """The process of ours, in words, that has to live for the effect to be the one that was asked for."""
        return ""

    def _bite(self, plan: FaultPlan, during: Reading) -> Bite:
        bit, why = self.bites(plan.baseline, during, plan.data)
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        return dict(ask(target.capability(Shell), plan.data["dump"]))
