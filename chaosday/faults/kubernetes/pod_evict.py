"""Pods that are asked to leave, as a drain asks: a disruption budget may say no."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.errors import Refused
from chaosday.mechanisms.cluster.api import Kube, RequestFailed
from chaosday.mechanisms.cluster.eviction import evict
from chaosday.mechanisms.cluster.fault import PodFault, pods_of, running
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan


class PodEvict(PodFault):
    """Evicts pods. A PodDisruptionBudget that forbids it is respected and said: nothing was hurt then."""

    kind: Literal["kubernetes.pod_evict"] = "kubernetes.pod_evict"
    unit: ClassVar[str] = "pods gone"
    lasting: ClassVar[str] = "an evicted pod does not come back; its controller makes another"

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        create = Need(verb="create", thing=pods_of(kube), subresource="eviction")
        return [create, Need(verb="list", thing=pods_of(kube))]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for pod in plan.data["things"]:
            try:
                evict(kube, pod["name"])
            except RequestFailed as error:
                if error.status != 429:
                    raise
                raise Refused(f"{pod['name']} may not be evicted: {error}; its disruption budget is kept") from None

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        there = {pod["metadata"]["uid"] for pod in running(kube)}
        return sum(pod["uid"] not in there for pod in data["things"])

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value == len(plan.affected)
