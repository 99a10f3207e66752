"""A container whose processes are killed on their node."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.errors import LeaseError
from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.fault import PodFault, described, pods_of, running
from chaosday.mechanisms.cluster.helper_pods import of_container, result, start
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan


class ContainerKill(PodFault):
    """Kills every process of a pod's first container with SIGKILL, from a privileged helper on its node.

    The pod stays; the kubelet starts the container again, after a back-off if that happens often.
    """

    kind: Literal["kubernetes.container_kill"] = "kubernetes.container_kill"
    unit: ClassVar[str] = "restarts"
    by: ClassVar[str] = "the kubelet's restart count"

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        return [Need(verb=verb, thing=pods_of(kube)) for verb in ("list", "get", "create", "delete")]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for number, pod in enumerate(plan.data["things"]):
            name = f"{plan.lease.id}-{number}"
            start(
                kube,
                name,
                f"{of_container(pod['container_id'])}\nkill -9 $pids",
                plan.lease,
                node=pod["node"],
                privileged=True,
            )
            done, words = result(kube, name)
            if not done:
                raise LeaseError(f"{pod['name']} could not be killed: {words or 'the helper failed'}")

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        now = {pod["metadata"]["uid"]: described(pod)["restarts"] for pod in running(kube)}
        return float(sum(max(0, now.get(one["uid"], 0) - one["restarts"]) for one in data["things"]))

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value >= len(plan.affected)
