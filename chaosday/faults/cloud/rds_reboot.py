"""A database server that starts again."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class RdsReboot(AccountFault):
    """Reboots DB instances; with ``failover`` a Multi-AZ one changes over to its standby."""

    kind: Literal["cloud.rds.reboot"] = "cloud.rds.reboot"
    what: ClassVar[str] = "DB instance"
    lasting: ClassVar[str] = "it is ready again when it has started"
    failover: bool = False

    def found(self, aws: Aws) -> list[Resource]:
        return [
            Resource(
                kind="rds",
                id=one["DBInstanceIdentifier"],
                arn=one["DBInstanceArn"],
                tag_id=one["DBInstanceArn"],
                tags=as_dict(one.get("TagList")),
            )
            for one in every(aws, "rds", "describe_db_instances", "DBInstances")
            if one["DBInstanceStatus"] == "available"
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        forced = {"ForceFailover": True} if self.failover else {}
        named = [{"DBInstanceIdentifier": one.id, **forced} for one in resources]
        return [Call(service="rds", operation="reboot_db_instance", parameters=name) for name in named]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        said = every(aws, "rds", "describe_db_instances", "DBInstances")
        now = {one["DBInstanceIdentifier"]: one["DBInstanceStatus"] for one in said}
        return {resource.id: now.get(resource.id) for resource in resources}
