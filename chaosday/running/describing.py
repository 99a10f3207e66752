"""A planned fault as it stands in the plan of a run: what it would touch, and how it would be undone."""

from __future__ import annotations

from typing import Any

from chaosday.model.fault import Fault, FaultPlan


def described(at_s: float, fault: Fault, plan: FaultPlan) -> dict[str, Any]:
    """Plain data for ``plan.json``, the report and the terminal."""
    return {
        "at_s": at_s,
        "fault": fault.model_dump(mode="json"),
        "affects": plan.affected,
        "mechanism": plan.mechanism,
        "undo": plan.lease.undo.script or plan.lease.undo.data,
        "ends_by_itself_after_s": plan.lease.ttl_s,
        "lasting": plan.lasting,
    }
