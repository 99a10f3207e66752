"""Pods behind a bad line."""

from __future__ import annotations

import re
from math import sqrt
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaosday.mechanisms.cluster.api import Kube
from chaosday.mechanisms.cluster.pod_network import PodNetworkFault
from chaosday.mechanisms.dose import AT_MOST, NOISE_MS
from chaosday.model.fault import FaultPlan

LOST_MS = 1000.0
PINGS = 40
_PING = (
    f"to=$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'); ping -c {PINGS} -i 0.05 -W 1 ${{to:-127.0.0.1}}"
)


class Netem(PodNetworkFault):
    """Loses packets that come to a pod (nft), and delays those that leave it (tc netem, where the node has it)."""

    kind: Literal["kubernetes.netem"] = "kubernetes.netem"
    unit: ClassVar[str] = "ms a round trip, a lost one counted as 1000"
    by: ClassVar[str] = "pings from the pod to its gateway"
    loss_percent: float = Field(default=20, ge=0, le=100)
    delay_ms: float = Field(default=0, ge=0, le=60_000)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.loss_percent and not self.delay_ms:
            raise ValueError("loss_percent or delay_ms has to be more than 0")
        return self

    def rules(self, name: str) -> str:
        drop = f"numgen random mod 10000 < {round(self.loss_percent * 100)} drop"
        loss = (
            f"$in nft add table inet {name} && "
            f"$in nft add chain inet {name} in '{{ type filter hook input priority -300; }}' && "
            f"$in nft add rule inet {name} in '{drop}'"
        )
        delay = f"$in tc qdisc add dev eth0 root handle cd: netem delay {self.delay_ms:g}ms"
        return " && ".join([*([delay] if self.delay_ms else []), *([loss] if self.loss_percent else [])])

    def without(self, name: str) -> str:
        table = f"{{ ! $in nft list table inet {name} >/dev/null 2>&1 || $in nft delete table inet {name}; }}"
        delay = "{ ! $in tc qdisc show dev eth0 | grep -q 'netem cd:' || $in tc qdisc del dev eth0 root; }"
        return f"{table} && {delay}" if self.delay_ms else table

    def left(self, name: str) -> str:
        table = f"$in nft list table inet {name} 2>/dev/null | head -n 1"
        return f"{table}; $in tc qdisc show dev eth0 | grep 'netem cd:'" if self.delay_ms else table

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        seen = [self._round_trip_ms(kube, one) for one in data["things"]]
        return sum(seen) / len(seen)

    def enough(self, plan: FaultPlan, value: float) -> bool:
        """A third of what was asked, and no more than that with what chance adds to the loss of so few pings."""
        share = self.loss_percent / 100
        by_chance = 3 * sqrt(share * (1 - share) / (PINGS * max(1, len(plan.affected))))
        most = AT_MOST * self.delay_ms + NOISE_MS + LOST_MS * (share + by_chance)
        return self._asked_ms() / 3 <= value - plan.baseline.value <= most

    def _asked_ms(self) -> float:
        """What a round trip takes longer; one that is later than that is lost to ping."""
        return min(LOST_MS, self.delay_ms + self.loss_percent / 100 * LOST_MS)

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        return super().state(kube, data) | {"line is bad": self.effect(kube, data) >= self._asked_ms() / 3}

    def _round_trip_ms(self, kube: Kube, one: dict[str, Any]) -> float:
        _, out = kube.execute(one["name"], ["sh", "-c", _PING], container=one["container"], timeout_s=120)
        came = [float(ms) for ms in re.findall(r"time=([0-9.]+) ms", out)]
        return (sum(came) + LOST_MS * max(0, PINGS - len(came))) / PINGS
