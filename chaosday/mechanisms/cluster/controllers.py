"""Faults on the controllers of pods: deployments and stateful sets."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.cluster.api import Kube, Thing, labelled
from chaosday.mechanisms.cluster.fault import ClusterFault
from chaosday.model.fault import PlanContext
from chaosday.model.words import KUBE_NAME


class Controllers(ClusterFault):
    """A fault on one workload by name, or on every one that the target's selector fits."""

    workload: str = Field(default="", pattern=KUBE_NAME)
    of: Literal["deployments", "statefulsets"] = "deployments"

    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        return [
            {"name": one["metadata"]["name"], "spec": kept(one["spec"]), "ready": one["status"].get("readyReplicas", 0)}
            for one in self.listed(kube)
            if self.workload in ("", one["metadata"]["name"])
        ]

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        names = {one["name"] for one in data["things"]}
        return {
            one["metadata"]["name"]: {**kept(one["spec"]), "ready": one["status"].get("readyReplicas", 0)}
            for one in self.listed(kube)
            if one["metadata"]["name"] in names
        }

    def thing(self, kube: Kube, name: str = "") -> Thing:
        """The workload as a thing."""
        return Thing(group="apps", resource=self.of, namespace=kube.namespace, name=name)

    def listed(self, kube: Kube) -> list[dict[str, Any]]:
        """Every workload that the selector fits."""
        return labelled(kube, self.thing(kube).path, "" if self.workload else kube.selector)


def kept(spec: dict[str, Any]) -> dict[str, Any]:
    """What of a workload's specification faults change."""
    images = {each["name"]: each["image"] for each in spec["template"]["spec"]["containers"]}
    return {"replicas": spec.get("replicas", 1), "images": images}
