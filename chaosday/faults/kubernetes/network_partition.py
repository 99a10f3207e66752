"""Pods that nothing reaches."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError, LeaseError, UsageError
from chaosday.mechanisms.cluster.api import Change, Kube, Thing
from chaosday.mechanisms.cluster.fault import PodFault, pods_of
from chaosday.mechanisms.cluster.helper_pods import remove, result, start
from chaosday.mechanisms.cluster.labels import marks
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import Bite, FaultPlan, PlanContext, Reading
from chaosday.model.lease import Lease
from chaosday.model.target import Target

GROUP = "networking.k8s.io"


class NetworkPartition(PodFault):
    """Cuts every pod that the target's selector fits off, by a NetworkPolicy that allows nothing.

    Whether the network enforces it is measured, not assumed: a probe pod connects to ``port`` of each
    pod. Many network plugins store policies and do nothing about them: that comes out as no bite.
    """

    kind: Literal["kubernetes.network_partition"] = "kubernetes.network_partition"
    unit: ClassVar[str] = "pods out of reach"
    by: ClassVar[str] = "a probe pod that connects to them"
    port: int = Field(default=8080, ge=1, le=65535)
    pods: int = Field(default=1000, ge=1, le=1000)
    """Always all of them: a policy selects by label, as the target does."""
    direction: Literal["ingress", "egress", "both"] = "ingress"

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        labels = self._labels(target.capability(Kube))
        if not labels:
            raise UsageError("kubernetes.network_partition needs a selector of the form name=value on the target")
        return super().plan(target, context)

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        policies = Thing(group=GROUP, resource="networkpolicies", namespace=kube.namespace)
        pods = [Need(verb=verb, thing=pods_of(kube)) for verb in ("list", "get", "create", "delete")]
        return pods + [Need(verb=verb, thing=policies) for verb in ("create", "delete", "list")]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        return [Change(verb="delete", thing=self._policy(kube))]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        # The control: a probe that cannot reach them now would take anything for a partition afterwards.
        if deaf := self._silent(kube, plan.lease, [one["ip"] for one in plan.data["things"]]):
            raise LeaseError(f"{deaf} pods do not answer the probe pod on port {self.port} before anything was done")
        ways = {"ingress": ["Ingress"], "egress": ["Egress"], "both": ["Ingress", "Egress"]}[self.direction]
        meta = {"name": self._policy(kube).name, "labels": marks(plan.lease.id, plan.lease.run)}
        spec = {"podSelector": {"matchLabels": self._labels(kube)}, "policyTypes": ways}
        place = self._policy(kube).model_copy(update={"name": ""}).path
        kube.ask("POST", place, {"apiVersion": f"{GROUP}/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        return 0.0  # before the lease there is no probe pod; attest measures both ways with it

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        kube = target.capability(Kube)
        silent = self._silent(kube, plan.lease, [one["ip"] for one in plan.data["things"]])
        during = Reading(value=silent, unit=self.unit, by=self.by)
        why = f"{self.kind}: {silent} of {len(plan.affected)} pods do not answer a probe pod on port {self.port}"
        if not silent:
            why += "; the cluster's network plugin does not enforce NetworkPolicies"
        return Bite(fault=self.kind, target=self.target, bit=silent > 0, baseline=plan.baseline, during=during, why=why)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return self.attest(target, plan)

    def _silent(self, kube: Kube, lease: Lease, addresses: list[str]) -> int:
        # A name of its own for each: one that could not be taken away must not keep the next from being made.
        name = f"{lease.id}-probe-{secrets.token_hex(3)}"
        tests = " ".join(
            f"nc -w 2 {address} {self.port} </dev/null >/dev/null 2>&1 || n=$((n+1));" for address in addresses
        )
        start(kube, name, f"n=0; {tests} echo $n >/dev/termination-log", lease)
        try:
            _, words = result(kube, name, timeout_s=60 + 3 * len(addresses))
        finally:
            # One that stays goes with the lease.
            with contextlib.suppress(ChaosdayError):
                remove(kube, name)
        return int(words or 0)

    def _policy(self, kube: Kube) -> Thing:
        return Thing(group=GROUP, resource="networkpolicies", namespace=kube.namespace, name="chaosday-partition")

    def _labels(self, kube: Kube) -> dict[str, str]:
        pairs = [part.split("=") for part in kube.selector.replace("==", "=").split(",") if part]
        return {} if any(len(pair) != 2 or "!" in pair[0] for pair in pairs) else {pair[0]: pair[1] for pair in pairs}
