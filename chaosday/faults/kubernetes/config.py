"""A setting that is wrong."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.cluster.api import MERGE, Change, Kube, Thing
from chaosday.mechanisms.cluster.fault import ClusterFault
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan, PlanContext
from chaosday.model.words import KUBE_NAME


class Config(ClusterFault):
    """Changes values of a ConfigMap, and back; pods that mount it see it within the kubelet's sync period.

    Values of Secrets are not changed: the undo would have to hold the secret.
    """

    kind: Literal["kubernetes.config"] = "kubernetes.config"
    unit: ClassVar[str] = "values changed"
    config_map: str = Field(default="", pattern=KUBE_NAME)
    values: dict[str, str] = {}

    def things(self, kube: Kube, context: PlanContext) -> list[dict[str, Any]]:
        if not self.config_map or not self.values:
            raise UsageError("kubernetes.config: name the config_map and the values to set")
        data = self._data(kube)
        missing = sorted(set(self.values) - set(data))
        if missing:
            raise UsageError(
                f"{self.config_map} has no {', '.join(missing)}; a new value could not be told from theirs"
            )
        return [{"name": f"{self.config_map}/{key}", "key": key, "value": data[key]} for key in sorted(self.values)]

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        return [Need(verb=verb, thing=self._thing(kube)) for verb in ("get", "patch")]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        before = {one["key"]: one["value"] for one in things}
        return [Change(verb="patch", thing=self._thing(kube), body={"data": before})]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        kube.ask("PATCH", self._thing(kube).path, {"data": self.values}, content_type=MERGE)

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        now = self._data(kube)
        return float(sum(now.get(one["key"]) != one["value"] for one in data["things"]))

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        return dict(self._data(kube))

    def _thing(self, kube: Kube) -> Thing:
        return Thing(resource="configmaps", namespace=kube.namespace, name=self.config_map)

    def _data(self, kube: Kube) -> dict[str, str]:
        found: dict[str, str] = kube.ask("GET", self._thing(kube).path).get("data") or {}
        return found
