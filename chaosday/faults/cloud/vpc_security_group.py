"""A security group that lets nothing through."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class VpcSecurityGroup(AccountFault):
    """Takes every rule out of security groups, in one direction or both, and puts the same rules back.

    Connections that are tracked already go on: a security group has state, a network ACL has none.
    """

    kind: Literal["cloud.vpc.security_group"] = "cloud.vpc.security_group"
    what: ClassVar[str] = "security group"
    direction: Literal["ingress", "egress", "both"] = "ingress"

    def found(self, aws: Aws) -> list[Resource]:
        return [
            Resource(
                kind="ec2",
                id=one["GroupId"],
                tags=as_dict(one.get("Tags")),
                detail={"ingress": _plain(one["IpPermissions"]), "egress": _plain(one["IpPermissionsEgress"])},
            )
            for one in every(aws, "ec2", "describe_security_groups", "SecurityGroups")
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return self._calls("revoke", resources, [])

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return self._calls("authorize", resources, ["InvalidPermission.Duplicate"])

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        now = {one.id: one.detail for one in self.found(aws)}
        return {one.id: now.get(one.id) for one in resources}

    def _calls(self, verb: str, resources: list[Resource], done_if: list[str]) -> list[Call]:
        ways = ("ingress", "egress") if self.direction == "both" else (self.direction,)
        # One call a rule: as long as one of them is there already, AWS refuses all rules of a call.
        return [
            Call(
                service="ec2",
                operation=f"{verb}_security_group_{way}",
                parameters={"GroupId": one.id, "IpPermissions": [rule]},
                done_if=done_if,
            )
            for one in resources
            for way in ways
            for rule in one.detail[way]
        ]


def _plain(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [{name: value for name, value in rule.items() if value not in ([], None)} for rule in rules]
    return sorted(kept, key=str)
