"""An Aurora cluster whose writer moves."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource, as_dict


class RdsFailover(AccountFault):
    """Fails Aurora clusters over to a reader; where the writer ends up is where it stays."""

    kind: Literal["cloud.rds.failover"] = "cloud.rds.failover"
    what: ClassVar[str] = "cluster"
    lasting: ClassVar[str] = "after a failover another instance is the writer"

    def found(self, aws: Aws) -> list[Resource]:
        return [
            Resource(
                kind="rds",
                id=one["DBClusterIdentifier"],
                arn=one["DBClusterArn"],
                tag_id=one["DBClusterArn"],
                tags=as_dict(one.get("TagList")),
            )
            for one in every(aws, "rds", "describe_db_clusters", "DBClusters")
            if len(one.get("DBClusterMembers", [])) > 1
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        named = [{"DBClusterIdentifier": cluster.id} for cluster in resources]
        return [Call(service="rds", operation="failover_db_cluster", parameters=name) for name in named]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        wanted = {resource.id for resource in resources}
        return {
            one["DBClusterIdentifier"]: next(
                (member["DBInstanceIdentifier"] for member in one["DBClusterMembers"] if member["IsClusterWriter"]),
                None,
            )
            for one in every(aws, "rds", "describe_db_clusters", "DBClusters")
            if one["DBClusterIdentifier"] in wanted
        }
