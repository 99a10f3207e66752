"""Instances that start again."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.ec2 import instances
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource


class Ec2Reboot(AccountFault):
    """Reboots instances; the proof is a status check that is no longer ok, which EC2 takes minutes to notice."""

    kind: Literal["cloud.ec2.reboot"] = "cloud.ec2.reboot"
    what: ClassVar[str] = "instance"
    lasting: ClassVar[str] = "it is ready again when it has started"

    def found(self, aws: Aws) -> list[Resource]:
        return instances(aws)

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        ids = [resource.id for resource in resources]
        return [Call(service="ec2", operation="reboot_instances", parameters={"InstanceIds": ids})]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ids = [resource.id for resource in resources]
        said = every(aws, "ec2", "describe_instance_status", "InstanceStatuses", InstanceIds=ids)
        return {one["InstanceId"]: one["InstanceStatus"]["Status"] for one in said}
