"""Instances that are stopped, and started again."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.ec2 import instances, states
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.tagging import Resource


class Ec2Stop(AccountFault):
    """Stops running instances; an instance store is lost with it, a root volume is not."""

    kind: Literal["cloud.ec2.stop"] = "cloud.ec2.stop"
    what: ClassVar[str] = "instance"
    force: bool = False
    """Without letting the operating system flush its caches."""

    def found(self, aws: Aws) -> list[Resource]:
        return instances(aws)

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        ids = [resource.id for resource in resources]
        return [Call(service="ec2", operation="stop_instances", parameters={"InstanceIds": ids, "Force": self.force})]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        ids = [resource.id for resource in resources]
        return [Call(service="ec2", operation="start_instances", parameters={"InstanceIds": ids})]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return states(aws, resources)

    def hurt(self, before: Any, now: Any) -> bool:
        return now in ("stopping", "stopped")
