"""A release whose image cannot be pulled."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.mechanisms.cluster.api import STRATEGIC, Change, Kube, Thing, labelled
from chaosday.mechanisms.cluster.controllers import Controllers
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan

WAITING = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


class ImagePull(Controllers):
    """Gives deployments an image that does not exist: new pods wait for it, old ones serve as long as they may."""

    kind: Literal["kubernetes.image_pull"] = "kubernetes.image_pull"
    unit: ClassVar[str] = "pods waiting for an image"
    by: ClassVar[str] = "the kubelet's container states"
    image: str = "chaosday.invalid/no-such-image:0"

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        pods = Need(verb="list", thing=Thing(resource="pods", namespace=kube.namespace))
        mine = [
            Need(verb=verb, thing=self.thing(kube, one["name"])) for one in things for verb in ("get", "list", "patch")
        ]
        return [pods, *mine]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        return [self._change(kube, one, one["spec"]["images"]) for one in things]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        for one in plan.data["things"]:
            change = self._change(kube, one, dict.fromkeys(one["spec"]["images"], self.image))
            kube.ask("PATCH", change.thing.path, change.body, content_type=STRATEGIC)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        pods = labelled(kube, Thing(resource="pods", namespace=kube.namespace).path, kube.selector)
        states = [each["state"] for pod in pods for each in pod.get("status", {}).get("containerStatuses", [])]
        return sum(state.get("waiting", {}).get("reason") in WAITING for state in states)

    def _change(self, kube: Kube, one: dict[str, Any], images: dict[str, str]) -> Change:
        containers = [{"name": name, "image": image} for name, image in images.items()]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        return Change(verb="strategic", thing=self.thing(kube, one["name"]), body=body)
