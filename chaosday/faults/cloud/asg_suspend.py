"""A group that no longer replaces what it loses."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.groups import groups
from chaosday.mechanisms.aws.tagging import Resource


class AsgSuspend(AccountFault):
    """Suspends scaling processes of Auto Scaling groups; those that were suspended before stay so."""

    kind: Literal["cloud.asg.suspend"] = "cloud.asg.suspend"
    what: ClassVar[str] = "Auto Scaling group"
    processes: list[str] = ["Launch", "Terminate", "ReplaceUnhealthy"]

    def found(self, aws: Aws) -> list[Resource]:
        return groups(aws)

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("suspend_processes", group) for group in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("resume_processes", group) for group in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        now = {group.id: group.detail["suspended"] for group in groups(aws)}
        return {resource.id: now.get(resource.id) for resource in resources}

    def _call(self, operation: str, group: Resource) -> Call:
        mine = sorted(set(self.processes) - set(group.detail["suspended"]))
        named = {"AutoScalingGroupName": group.id, "ScalingProcesses": mine}
        return Call(service="autoscaling", operation=operation, parameters=named)
