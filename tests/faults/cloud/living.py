"""A fault's whole life in a test: plan, arm, inject, attest, heal, look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chaosday.clock import SystemClock
from chaosday.model.clean import differences
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target


def planned(fault: Fault, target: Target, *, number: int = 0, seed: int = 7) -> FaultPlan:
    """The fault's plan under a lease of its own."""
    context = PlanContext(run="run-1", lease_id=f"cd-test-{number:04d}", seed=seed, clock=SystemClock())
    return fault.plan(target, context)


@contextmanager
def struck(fault: Fault, target: Target, *, number: int = 0, seed: int = 7) -> Iterator[tuple[FaultPlan, Bite]]:
    """The fault is on inside the block; after it nothing of it may be left and all has to read as before."""
    plan = planned(fault, target, number=number, seed=seed)
    target.capability(LeaseHolder).arm(plan.lease)
    try:
        fault.inject(target, plan)
        yield plan, fault.attest(target, plan)
    finally:
        fault.heal(target, plan.lease)
    fault.heal(target, plan.lease)
    assert fault.residue(target, plan.lease) == []
    changed, _ = differences(plan.snapshot, fault.snapshot(target, plan), plan.lasting)
    assert changed == []
    assert plan.lease.id not in [state.id for state in target.capability(LeaseHolder).leases() if not state.healed]
