"""An experiment of AWS Fault Injection Service, run and watched as one fault of ours."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import Refused, UsageError
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.session import spoken
from chaosday.mechanisms.aws.tagging import LEASE, RUN
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Target

UNIT = "actions that ran"
BY = "AWS FIS"
STARTED = ("running", "completed")


class FisExperiment(Fault):
    """Starts an existing experiment template of AWS FIS, whose own durations and stop conditions end it.

    FIS is the lease here: it reverts what it did when its actions end, and when it is stopped. The
    template's targets are resolved and counted beforehand; a template without stop conditions is refused.
    """

    kind: Literal["cloud.fis"] = "cloud.fis"
    requires: ClassVar[tuple[type[Any], ...]] = (Aws, LeaseHolder)
    template: str = ""
    accept_no_stop_condition: bool = False
    settle_s: float = Field(default=120, ge=0, le=3600)

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        aws = target.capability(Aws)
        if not self.template:
            raise UsageError("cloud.fis: name the experiment template (EXT...)")
        with spoken(f"reading FIS template {self.template}"):
            template = aws.client("fis").get_experiment_template(id=self.template)["experimentTemplate"]
            affected = [arn for each in template.get("targets", {}).values() for arn in _resolved(aws, each)]
        stops = [one for one in template.get("stopConditions", []) if one.get("source") != "none"]
        if not stops and not self.accept_no_stop_condition:
            raise Refused(f"{self.template} has no stop condition: give it an alarm, or accept_no_stop_condition: true")
        actions = [f"{name}: {one['actionId']}" for name, one in template.get("actions", {}).items()]
        return FaultPlan(
            lease=self.lease(context, Undo(data={"fis": True})),
            affected=affected,
            snapshot={"experiments running": 0},
            baseline=Reading(value=0, unit=UNIT, by=BY),
            mechanism=f"AWS FIS {self.template} ({', '.join(actions)}); FIS ends it by its own durations",
            data={"run": context.run},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        said = {
            "clientToken": plan.lease.id,
            "experimentTemplateId": self.template,
            "tags": {LEASE: plan.lease.id, RUN: plan.lease.run},
        }
        Call(service="fis", operation="start_experiment", parameters=said).run(target.capability(Aws).access())

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        aws = target.capability(Aws)
        deadline = time.monotonic() + self.settle_s
        while True:
            found = self._experiment(aws, plan.lease.id)
            ran = [name for name, one in found.get("actions", {}).items() if one["state"]["status"] in STARTED]
            state = found.get("state", {})
            if ran or state.get("status") in ("failed", "stopped", "cancelled") or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        during = Reading(value=len(ran), unit=UNIT, by=BY)
        why = f"cloud.fis: experiment {found.get('id')} is {state.get('status')}: {', '.join(ran) or 'nothing ran'}"
        return Bite(fault=self.kind, target=self.target, bit=bool(ran), baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        status = self._experiment(target.capability(Aws), plan.lease.id).get("state", {}).get("status")
        return {"experiments running": int(status in ("pending", "initiating", "running"))}

    def _experiment(self, aws: Aws, lease_id: str) -> dict[str, Any]:
        with spoken("looking for our FIS experiment"):
            listed = every(aws, "fis", "list_experiments", "experiments")
            mine = [one["id"] for one in listed if one.get("tags", {}).get(LEASE) == lease_id]
            found: dict[str, Any] = aws.client("fis").get_experiment(id=mine[0])["experiment"] if mine else {}
        return found


def _resolved(aws: Aws, wanted: dict[str, Any]) -> list[str]:
    """The resources of one target of a template: those named, or all that carry its tags."""
    if arns := wanted.get("resourceArns"):
        return list(arns)
    filters = [{"Key": key, "Values": [value]} for key, value in wanted.get("resourceTags", {}).items()]
    kind = wanted["resourceType"].removeprefix("aws:")
    asked: dict[str, Any] = {"TagFilters": filters, "ResourceTypeFilters": [kind]}
    found = every(aws, "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", **asked)
    return [one["ResourceARN"] for one in found]
