"""A group that has lost an availability zone."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.errors import Refused
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.groups import groups
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource


class AsgZone(AccountFault):
    """Takes the subnets of one availability zone out of Auto Scaling groups: their instances there are given up."""

    kind: Literal["cloud.asg.zone"] = "cloud.asg.zone"
    what: ClassVar[str] = "Auto Scaling group"
    zone: str = "us-east-1a"

    def found(self, aws: Aws) -> list[Resource]:
        return [group for group in groups(aws) if self._left(aws, group) != group.detail["subnets"]]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(group, self._left(aws, group)) for group in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(group, group.detail["subnets"]) for group in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        now = {group.id: group.detail["subnets"] for group in groups(aws)}
        return {resource.id: now.get(resource.id) for resource in resources}

    def _left(self, aws: Aws, group: Resource) -> list[str]:
        subnets = group.detail["subnets"]
        if not subnets:
            return []
        zones = {one["SubnetId"]: one["AvailabilityZone"] for one in every(aws, "ec2", "describe_subnets", "Subnets")}
        left = [subnet for subnet in subnets if zones.get(subnet) != self.zone]
        if not left and subnets:
            raise Refused(f"{group.name} has subnets in {self.zone} only: a group cannot be left without any")
        return left

    def _call(self, group: Resource, subnets: list[str]) -> Call:
        named = {"AutoScalingGroupName": group.id, "VPCZoneIdentifier": ",".join(subnets)}
        return Call(service="autoscaling", operation="update_auto_scaling_group", parameters=named)
