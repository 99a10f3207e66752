"""What all control-plane faults have in common: select, tag, change by calls, revert by calls, look at the state."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import ForeignState, Refused, ScratchMarkMissing, UsageError
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.account_leases import undo_of_calls
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.session import spoken
from chaosday.mechanisms.aws.tagging import LEASE, SCRATCH, Resource
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target

POLL_S = 0.5


class AccountFault(Fault):
    """Changes resources of an account by API calls and reverts them by others that are known beforehand.

    Resources are named (``ids``: names or ARNs), or found by ``tags``; ``pick`` takes so many of them by
    the run's seed. The plan lists every one of them, and the blast radius counts that list.
    """

    requires: ClassVar[tuple[type[Any], ...]] = (Aws, LeaseHolder)
    what: ClassVar[str] = "resource"
    lasting: ClassVar[str] = ""
    """Why the state does not come back, for faults whose harm is over when it is done."""
    unit: ClassVar[str] = "share of resources hurt"
    ids: list[str] = []
    tags: dict[str, str] = {}
    pick: int = Field(default=0, ge=0)
    """How many of those found, by the seed; 0 is all of them."""
    accept_weak_lease: bool = False
    """Go on although only rollback and recover would end this fault, not the account itself."""
    settle_s: float = Field(default=120, ge=0, le=3600)
    """How long a change of state may take to show, and to be gone."""

    @abstractmethod
    def found(self, aws: Aws) -> list[Resource]:
        """Every resource of the kind, with its tags; selection is done here, not in the API."""

    @abstractmethod
    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        """The calls that hurt them."""

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        """The calls that undo it, from the state as it is now."""
        return []

    @abstractmethod
    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        """Resource id -> what the account says of it."""

    def hurt(self, before: Any, now: Any) -> bool:
        """Whether one resource's state shows the effect."""
        return bool(before != now)

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        aws = target.capability(Aws)
        with spoken(f"{self.kind}: looking for each {self.what}"):
            chosen = self._chosen(aws, context)
            changes, reverts = self.changes(aws, chosen), self.reverts(aws, chosen)
            before = self.state(aws, chosen)
        weak = bool(reverts) and not aws.durable()
        if weak and not self.accept_weak_lease:
            raise Refused(
                f"{self.kind}: without scheduler_role_arn on the target only rollback and chaosday recover end this "
                "fault; give the role, or set accept_weak_lease: true"
            )
        how = (
            "weak lease: only rollback and recover revert" if weak else "EventBridge Scheduler reverts at the deadline"
        )
        kept = [resource.model_dump(mode="json") for resource in chosen]
        return FaultPlan(
            lease=self.lease(context, undo_of_calls(reverts, chosen)),
            affected=[f"{self.what} {resource.id}" for resource in chosen],
            snapshot=before,
            lasting=dict.fromkeys(before, self.lasting) if self.lasting else {},
            baseline=Reading(value=0, unit=self.unit, by="the account's own description of it"),
            mechanism=f"{', '.join(sorted({call.words for call in changes}))}; {how if reverts else 'no undo'}",
            data={"changes": [call.model_dump(mode="json") for call in changes], "resources": kept},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        access = target.capability(Aws).access()
        for call in plan.data["changes"]:
            Call.model_validate(call).run(access)

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        return self._bite(plan, self._until(target, plan, lambda state: self._share(plan, state) == 1))

    def _bite(self, plan: FaultPlan, now: dict[str, Any]) -> Bite:
        share = self._share(plan, now)
        during = Reading(value=share, unit=self.unit, by=plan.baseline.by)
        why = f"{self.kind}: {share:.0%} of {len(plan.snapshot)} show it: " + "; ".join(
            f"{name}: {plan.snapshot[name]} -> {now.get(name)}" for name in list(plan.snapshot)[:3]
        )
        return Bite(fault=self.kind, target=self.target, bit=share > 0, baseline=plan.baseline, during=during, why=why)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """Once, without waiting; what has no undo is over once it is done."""
        if self.lasting or plan.lease.undo.data.get("calls") == "[]":
            return None
        return self._bite(plan, self._now(target, plan))

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        if plan.lasting:
            return self._now(target, plan)
        return self._until(target, plan, lambda state: state == plan.snapshot)

    def _share(self, plan: FaultPlan, now: dict[str, Any]) -> float:
        return sum(self.hurt(before, now.get(name)) for name, before in plan.snapshot.items()) / len(plan.snapshot)

    def _now(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        resources = [Resource.model_validate(each) for each in plan.data["resources"]]
        with spoken(f"{self.kind}: looking again"):
            return self.state(target.capability(Aws), resources)

    def _until(self, target: Target, plan: FaultPlan, enough: Any) -> dict[str, Any]:
        deadline = time.monotonic() + self.settle_s
        while True:
            state = self._now(target, plan)
            if enough(state) or time.monotonic() > deadline:
                return state
            time.sleep(POLL_S)

    def _chosen(self, aws: Aws, context: PlanContext) -> list[Resource]:
        if not self.ids and not self.tags:
            raise UsageError(
                f"{self.kind}: name each {self.what} by ids, or select by tags; an empty selection is none"
            )
        fitting = sorted((each for each in self.found(aws) if self._selects(each)), key=lambda each: each.id)
        unseen = set(self.ids) - {word for each in fitting for word in (each.id, each.arn)}
        if unseen or not fitting:
            which = f" ({', '.join(sorted(unseen))})" if unseen else ""
            raise Refused(f"{self.kind}: no {self.what} fits the selection{which}; nothing was touched")
        if 0 < self.pick < len(fitting):
            fitting = sorted(random.Random(context.seed).sample(fitting, self.pick), key=lambda each: each.id)
        for resource in fitting:
            held = resource.tags.get(LEASE)
            if held and held != context.lease_id:
                raise ForeignState(f"{resource.name} is under lease {held} of run {resource.tags.get('chaosday-run')}")
            if self.irreversible and resource.tags.get(SCRATCH) != "true":
                raise ScratchMarkMissing(f"{self.kind} cannot be undone: tag {resource.name} with {SCRATCH}=true first")
        return fitting

    def _selects(self, resource: Resource) -> bool:
        named = not self.ids or any(word in (resource.id, resource.arn) for word in self.ids)
        return named and all(resource.tags.get(name) == value for name, value in self.tags.items())
