"""A node group that shrinks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.aws.account import Aws
from chaosday.mechanisms.aws.calls import Call
from chaosday.mechanisms.aws.fault import AccountFault
from chaosday.mechanisms.aws.paging import every
from chaosday.mechanisms.aws.tagging import Resource


class EksNodegroup(AccountFault):
    """Scales managed node groups of a cluster to ``nodes``, and back to their own size.

    The tag that says so is on the cluster, so that one experiment at a time has its node groups.
    """

    kind: Literal["cloud.eks.nodegroup"] = "cloud.eks.nodegroup"
    what: ClassVar[str] = "node group"
    cluster: str = "default"
    nodes: int = Field(default=0, ge=0)

    def found(self, aws: Aws) -> list[Resource]:
        names = every(aws, "eks", "list_nodegroups", "nodegroups", clusterName=self.cluster)
        groups = [self._group(aws, name) for name in names]
        cluster = aws.client("eks").describe_cluster(name=self.cluster)["cluster"]
        return [
            Resource(
                kind="eks",
                id=one["nodegroupName"],
                arn=one["nodegroupArn"],
                tag_id=cluster["arn"],
                tags=(one.get("tags") or {}) | (cluster.get("tags") or {}),
                detail=one["scalingConfig"],
            )
            for one in groups
        ]

    def changes(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [
            self._call(
                one, {**one.detail, "minSize": min(self.nodes, one.detail["minSize"]), "desiredSize": self.nodes}
            )
            for one in resources
        ]

    def reverts(self, aws: Aws, resources: list[Resource]) -> list[Call]:
        return [self._call(one, one.detail) for one in resources]

    def state(self, aws: Aws, resources: list[Resource]) -> dict[str, Any]:
        return {one.id: self._group(aws, one.id)["scalingConfig"] for one in resources}

    def _group(self, aws: Aws, name: str) -> dict[str, Any]:
        asked = {"clusterName": self.cluster, "nodegroupName": name}
        found: dict[str, Any] = aws.client("eks").describe_nodegroup(**asked)["nodegroup"]
        return found

    def _call(self, group: Resource, sizes: dict[str, Any]) -> Call:
        named = {"clusterName": self.cluster, "nodegroupName": group.id, "scalingConfig": sizes}
        return Call(service="eks", operation="update_nodegroup_config", parameters=named)
