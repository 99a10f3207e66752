"""Nodes that take no new pods."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.cluster.api import MERGE, Change, Kube
from chaosday.mechanisms.cluster.fault import ClusterFault
from chaosday.mechanisms.cluster.nodes import chosen, node, tainted, uncordon
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan, PlanContext


class NodeCordon(ClusterFault):
    """Marks nodes unschedulable, and schedulable again."""

    kind: Literal["kubernetes.node_cordon"] = "kubernetes.node_cordon"
    unit: ClassVar[str] = "nodes closed"
    by: ClassVar[str] = "the node controller's taints"
    nodes: list[str] = []

    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        return chosen(kube, self.kind, self.nodes)

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        return [Need(verb=verb, thing=node(one["name"])) for one in things for verb in ("get", "list", "patch")]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        return uncordon(things)

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for name in self.nodes:
            kube.ask("PATCH", node(name).path, {"spec": {"unschedulable": True}}, content_type=MERGE)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        return tainted(kube, self.nodes)

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value == len(self.nodes)

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        return {"nodes closed": tainted(kube, self.nodes)}
