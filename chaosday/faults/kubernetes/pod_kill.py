"""Pods that are deleted at once."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.fault import PodFault, pods_of, running
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan


class PodKill(PodFault):
    """Deletes pods without a grace period; their controller makes others in their place."""

    kind: Literal["kubernetes.pod_kill"] = "kubernetes.pod_kill"
    unit: ClassVar[str] = "pods gone"
    lasting: ClassVar[str] = "a deleted pod does not come back; its controller makes another"

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        return [Need(verb=verb, thing=pods_of(kube)) for verb in ("list", "delete")]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for pod in plan.data["things"]:
            only = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["uid"]}}
            kube.ask("DELETE", pods_of(kube, pod["name"]).path, only)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        there = {pod["metadata"]["uid"] for pod in running(kube)}
        return sum(pod["uid"] not in there for pod in data["things"])

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value == len(plan.affected)
