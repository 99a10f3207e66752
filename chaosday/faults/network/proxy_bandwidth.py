"""A proxy route gets narrow."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.proxy.route_fault import RouteFault
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_SPAN_S = 0.5
_TIMEOUT_S = 3.0


class ProxyBandwidth(RouteFault):
    """Each connection gets at most so many bytes a second in each direction."""

    kind: Literal["network.proxy.bandwidth"] = "network.proxy.bandwidth"
    rate_kb_per_s: float = Field(default=100, gt=0, le=10_000_000)
    """Thousand bytes a second for each connection and direction."""

    def toxic(self) -> dict[str, Any]:
        """The narrow place."""
        return {"kind": "bandwidth", "rate_kb_per_s": self.rate_kb_per_s}

    def measure(self, route: Route) -> Reading:
        """Throughput of a connection of ours through the route, in the slower of the hurt directions."""
        size = max(2_000, int(self.rate_kb_per_s * 1000 * _SPAN_S))
        ways = ["upstream", "downstream"] if self.direction == "both" else [self.direction]
        slowest = min(route.transfer(way, size, _TIMEOUT_S).bytes_per_s for way in ways)
        return Reading(value=slowest / 1000, unit="kB/s", by="bytes received by an end of ours through the route")

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Not above what was asked (and a quarter), and well below what it was."""
        bit = 0 < during.value <= self.rate_kb_per_s * 1.25 and during.value * 1.5 <= baseline.value
        return bit, f"asked {self.rate_kb_per_s:g} kB/s; it carried {baseline.value:.0f} and carries {during.value:.1f}"
