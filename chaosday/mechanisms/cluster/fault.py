"""What the faults in a cluster have in common: choose pods, ask for permission, change objects, wait for the effect."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import Refused
from chaosday.mechanisms.cluster.api import Change, Kube, Thing, labelled
from chaosday.mechanisms.cluster.labels import LEASE
from chaosday.mechanisms.cluster.leases import RBAC, needs_of, undo_of
from chaosday.mechanisms.cluster.permissions import Need, require
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.model.words import CONTAINER, said

POLL_S = 0.3
Pod = dict[str, Any]


class ClusterFault(Fault):
    """A fault whose undo is a list of changes in the cluster, run by a Job there if nobody renews the lease."""

    requires: ClassVar[tuple[type[Any], ...]] = (Kube, LeaseHolder)
    look_every_s: ClassVar[float] = 5.0
    unit: ClassVar[str] = "things hurt"
    by: ClassVar[str] = "the API server"
    lasting: ClassVar[str] = ""
    settle_s: float = Field(default=60, ge=0, le=3600)
    """How long the cluster may take to show the effect, and to be itself again."""

    @abstractmethod
    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        """What will be hurt: plain data with at least ``name``, enough to find and undo each."""

    @abstractmethod
    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        """Do the harm."""

    @abstractmethod
    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        """The effect now, in ``unit``; read again and again until it shows."""

    @abstractmethod
    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        """What we have to be allowed."""

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        """The changes that undo it, from how it is now."""
        return []

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        """What has to read the same afterwards."""
        return {}

    def enough(self, plan: FaultPlan, value: float) -> bool:
        """Whether the effect shows as fully as it will."""
        return value > plan.baseline.value

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        kube = target.capability(Kube)
        things = self.things(kube, context)
        if not things:
            raise Refused(f"{self.kind}: nothing in {kube.namespace} fits {kube.selector or 'it'}; nothing to hurt")
        reverts = self.reverts(kube, things)
        require(kube, [*self.needs(kube, things), *needs_of(reverts), *lease_needs(kube, reverts)])
        data = {"things": things}
        before = self.state(kube, data)
        return FaultPlan(
            lease=self.lease(context, undo_of(reverts)),
            affected=[str(each["name"]) for each in things],
            snapshot=before,
            lasting={name: self.lasting for name in before if name.startswith("pod ")} if self.lasting else {},
            baseline=Reading(value=self.effect(kube, data), unit=self.unit, by=self.by),
            mechanism=f"{self.kind} by the API; a Job in {kube.namespace} reverts at the deadline",
            data=data,
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        self.strike(target.capability(Kube), plan)

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        kube = target.capability(Kube)
        return self._bite(plan, self.until(lambda: self.effect(kube, plan.data), lambda now: self.enough(plan, now)))

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """Once, without waiting; what has no undo is over once it is done."""
        if self.lasting or plan.lease.undo.data.get("changes") == "[]":
            return None
        return self._bite(plan, self.effect(target.capability(Kube), plan.data))

    def _bite(self, plan: FaultPlan, value: float) -> Bite:
        during = Reading(value=value, unit=self.unit, by=self.by)
        bit = self.enough(plan, value)
        why = f"{self.kind} on {', '.join(plan.affected[:3])}: {value:g} {self.unit}, {plan.baseline.value:g} before"
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        kube = target.capability(Kube)

        def same(now: dict[str, Any]) -> bool:
            return all(now.get(name) == value for name, value in plan.snapshot.items() if name not in plan.lasting)

        now: dict[str, Any] = self.until(lambda: self.state(kube, plan.data), same)
        return now

    def until(self, read: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
        """The first reading that is ``done``, or the last one before patience ends."""
        deadline = time.monotonic() + self.settle_s
        while True:
            value = read()
            if done(value) or time.monotonic() > deadline:
                return value
            time.sleep(POLL_S)


class PodFault(ClusterFault):
    """A fault on ``pods`` of the pods that the target's selector fits, chosen by the run's seed."""

    pods: int = Field(default=1, ge=1, le=1000)

    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        fitting = sorted(running(kube), key=lambda pod: str(pod["metadata"]["name"]))
        chosen = random.Random(context.seed).sample(fitting, min(self.pods, len(fitting)))
        return [described(pod) for pod in sorted(chosen, key=lambda pod: str(pod["metadata"]["name"]))]

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        there = {pod["metadata"]["uid"]: pod for pod in running(kube)}
        uids = {f"pod {each['name']}": each["uid"] in there for each in data["things"]}
        return {"pods ready": sum(is_ready(pod) for pod in there.values()), **uids}


def pods_of(kube: Kube, name: str = "") -> Thing:
    """The pods of the target's namespace, or one of them."""
    return Thing(resource="pods", namespace=kube.namespace, name=name)


def running(kube: Kube) -> list[Pod]:
    """The target's pods that run, none of ours and none on its way out."""
    found = labelled(kube, pods_of(kube).path, kube.selector)
    return [
        pod
        for pod in found
        if pod.get("status", {}).get("phase") == "Running"
        and "deletionTimestamp" not in pod["metadata"]
        and LEASE not in pod["metadata"].get("labels", {})
    ]


def is_ready(pod: Pod) -> bool:
    """Whether the pod counts as ready."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def described(pod: Pod) -> dict[str, Any]:
    """What has to be known of a pod to hurt it and to see it."""
    statuses = pod["status"].get("containerStatuses", [])
    return {
        "name": pod["metadata"]["name"],
        "uid": pod["metadata"]["uid"],
        "node": pod["spec"].get("nodeName", ""),
        "ip": pod["status"].get("podIP", ""),
        "container": statuses[0]["name"] if statuses else "",
        "container_id": _container(statuses[0].get("containerID", "")) if statuses else "",
        "restarts": sum(each.get("restartCount", 0) for each in statuses),
    }


def _container(identity: str) -> str:
    """What names a container on its node, without the name of its runtime; it becomes part of a script there."""
    found = identity.rpartition("//")[2]
    return said("container", found, CONTAINER) if found else ""


def lease_needs(kube: Kube, reverts: list[Change]) -> list[Need]:
    """What arming a lease takes."""
    place = {"namespace": kube.namespace}
    made = [("coordination.k8s.io", "leases"), ("batch", "jobs"), ("", "serviceaccounts"), (RBAC, "roles")]
    made.append((RBAC, "rolebindings"))
    needs = [
        Need(verb=verb, thing=Thing(group=group, resource=resource, **place))
        for group, resource in made
        for verb in ("create", "delete", "list")
    ]
    if any(not change.thing.namespace for change in reverts):
        wide = [Thing(group=RBAC, resource=resource) for resource in ("clusterroles", "clusterrolebindings")]
        needs += [Need(verb=verb, thing=thing) for thing in wide for verb in ("create", "delete", "list")]
    return needs
