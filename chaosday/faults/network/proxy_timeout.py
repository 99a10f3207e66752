"""Bytes through a proxy route vanish, and the connections end after a while."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import RouteFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_SLACK_S = 0.5


class ProxyTimeout(RouteFault):
    """Discards what passes, and resets each connection ``after_ms`` after the fault began, or after it came."""

    kind: Literal["network.proxy.timeout"] = "network.proxy.timeout"
    after_ms: float = Field(default=1000, ge=0, le=600_000)
    """How long a connection is left hanging, in milliseconds."""

    def toxic(self) -> dict[str, Any]:
        """The hole, and its clock."""
        return {"kind": "timeout", "after_ms": self.after_ms}

    def measure(self, route: Route) -> Reading:
        """Whether a connection of ours that says nothing is reset when its time is up: 0 stands, 1 was reset."""
        route.stand()
        was_reset = route.standing_was_reset(self.after_ms / 1000 + _SLACK_S)
        return Reading(value=float(was_reset), unit="of our own connections reset", by="the socket of a client of ours")

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """It stood before, and is reset now."""
        bit = baseline.value == 0 and during.value == 1
        return bit, f"a silent connection of ours {'was reset' if during.value else 'stood'} after {self.after_ms:g} ms"
