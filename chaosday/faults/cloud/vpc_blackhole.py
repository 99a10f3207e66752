"""Subnets that nothing gets in or out of."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.errors import ForeignState, Refused
from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict

NUMBER = 1


class VpcBlackhole(AccountFault):
    """Denies all traffic of subnets, or of an availability zone, by a first entry in their network ACL.

    An ACL filters without state, so that open connections stop as well. An ACL that serves other
    subnets too is refused: they would be cut off with it.
    """

    kind: Literal["cloud.vpc.blackhole"] = "cloud.vpc.blackhole"
    what: ClassVar[str] = "subnet"
    zone: str = ""

    def found(self, aws: Aws) -> list[Resource]:
        acls = every(aws, "ec2", "describe_network_acls", "NetworkAcls")
        acl_of = {link["SubnetId"]: acl["NetworkAclId"] for acl in acls for link in acl.get("Associations", [])}
        return [
            Resource(
                kind="ec2",
                id=one["SubnetId"],
                tags=as_dict(one.get("Tags")),
                detail={"acl": acl_of[one["SubnetId"]]},
            )
            for one in every(aws, "ec2", "describe_subnets", "Subnets")
            if one["SubnetId"] in acl_of and self.zone in ("", one["AvailabilityZone"])
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        chosen = {one.id for one in resources}
        ours = {one.detail["acl"] for one in resources}
        for acl in every(aws, "ec2", "describe_network_acls", "NetworkAcls", NetworkAclIds=sorted(ours)):
            others = {link["SubnetId"] for link in acl["Associations"]} - chosen
            if others:
                raise Refused(
                    f"{acl['NetworkAclId']} serves {', '.join(sorted(others))} too: give each subnet its own ACL"
                )
            if any(entry["RuleNumber"] == NUMBER for entry in acl["Entries"]):
                raise ForeignState(f"{acl['NetworkAclId']} has an entry number {NUMBER} already; it is not ours")
        deny = {"RuleNumber": NUMBER, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}
        places = [{"NetworkAclId": acl, "Egress": egress} for acl in sorted(ours) for egress in (False, True)]
        return [Call(service="ec2", operation="create_network_acl_entry", parameters=place | deny) for place in places]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        acls = sorted({one.detail["acl"] for one in resources})
        places = [{"NetworkAclId": acl, "RuleNumber": NUMBER, "Egress": out} for acl in acls for out in (False, True)]
        gone = ["InvalidNetworkAclEntry.NotFound"]
        return [
            Call(service="ec2", operation="delete_network_acl_entry", parameters=place, done_if=gone)
            for place in places
        ]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        ids = sorted({one.detail["acl"] for one in resources})
        acls = every(aws, "ec2", "describe_network_acls", "NetworkAcls", NetworkAclIds=ids)
        entries = {
            acl["NetworkAclId"]: sorted(
                f"{'out' if entry['Egress'] else 'in'} {entry['RuleNumber']} {entry['RuleAction']} {entry['CidrBlock']}"
                for entry in acl["Entries"]
                if "CidrBlock" in entry
            )
            for acl in acls
        }
        return {one.id: entries.get(one.detail["acl"]) for one in resources}
