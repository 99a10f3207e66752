"""Connections through a proxy route end with a TCP reset."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import RouteFault
from chaosday.model.fault import Bite, FaultPlan, Reading
from chaosday.model.target import Route, Target

_SLACK_S = 1.0


class ProxyReset(RouteFault):
    """Resets the connections there are and, with ``new``, those that come while it lasts."""

    kind: Literal["network.proxy.reset"] = "network.proxy.reset"
    delay_ms: float = Field(default=0, ge=0, le=60_000)
    """How long after the injection (or, for new connections, after they came), in milliseconds."""
    new: bool = False
    """Whether connections that come later are reset as well."""

    def toxic(self) -> dict[str, Any]:
        """The end."""
        return {"kind": "reset", "delay_ms": self.delay_ms, "new": self.new}

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Connections of ours stand in the route beforehand, to learn what happens to the others."""
        route = target.capability(Route)
        route.stand(self.tries)
        super().inject(target, plan)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """Those that stood are gone; a connection that comes now is reset as well, or it was over at once."""
        if not self.new:
            return None
        route = target.capability(Route)
        waited = [route.probe(self.patience_s + self.delay_ms / 1000) for _ in range(self.tries)]
        bit = None in waited
        during = Reading(value=float(bit), unit="of our own connections reset", by="the socket of a client of ours")
        why = f"a connection of ours that came later was {'ended' if bit else 'answered'}"
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def measure(self, route: Route) -> Reading:
        """Whether a connection of ours that stood before the fault was reset: 0 stands, 1 was reset."""
        was_reset = route.standing_was_reset(self.delay_ms / 1000 + _SLACK_S)
        return Reading(value=float(was_reset), unit="of our own connections reset", by="the socket of a client of ours")

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """It stood, and was reset."""
        bit = baseline.value == 0 and during.value == 1
        return bit, f"a connection of ours that stood before the fault was {'reset' if during.value else 'left alone'}"
