"""Nodes that are emptied, as for maintenance."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.cluster.api import MERGE, Change, Kube, RequestFailed
from chaosday.mechanisms.cluster.eviction import evict
from chaosday.mechanisms.cluster.fault import ClusterFault, described, pods_of, running
from chaosday.mechanisms.cluster.nodes import chosen, node, uncordon
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan, PlanContext


class NodeDrain(ClusterFault):
    """Cordons nodes and evicts the target's pods from them; pods of other namespaces stay, and so do daemons.

    Every pod counts for the blast radius beside its node. Disruption budgets are kept: what they
    protect stays, and the bite says how many left.
    """

    kind: Literal["kubernetes.node_drain"] = "kubernetes.node_drain"
    unit: ClassVar[str] = "pods gone"
    lasting: ClassVar[str] = "an evicted pod does not come back; its controller makes another"
    nodes: list[str] = []

    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        closed = chosen(kube, self.kind, self.nodes)
        pods = [pod for pod in running(kube) if pod["spec"].get("nodeName") in self.nodes]
        leaving = [described(pod) for pod in pods if not _stays(pod)]
        return [*closed, *leaving]

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        pods = [Need(verb="list", thing=pods_of(kube))]
        pods.append(Need(verb="create", thing=pods_of(kube), subresource="eviction"))
        return pods + [Need(verb=verb, thing=node(name)) for name in self.nodes for verb in ("get", "list", "patch")]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        return uncordon([{"name": name} for name in self.nodes])

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for name in self.nodes:
            kube.ask("PATCH", node(name).path, {"spec": {"unschedulable": True}}, content_type=MERGE)
        for pod in _pods(plan.data):
            try:
                evict(kube, pod["name"])
            except RequestFailed as error:
                if error.status not in (404, 429):
                    raise

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        there = {pod["metadata"]["uid"] for pod in running(kube)}
        return sum(pod["uid"] not in there for pod in _pods(data))

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value == len(_pods(plan.data)) and value > 0

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        ready = sum(pod["status"].get("phase") == "Running" for pod in running(kube))
        closed = {name: bool(kube.ask("GET", node(name).path)["spec"].get("unschedulable")) for name in self.nodes}
        return {"pods running": ready, **closed}


def _pods(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in data["things"] if "uid" in one]


def _stays(pod: dict[str, Any]) -> bool:
    owners = [each["kind"] for each in pod["metadata"].get("ownerReferences", [])]
    return (
        "DaemonSet" in owners
        or "Node" in owners
        or "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {})
    )
