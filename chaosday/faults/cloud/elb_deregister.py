"""Backends that a load balancer has lost."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class ElbDeregister(AccountFault):
    """Takes targets out of target groups, and puts the same ones back."""

    kind: Literal["cloud.elb.deregister"] = "cloud.elb.deregister"
    what: ClassVar[str] = "target group"
    members: int = Field(default=0, ge=0)
    """How many members of each group; 0 is all of them."""

    def found(self, aws: Aws) -> list[Resource]:
        client = aws.client("elbv2")
        groups = every(aws, "elbv2", "describe_target_groups", "TargetGroups")
        arns = [one["TargetGroupArn"] for one in groups]
        described = [client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0] for arn in arns]
        tags = {one["ResourceArn"]: as_dict(one["Tags"]) for one in described}
        return [
            Resource(kind="elbv2", id=arn, arn=arn, tags=tags.get(arn, {}), detail={"members": _members(aws, arn)})
            for arn in arns
            if _members(aws, arn)
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("deregister_targets", one) for one in resources]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call("register_targets", one) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return {one.id: _members(aws, one.id) for one in resources}

    def _call(self, operation: str, one: Resource) -> Call:
        chosen = one.detail["members"][: self.members or None]
        named = {"TargetGroupArn": one.id, "Targets": chosen}
        return Call(service="elbv2", operation=operation, parameters=named)


def _members(aws: Aws, arn: str) -> list[Any]:
    said = aws.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    here = [one["Target"] for one in said if one["TargetHealth"]["State"] not in ("draining", "unused.deregistered")]
    return sorted(here, key=lambda one: (one["Id"], one.get("Port", 0)))
