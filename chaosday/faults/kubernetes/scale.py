"""A workload with fewer replicas, or none."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.cluster.api import MERGE, Change, Kube
from chaosday.mechanisms.cluster.controllers import Controllers
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan


class Scale(Controllers):
    """Scales deployments or stateful sets to ``replicas``, and back to what they had.

    An autoscaler that owns the number will fight this: the bite says whether it came about.
    """

    kind: Literal["kubernetes.scale"] = "kubernetes.scale"
    unit: ClassVar[str] = "replicas missing"
    replicas: int = Field(default=0, ge=0)

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        return [
            Need(verb=verb, thing=self.thing(kube, one["name"])) for one in things for verb in ("get", "list", "patch")
        ]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        return [
            Change(
                verb="patch", thing=self.thing(kube, one["name"]), body={"spec": {"replicas": one["spec"]["replicas"]}}
            )
            for one in things
        ]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for one in plan.data["things"]:
            body = {"spec": {"replicas": self.replicas}}
            kube.ask("PATCH", self.thing(kube, one["name"]).path, body, content_type=MERGE)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        now = {one["metadata"]["name"]: one.get("status", {}).get("readyReplicas", 0) for one in self.listed(kube)}
        return float(sum(one["ready"] - now.get(one["name"], 0) for one in data["things"]))

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value > 0 and value >= sum(one["ready"] - self.replicas for one in plan.data["things"])
