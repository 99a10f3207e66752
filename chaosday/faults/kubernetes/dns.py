"""Pods that cannot look names up."""

from __future__ import annotations

from shlex import quote
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.pod_network import PodNetworkFault
from chaosday.model.fault import FaultPlan


class Dns(PodNetworkFault):
    """Answers a pod's lookups with nothing (``drop``) or with a refusal (``reject``); needs ``nslookup`` in the pod."""

    kind: Literal["kubernetes.dns"] = "kubernetes.dns"
    unit: ClassVar[str] = "pods whose lookup is not answered"
    by: ClassVar[str] = "nslookup in the container"
    how: Literal["drop", "reject"] = "drop"
    name: str = Field(default="kubernetes.default.svc.cluster.local", pattern=r"^[A-Za-z0-9._-]{1,253}$")
    """What is looked up to see whether lookups are answered; that it is unknown is an answer, too."""

    def rules(self, name: str) -> str:
        chain = f"$in nft add chain inet {name} out '{{ type filter hook output priority -300; }}'"
        each = [f"$in nft add rule inet {name} out {proto} dport 53 {self.how}" for proto in ("udp", "tcp")]
        return " && ".join([f"$in nft add table inet {name}", chain, *each])

    def without(self, name: str) -> str:
        return f"{{ ! $in nft list table inet {name} >/dev/null 2>&1 || $in nft delete table inet {name}; }}"

    def left(self, name: str) -> str:
        return f"$in nft list table inet {name} 2>/dev/null | head -n 1"

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        return float(sum(not self._answered(kube, one) for one in data["things"]))

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value > plan.baseline.value

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        return super().state(kube, data) | {"lookups not answered": self.effect(kube, data)}

    def _answered(self, kube: Kube, one: dict[str, Any]) -> bool:
        asked = f"timeout 4 nslookup {quote(self.name)} 2>&1; echo ended"
        _, out = kube.execute(one["name"], ["sh", "-c", asked], container=one["container"], timeout_s=30)
        silent = ("no response", "timed out", "connection refused", "Operation not permitted", "can't connect")
        return "Server:" in out and not any(word in out for word in silent)
