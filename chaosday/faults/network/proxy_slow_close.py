"""Connections through a proxy route end later than they were closed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.proxy.route_fault import DelayingTransferFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route


class ProxySlowClose(DelayingTransferFault):
    """The end of a connection is passed on late: its peer goes on believing in it."""

    kind: Literal["network.proxy.slow_close"] = "network.proxy.slow_close"
    delay_ms: float = Field(default=1000, gt=0, le=60_000)
    """How long after it came the end is passed on, in milliseconds."""

    def toxic(self) -> dict[str, Any]:
        """What keeps the door open."""
        return {"kind": "slow_close", "delay_ms": self.delay_ms}

    def measure(self, route: Route) -> Reading:
        """How long after the last byte an end of ours learns of the end."""
        came = self.transfers(route, 1, self.delay_ms / 1000)
        least = min(each.end_after_s for each in came) * 1000
        return Reading(value=least, least=least, unit="ms until the end", by=self.by)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """At least half of what was asked was added, and not much more than that."""
        words = (
            f"asked {self.delay_ms:g} ms; the end came {baseline.value:.1f} ms after the last byte "
            f"and comes after {during.value:.1f} ms"
        )
        if too_much := overdose(baseline, during, self.delay_ms):
            return False, f"{words}; {too_much}"
        return during.value - baseline.value >= self.delay_ms / 2, words
