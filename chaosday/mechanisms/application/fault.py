"""What the faults inside a Python program have in common: one rule on one dotted function, counted by the program."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.application.switch import PythonSwitch
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Target

UNIT = "calls hurt"
BY = "the program's own count"


class FunctionFault(Fault):
    """Hurts calls of one function of a program, by name, for as long as the lease lasts.

    The name is where the program looks the function up: ``package.module:function`` or
    ``package.module:Class.method``. A function that nobody calls is not hurt: there is no bite then.
    """

    requires: ClassVar[tuple[type[Any], ...]] = (PythonSwitch, LeaseHolder)
    function: str = Field(default="app:work", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    probability: float = Field(default=1, gt=0, le=1)
    settle_s: float = Field(default=10, ge=0, le=3600)
    """How long to wait for the first call that is hurt."""

    @abstractmethod
    def effect(self) -> dict[str, Any]:
        """What the rule does: ``effect`` and its fields."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        switch = target.capability(PythonSwitch)
        if not switch.watched():
            raise TargetUnreachable(target.reach())
        rule = {"at": self.function, "probability": self.probability, "seed": context.seed, **self.effect()}
        return FaultPlan(
            lease=self.lease(context, Undo(data={"switch": "the program's own deadline"})),
            affected=[f"function {self.function}"],
            snapshot={"rules": []},
            baseline=Reading(value=switch.struck(context.lease_id), unit=UNIT, by=BY),
            mechanism="import hook of chaosday exec; the program ends it by itself at the deadline",
            data={"rule": rule},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        target.capability(PythonSwitch).inject(plan.lease.id, plan.data["rule"])

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        switch = target.capability(PythonSwitch)
        deadline = time.monotonic() + self.settle_s
        while (count := switch.struck(plan.lease.id)) <= plan.baseline.value and time.monotonic() < deadline:
            time.sleep(0.05)
        during = Reading(value=count, unit=UNIT, by=BY)
        bit = count > plan.baseline.value
        why = f"{self.kind}: {count} calls of {self.function} hurt" + ("" if bit else "; does the program call it?")
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """The program may call the function seldom: that its rule is still there is asked, and how often it struck."""
        switch = target.capability(PythonSwitch)
        during = Reading(value=switch.struck(plan.lease.id), unit=UNIT, by=BY)
        rules = self.snapshot(target, plan)["rules"]
        why = f"{self.kind}: {during.value:g} calls hurt, and the rule is {'still there' if rules else 'gone'}"
        bit = bool(rules)
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        left = target.capability(LeaseHolder).residue(plan.lease.id)
        return {"rules": [line for line in left if line.startswith("rule")]}
